import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.support.factories import make_entry
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.render.detail import fields, whole
from vmon.render.style import LineStyle, Paint

DATA = Path(__file__).parents[1] / "data"
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
PLAIN = LineStyle(Paint())
COLOURED = LineStyle(Paint(Console(force_terminal=True, color_system="256")))

FIELDS = """\
    POST /hook?a=1 from 127.0.0.1:50412, 474 B, 1 min 40 s after the event, delivery 00053932d7f0ab-5a17c0de
    sessionId                   2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr
    projectId                   123456
    event                       streamCreated
    timestamp                   1470258860571  2016-08-03 21:14:20.571
    stream.id                   63245362-e00e-4834-8371-9397deb3e452
    stream.connection.id        c053fcc8-c681-41d5-8ec2-7a9e1434a21e
    stream.connection.createdAt 1470257688143  2016-08-03 20:54:48.143
    stream.connection.data      ""
    stream.createdAt            1470258845416  2016-08-03 21:14:05.416
    stream.name                 ""
    stream.videoType            camera"""  # noqa: E501 - lines as they are drawn

WHOLE = """\
    Content-Type: application/json
    X-␛: a␊b
    │ {
    │   "event": "muteForced",
    │   "a": [
    │     1,
    │     -2.5e3,
    │     true,
    │     null
    │   ],
    │   "o": {},
    │   "t": "x\\"y\\u00e9"
    │ }"""


def drawn(entry: Entry, look: LineStyle = PLAIN) -> list[str]:
    return [*fields(entry, look), *whole(entry, look)]


@pytest.mark.usefixtures("utc")
def test_the_fields_of_a_payload_are_shown_in_this_way() -> None:
    entry = make_entry((DATA / "seed" / "streamCreated.json").read_bytes(), path="/hook?a=1")
    assert "\n".join(fields(entry, PLAIN)) == FIELDS


@pytest.mark.usefixtures("utc")
def test_headers_and_body_are_shown_in_this_way() -> None:
    body = b'{"event":"muteForced","a":[1,-2.5e3,true,null],"o":{},"t":"x\\"y\\u00e9"}'
    entry = make_entry(body, headers=(("Content-Type", "application/json"), ("X-\x1b", "a\nb")))
    assert "\n".join(whole(entry, PLAIN)) == WHOLE


def test_warnings_come_first() -> None:
    body = b'{"event":"streamCreated","projectId":7,"timestamp":"soon"}'
    lines = list(fields(make_entry(body), PLAIN))
    assert lines[0] == "    ! projectId should be a string, not a number"
    assert [line.startswith("    ! ") for line in lines[:3]] == [True, True, False]


def test_ids_wrap_with_an_indent_and_are_never_cut() -> None:
    for one in TYPES.values():
        entry = make_entry(json.dumps(one.sample).encode())
        rows = list(fields(entry, LineStyle(Paint(), 40)))
        assert max(map(len, rows)) <= 40
        assert all(row.startswith("    ") for row in rows)
        shown = "".join(row.strip() for row in rows)
        ids = re.findall(r'"\w*[iI]d": "([^"]+)"', json.dumps(one.sample))
        assert ids
        assert [identifier for identifier in ids if identifier not in shown] == []


@pytest.mark.usefixtures("utc")
def test_what_is_no_json_is_shown_raw_with_where_it_breaks() -> None:
    lines = list(whole(make_entry(b'{"a":\xff\x1b[2J\r\nb', headers=()), PLAIN))
    assert lines == [
        '    │ {"a":\\xff␛[2J␍',
        "    │ b",
        "    ^ not UTF-8 at byte 5",
    ]
    assert list(whole(make_entry(b"", headers=()), PLAIN))[-1] == "    ^ empty body"


