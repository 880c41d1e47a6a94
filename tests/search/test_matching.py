import io
import json

import pytest

from tests.support.factories import make_line
from vmon.capture.blocks import Blocks
from vmon.capture.codec import write_line
from vmon.errors import VmonError
from vmon.events.catalogue import TYPES
from vmon.search.filter import Filter
from vmon.search.matching import BadLine, LineMatcher, _bare_type, _place, entry_of

TYPE = Filter(types=frozenset({"archive"}))


@pytest.fixture
def archive() -> bytes:
    return make_line(json.dumps(TYPES["archive"].sample).encode())


def test_a_bad_line_is_named_by_its_file_and_number_where_lines_are_counted() -> None:
    assert str(BadLine("a.jsonl", 17, "not JSON\x1b")) == "a.jsonl:17: skipped: not JSON␛"
    assert str(BadLine("a.jsonl", 0, "empty body")) == "a.jsonl: skipped: empty body"


def test_the_entry_of_a_line_is_decoded_once(archive: bytes) -> None:
    entry = entry_of((archive, None))
    assert (entry.type, write_line(entry)) == ("archive", archive)
    assert entry_of((archive, entry)) is entry


@pytest.mark.parametrize("line", [b'{"vmon":1,"type":"archive","session":"2_A\n', b"nonsense\n"])
def test_a_line_without_an_entry_says_why(line: bytes) -> None:
    with pytest.raises((ValueError, VmonError)):
        entry_of((line, None))


def matcher(chosen: Filter = TYPE) -> tuple[LineMatcher, list[BadLine]]:
    bad: list[BadLine] = []
    return LineMatcher("a.jsonl", chosen, bad.append), bad


def test_consecutive_lines_are_counted_and_bad_ones_reported(archive: bytes) -> None:
    one, bad = matcher()
    lines = [archive, b'{"event":"render"}\n', b"nonsense\n", b"\n", archive[:-1]]
    assert [line for line, _ in one.all(lines)] == [archive, archive]
    assert [line.number for line in bad] == [3]
    one.skip(10)
    assert one.all([b"nonsense\n"]) == []
    one.stop_counting()
    assert one.all([b"nonsense\n"]) == []
    assert [line.number for line in bad] == [3, 16, 0]


def test_capture_lines_that_begin_otherwise_are_not_read(archive: bytes) -> None:
    one, bad = matcher(Filter())
    torn = b'{"vmon":1,"type":"render","session":\n'
    begins = (b'{"vmon":1,"type":"archive"',)
    assert [line for line, _ in one.all([torn, archive], begins)] == [archive]
    assert bad == []


def test_capture_lines_as_they_are_have_no_entry_and_others_have(archive: bytes) -> None:
    one, bad = matcher(Filter())
    found = one.undecoded([archive, b'{"event":"render"}\n', b"nonsense\n"])
    assert [(line, entry and entry.type) for line, entry in found] == [
        (archive, None),
        (b'{"event":"render"}\n', "render"),
    ]
    assert [line.number for line in bad] == [3]


def test_picked_lines_are_settled_by_what_follows_their_type_or_else_decoded(
    archive: bytes,
) -> None:
    session = json.loads(archive)["session"].encode()
    one, _ = matcher(Filter(session=(session.decode(),)))
    settled = b'","session":"' + session
    assert one.some([archive], settled) == [(archive, None)]
    ((line, entry),) = one.some([archive], None)
    assert (line, entry and entry.type) == (archive, "archive")


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (b'{"event":"archive"}', "archive"),
        (b'{"x":[1,{"event":"render"}],"event":"captions"}', "captions"),
        (b'{"event":"somethingNew"}', None),
        (b'{"status":"started"}', None),
        (b'{"vmon":1,"event":"archive"}', None),
        (b'{"event":"archive"', None),
        (b'{"event":"archive","x":"\xff"}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_bare_body_is_judged_by_the_type_that_it_names(body: bytes, type_: str | None) -> None:
    assert _bare_type(body) == type_


@pytest.mark.parametrize(
    ("span", "place"),
    [
        ((b'2016-08-03T21:15:00.000000Z"', b'2016-08-03T21:17:00.000000Z"'), "inside"),
        ((b'2017-01-01T00:00:00.000000Z"', b"~"), "outside"),
        ((b'2000-01-01T00:00:00.000000Z"', b'2001-01-01T00:00:00.000000Z"'), "outside"),
        ((b'2016-08-03T21:16:00.318542Z"', b'2016-08-03T21:16:00.318543Z"'), "inside"),
    ],
)
def test_a_block_is_in_or_out_of_a_time_as_a_whole(
    span: tuple[bytes, bytes], place: str, archive: bytes
) -> None:
    blocks = Blocks(io.BytesIO(archive * 3))
    assert blocks.fill()
    assert _place(blocks, span) == place


def test_a_block_that_is_in_and_out_is_looked_at_line_by_line(archive: bytes) -> None:
    later = archive.replace(b'"received_at":"2016', b'"received_at":"2018')
    assert later != archive
    span = b'2017-01-01T00:00:00.000000Z"', b"~"
    for lines in (archive + later, later + b'{"event":"render"}\n'):
        blocks = Blocks(io.BytesIO(lines))
        assert blocks.fill()
        assert _place(blocks, span) is None
