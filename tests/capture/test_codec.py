import gzip
import json
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry, make_line
from vmon.capture.codec import read_line, write_line
from vmon.events.catalogue import NAMES, TYPES

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
BODIES = sorted(
    path for path in (Path(__file__).parents[1] / "data").rglob("*.*") if path.suffix != ".md"
)

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=30)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)
NEAR_EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(NAMES) | VALUES,
        "sessionId": ANY_TEXT | VALUES,
        "body": VALUES,
        "status": VALUES,
        "stream": VALUES,
    },
)


@st.composite
def json_bodies(draw: st.DrawFn) -> bytes:
    """Make JSON, or nearly: escaped or not, on one line or several, in any spacing."""
    text = json.dumps(
        draw(NEAR_EVENTS | VALUES),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
        separators=draw(st.sampled_from([(",", ":"), (" , ", "\t: ")])),
    )
    around = st.sampled_from(["", " ", "\n", "\r\n", "\ufeff", "}"])
    return (draw(around) + text + draw(around)).encode("utf-8", "surrogatepass")


ANY_BODY = st.binary(max_size=60) | json_bodies() | st.sampled_from(BODIES).map(Path.read_bytes)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Encoding", "content-encoding", "X-Body"]) | ANY_TEXT,
        st.sampled_from(["gzip", "identity", '","body":{}}', "Ã©\xff"]) | ANY_TEXT,
    ),
    max_size=3,
).map(tuple)
INSTANTS = st.integers(0, 250_000_000_000_000_000).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)


@PATIENT
@given(
    body=ANY_BODY,
    headers=HEADERS,
    path=ANY_TEXT,
    method=ANY_TEXT,
    remote=st.none() | ANY_TEXT,
    received_at=INSTANTS,
)
@example(
    body=b'{"event":"archive"}',
    headers=(("a" * 70_000, "b\r\n\x00\udcff"),),
    path='/","body":{"x":1}}\n',
    method="POST",
    remote=None,
    received_at=datetime(2026, 11, 24, tzinfo=UTC),
)
def test_every_delivery_is_one_line_of_json_and_comes_back_byte_for_byte(
    body: bytes, **said: Any
) -> None:
    entry = make_entry(body, **said)
    line = write_line(entry)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    begin = f'{{"vmon":1,"type":"{entry.payload.type}","session":'
    assert line.startswith(begin.encode())
    value = json.loads(line)
    assert list(value)[:9] == [
        "vmon",
        "type",
        "session",
        "id",
        "received_at",
        "method",
        "path",
        "headers",
        "remote",
    ]
    assert value["session"] == entry.payload.session
    holds_the_body(line, value, body)
    again = read_line(line)
    assert again.delivery == entry.delivery
    assert again.payload.type == entry.payload.type
    assert again.payload.session == entry.payload.session


def holds_the_body(line: bytes, value: dict[str, Any], body: bytes) -> None:
    """Assert that the body stands there byte for byte, once, and last."""
    if "body_base64" in value:
        assert b64decode(value["body_base64"], validate=True) == body
        assert set(value) - {"body"} == {*list(value)[:9], "body_base64"}
    else:
        assert list(value)[9:] == ["body"]
        assert line.endswith(b',"body":' + body + b"}\n")


@PATIENT
@given(ANY_BODY)
def test_a_line_written_again_is_the_same_line(body: bytes) -> None:
    line = make_line(body)
    assert write_line(read_line(line)) == line


