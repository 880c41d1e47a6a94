import gzip
import io
import json
from pathlib import Path

import pytest

from tests.support.factories import make_line
from tests.support.selected import selected
from vmon.capture.documents import documents, has_lines, is_document
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.search.filter import Filter


@pytest.fixture
def lines() -> list[bytes]:
    """A capture of one delivery of each type."""
    return [make_line(json.dumps(one.sample).encode()) for one in TYPES.values()]


BODIES = [{"event": "archive", "x": [1, "a\nb"]}, {"event": "render"}, {"event": "é"}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf", b"\n \r\n"])
@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("size", [8, 1 << 16])
def test_a_json_array_holds_its_elements(
    *, indent: int | None, ascii_: bool, bom: bytes, end: bytes, size: int
) -> None:
    text = json.dumps(BODIES, indent=indent, ensure_ascii=ascii_)
    data = bom + text.encode().replace(b"\n", b"\r\n") + end
    if size < len(bom) or (size == 8 and bom == b"\n \r\n"):
        size = 1 << 16  # the beginning is looked for in the first block
    found, bad = selected(io.BytesIO(data), Filter(), size)
    assert [json.loads(line) for line in found] == BODIES
    assert all(line.count(b"\n") == 1 for line in found)
    assert bad == []


def test_pretty_printed_documents_are_read(lines: list[bytes]) -> None:
    captured = [json.loads(line) for line in lines[:2]]
    data = "\n".join(json.dumps(one, indent=4) for one in [*BODIES, *captured]).encode()
    found, bad = selected(io.BytesIO(data), Filter())
    assert [json.loads(line) for line in found] == [*BODIES, *captured]
    assert bad == []
    event_filter = Filter(types=frozenset({json.loads(lines[0])["type"]}))
    assert [json.loads(line) for line in selected(io.BytesIO(data), event_filter)[0]] == captured[
        :1
    ]


def test_an_array_of_capture_lines_is_a_capture(lines: list[bytes]) -> None:
    data = b"[" + b",\n".join(line.strip() for line in lines) + b"]"
    assert selected(io.BytesIO(data), Filter()) == (lines, [])


def test_invalid_json_is_reported_and_the_documents_before_it_are_kept() -> None:
    data = b'{\n "event":"archive"\n}\n{\n "event":"render"\n}\n{\n "event":'
    found, bad = selected(io.BytesIO(data), Filter())
    assert [json.loads(line)["event"] for line in found] == ["archive", "render"]
    assert [one.number for one in bad] == [3]


@pytest.mark.parametrize(
    ("begin", "is_one"),
    [
        (b"[", True),
        (b'\xef\xbb\xbf [{"event":1}]', True),
        (b'{\n  "event": "archive"\n}', True),
        (b'{"event":"archive"}\n', False),
        (b'{"vmon":1,"type":"archive"', False),
        (b'{"log":{"entries":[', True),
        (b"", False),
        (b"nonsense", False),
    ],
)
def test_a_document_is_known_by_how_it_begins(begin: bytes, *, is_one: bool) -> None:
    assert is_document(begin) is is_one


def test_only_plain_lines_can_be_read_from_their_end(lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a"
    for data, has in ((lines[0], True), (gzip.compress(lines[0]), False), (b"[]", False)):
        path.write_bytes(data)
        assert has_lines(str(path)) is has
    with pytest.raises(WrongUse, match="No such file"):
        has_lines(str(tmp_path / "none"))


def test_objects_one_after_another_are_a_line_each_whatever_stands_between() -> None:
    assert list(documents(b'{"a":\n1} {"b":2}\n\n[{"c":3},{"d":\r\n4}]')) == [
        b'{"a": 1}',
        b'{"b":2}',
        b'{"c":3}',
        b'{"d":  4}',
    ]


@pytest.mark.parametrize("indent", [None, 2])
def test_of_an_array_that_is_cut_off_comes_what_stands_before(indent: int | None) -> None:
    text = json.dumps(BODIES, indent=indent)
    second = text.index('"event": "render"')
    for cut in range(second + 30, len(text) - 20, 7):
        found, bad = selected(io.BytesIO(text[:cut].encode()), Filter())
        assert [json.loads(line) for line in found] == BODIES[: len(found)]
        assert len(found) == (2 if cut >= text.index("}", second) else 1)
        elements = f"{len(found)} element{'s' * (len(found) != 1)}"
        (told,) = bad
        assert told.why == f"the array is cut off after {elements}"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ["", "\n", ' {"event":"more"}'])
def test_an_array_with_a_trailing_comma_is_read(indent: int | None, end: str) -> None:
    text = json.dumps(BODIES, indent=indent).rstrip("]") + ",\n]" + end
    found, bad = selected(io.BytesIO(text.encode()), Filter())
    more = [json.loads(end)] if end.strip() else []
    assert ([json.loads(line) for line in found], bad) == ([*BODIES, *more], [])


@pytest.mark.parametrize("prefix", ["[INFO] got ", "[2026-11-24 10:00:00] app.INFO: ", "[7] "])
def test_a_log_whose_lines_begin_with_a_bracket_is_no_array(prefix: str) -> None:
    lines = [f"{prefix}{json.dumps(one)}\n" for one in BODIES[:2]]
    text = f"{prefix}up\n" + "".join(lines) + f"{prefix}down\n"
    found, bad = selected(io.BytesIO(text.encode()), Filter())
    assert [json.loads(line) for line in found] == BODIES[:2]
    assert [one.number for one in bad] == [1, 4]