def test_a_compressed_body_is_decompressed_and_formatted() -> None:
    headers = (("content-encoding", "gzip"),)
    entry = make_entry(gzip.compress(b'{"event":"archive"}'), headers=headers)
    assert list(whole(entry, PLAIN))[1:] == ["    │ {", '    │   "event": "archive"', "    │ }"]


@pytest.mark.parametrize("key", ["timestamp", "createdAt", "updatedAt"])
def test_a_time_is_read_out(key: str, zone: Callable[[str], None]) -> None:
    zone("Asia/Tokyo")
    lines = list(fields(make_entry(json.dumps({"x": {key: 1470258860571}}).encode()), PLAIN))
    assert lines[-1] == f"    x.{key} 1470258860571  2016-08-04 06:14:20.571"


def test_the_last_time_of_the_calendar_is_shown_too(zone: Callable[[str], None]) -> None:
    zone("Asia/Tokyo")
    entry = make_entry(b'{"event":"archive","updatedAt":253402300799999}')
    assert "    updatedAt 253402300799999" in drawn(entry)


def test_scalars_and_what_is_empty_are_written_as_json_has_them() -> None:
    body = b'{"s":"","n":null,"t":true,"o":{},"l":[],"f":1.5,"":{"":3},"long":[[1]]}'
    lines = [line.strip().split() for line in list(fields(make_entry(body), PLAIN))[1:]]
    assert lines == [
        ["s", '""'],
        ["n", "null"],
        ["t", "true"],
        ["o", "{}"],
        ["l", "[]"],
        ["f", "1.5"],
        ['"".', "3"],
        ["long[0][0]", "1"],
    ]


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b"null", b"[{}]", b"", b"{}"])
def test_what_is_not_an_object_is_shown(body: bytes) -> None:
    assert all(line.startswith("    ") for line in drawn(make_entry(body)))


def test_a_huge_body_is_cut_and_says_so() -> None:
    body = json.dumps({"a": "x" * 50_000} | {f"k{number}": 1 for number in range(1000)}).encode()
    lines = drawn(make_entry(body))
    assert len(lines) < 900
    assert sum(map(len, lines)) < 40_000
    assert "    … 601 more fields" in lines
    assert "    … 603 more lines" in lines
    assert any("… (46,000 more characters)" in line for line in lines)
    raw = drawn(make_entry(b"x" * 50_000))
    assert "    … 46.0 kB more" in raw


DEEP = [b"[" * 150 + b"]" * 150, b'{"":' * 300 + b"1" + b"}" * 300, b"[" * 900 + b"]" * 900]
ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)
BODIES = VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)


@PATIENT
@given(BODIES, st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT))
@example(DEEP[0], ("", "", "", ""))
@example(DEEP[1], ("", "", "", ""))
@example(DEEP[2], ("", "", "", ""))
@example(b'{"a":' + b"9" * 4400 + b',"b":1e400}', ("\x1b", "\x9b", "\x1b]0;x\x07", "\n"))
def test_whatever_was_delivered_every_line_is_harmless(
    body: bytes, said: tuple[str, str, str, str]
) -> None:
    header, path, identifier, remote = said
    changed: dict[str, Any] = {"headers": ((header, path),), "path": path, "method": header}
    entry = make_entry(body, **changed, id=identifier, remote=remote)
    plain = drawn(entry)
    assert [line for line in plain if not line.isprintable()] == []
    coloured = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in drawn(entry, COLOURED)]
    assert coloured == plain


def test_json_is_coloured_by_what_it_is() -> None:
    paint = COLOURED.paint
    (*_, line, _) = whole(make_entry(b'{"a: b":"c: \\"d","n":[true]}'), COLOURED)
    assert line.endswith("]")
    text = "".join(whole(make_entry(b'{"a: b":"c: \\"d","n":-1.5e3,"t":true}'), COLOURED))
    for style, token in (
        ("key", '"a: b"'),
        ("string", '"c: \\"d"'),
        ("number", "-1.5e3"),
        ("constant", "true"),
    ):
        assert paint(style, token) in text