@pytest.mark.parametrize("path", BODIES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_body_on_one_line_stands_there_verbatim(path: Path) -> None:
    body = path.read_bytes()
    entry = make_entry(body)
    line = write_line(entry)
    verbatim = entry.payload.json is not None and not set(body) & set(b"\r\n\xef")
    assert (b',"body_base64":"' not in line) == verbatim
    if verbatim:
        at = line.index(b',"body":') + len(b',"body":')
        assert sha256(line[at:-2]).digest() == sha256(body).digest()
    assert (b',"body":' in line) == (entry.payload.json is not None)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is a reader of its own, where there is one")
def test_jq_reads_every_line_and_finds_the_body(tmp_path: Path) -> None:
    bodies = [path.read_bytes() for path in BODIES]
    entries = [make_entry(body) for body in bodies]
    entries += [
        make_entry(gzip.compress(b'{"event":"archive"}'), headers=(("Content-Encoding", "gzip"),)),
        make_entry(b"{}", path="/\udcff\x1b", headers=(("A", "\u2028\udcff"),)),
    ]
    capture = tmp_path / "all.jsonl"
    capture.write_bytes(b"".join(write_line(entry) for entry in entries))
    done = subprocess.run(
        ["jq", "-c", "[.type, .body.event?]", capture], capture_output=True, check=True, timeout=30
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [type_ for type_, *_ in told] == [entry.payload.type for entry in entries]
    named = [entry.payload for entry in entries]
    for (_, *event), payload in zip(told, named, strict=True):
        if payload.json is not None and isinstance(payload.value, dict):
            assert event == [payload.value.get("event")]


def test_a_compressed_body_is_kept_as_it_came_and_read_beside() -> None:
    packed = gzip.compress(b'{"event":"archive",\n"status":"stopped"}')
    line = make_line(packed, headers=(("content-encoding", "gzip"),))
    value = json.loads(line)
    assert value["type"] == "archive"
    assert value["body"] == {"event": "archive", "status": "stopped"}
    assert b64decode(value["body_base64"]) == packed
    assert read_line(line).delivery.body == packed


def test_a_line_looks_exactly_so() -> None:
    body = b'{"event":"archive", "sessionId":"2_MX4","id":"\\u00e9"}'
    line = make_line(body, path="/a?b", headers=(("A", 'b"'),))
    assert line.decode() == (
        '{"vmon":1,"type":"archive","session":"2_MX4","id":"00053932d7f0ab-5a17c0de",'
        '"received_at":"2016-08-03T21:16:00.318542Z","method":"POST","path":"/a?b",'
        '"headers":[["A","b\\""]],"remote":"127.0.0.1:50412",'
        '"body":{"event":"archive", "sessionId":"2_MX4","id":"\\u00e9"}}\n'
    )


def test_keys_added_before_the_body_are_ignored() -> None:
    line = make_line(b'{"event":"archive"}')
    more = line.replace(b',"id":', b',"verdict":{"ok":true,"why":"\\"body\\""},"id":')
    assert read_line(more).delivery == read_line(line).delivery


def test_a_line_that_another_tool_rewrote_is_still_read() -> None:
    entry = make_entry(b'{"event": "archive"}')
    value = json.loads(write_line(entry))
    for again in (json.dumps(value), json.dumps(dict(sorted(value.items())))):
        read = read_line(again.encode())
        assert read.payload.type == "archive"
        assert json.loads(read.delivery.body) == {"event": "archive"}
        assert read.delivery.received_at == entry.delivery.received_at
    broken = json.loads(make_line(b"{"))
    assert read_line(json.dumps(broken).encode()).delivery.body == b"{"


def test_a_capture_that_was_made_up_is_read_or_refused_but_breaks_nothing() -> None:
    line = make_line(b'{"event":"archive"}')
    body = b'"body":{"event":"archive"}'
    listed = read_line(line.replace(body, b'"body":[1]'))
    assert (listed.type, listed.event.type) == ("archive", "unknown")
    rubbish = read_line(line.replace(body, b'"body_base64":"AAAA"'))
    assert (rubbish.type, rubbish.event.type) == ("archive", "undecodable")
    future = read_line(line.replace(b'"type":"archive"', b'"type":"somethingNew"'))
    assert (future.type, future.event.type) == ("somethingNew", "unknown")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"body":{"event":"archive"}', b'"body_base64":"A"'),
        (b',"body":{"event":"archive"}', b""),
        (b'"id":"00053932d7f0ab-5a17c0de"', b'"id":7'),
        (b"2016-08-03T21:16:00.318542Z", b"0001-01-01T00:00:00+23:00"),
        (b"2016-08-03T21:16:00.318542Z", b"9999-12-31T23:59:59-23:00"),
        (b"2016-08-03T21:16:00.318542Z", b"yesterday"),
        (b'"method":"POST",', b""),
        (b'"headers":[[', b'"headers":[[[['),
        (b"}\n", b""),
        (b"}}\n", b""),
    ],
)
def test_a_damaged_line_is_refused_in_words(before: bytes, after: bytes) -> None:
    line = make_line(b'{"event":"archive"}')
    assert before in line
    with pytest.raises(ValueError, match=r"\w+ .*\w"):
        read_line(line.replace(before, after))


@pytest.mark.parametrize("line", [b"{", b"nonsense\n", b'{"vmon":1}', b'"\xff"', b"[" * 100_000])
def test_a_line_without_a_delivery_is_an_error_with_a_reason(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\w"):
        read_line(line)


def test_a_bare_body_was_received_when_it_says_it_happened() -> None:
    body = json.dumps(TYPES["streamCreated"].sample).encode()
    entry = read_line(b"  " + body + b" \r\n", 17)
    assert entry.delivery.body == body
    assert entry.delivery.id == "line-17"
    assert entry.delivery.received_at == entry.event.timestamp_at
    assert entry.lag_s is None
    assert read_line(b"{}").delivery.received_at == datetime(1970, 1, 1, tzinfo=UTC)


HALVES = (
    b'{"sessionId":"2_A","event":"connectionCreated","timestamp":1470257693222,'
    b'"connection":{"id":"c\\udcff","createdAt":1470257688309,"data":"Ann \\ud83d"}}\n'
    b'{"sessionId":"2_A","event":"connectionDestroyed","timestamp":1470257893222,'
    b'"reason":"\\udfff","connection":{"id":"c\\udcff","createdAt":1470257688309,"data":""}}\n'
)


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is a reader of its own, where there is one")
@pytest.mark.parametrize("command", ["sessions", "oddities", "stats", "usage"])
def test_jq_reads_output_with_a_lone_surrogate(
    command: str, vmon_run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "halves.jsonl"
    file.write_bytes(HALVES)
    more = ["--by", "connection"] if command == "usage" else []
    out = vmon_run(command, "--format", "json", *more, file)[1].encode()
    said = subprocess.run(["jq", "."], input=out, capture_output=True, check=True, timeout=30)
    assert "\ufffd" in said.stdout.decode()
    assert b"\\ud" not in out.lower()


def test_what_a_rewritten_capture_calls_itself_breaks_no_line() -> None:
    line = json.loads(make_line(b'{"event":"archive"}'))
    nasty = 'a","body":{"b":"\\\n\ud800'
    entry = read_line(
        json.dumps({"was": "rewritten"} | line | {"type": nasty, "id": nasty}).encode()
    )
    written = write_line(entry)
    assert written.count(b"\n") == 1
    assert json.loads(written) == line | {"type": nasty, "id": nasty}
    again = read_line(written)
    assert (again.type, again.delivery.id) == (nasty, nasty)
