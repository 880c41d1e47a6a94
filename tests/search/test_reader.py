import gc
import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import make_line
from vmon.capture.codec import write_line
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.search import matching, reader
from vmon.search.filter import Filter

TYPE = Filter(types=frozenset({"archive"}))
TORN = b'{"vmon":1,"type":"archive","session":"2_A\n'


@pytest.fixture
def lines() -> list[bytes]:
    """A capture of one delivery of each type."""
    return [make_line(json.dumps(one.sample).encode()) for one in TYPES.values()]


@pytest.fixture
def sources(lines: list[bytes], tmp_path: Path) -> list[str]:
    """The same capture three times: plain, compressed, and as bare bodies."""
    plain, packed, bare = (tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl"))
    plain.write_bytes(b"".join(lines))
    packed.write_bytes(gzip.compress(b"".join(lines)))
    bodies = [json.dumps(one.sample).encode() + b"\n" for one in TYPES.values()]
    bare.write_bytes(b"".join(bodies))
    return [str(one) for one in (plain, packed, bare)]


@pytest.fixture
def collects() -> Iterator[None]:
    """Garbage is collected, as it was, when the test is over."""
    was = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was else gc.disable)()


def test_batches_are_the_chosen_lines_of_one_source_after_the_other(
    sources: list[str], lines: list[bytes]
) -> None:
    found = [line for batch in reader.batches(sources, TYPE) for line, _ in batch]
    (archive,) = [line for line in lines if b'"type":"archive"' in line]
    assert found[:2] == [archive, archive]
    assert [json.loads(line)["event"] for line in found[2:]] == ["archive"]


def test_batches_decode_no_line_of_a_capture_that_its_beginning_chooses(
    sources: list[str],
) -> None:
    found = [entry for batch in reader.batches(sources[:2], TYPE) for _, entry in batch]
    assert found == [None, None]


@pytest.mark.parametrize("entries", [True, False])
def test_bare_bodies_are_decoded_where_entries_are_wanted(
    sources: list[str], *, entries: bool
) -> None:
    (batch,) = (one for one in reader.batches(sources[2:], TYPE, entries=entries) if one)
    assert [entry is not None for _, entry in batch] == [entries]


def test_decoded_batches_have_an_entry_for_every_line(sources: list[str]) -> None:
    found = [pair for batch in reader.decoded_batches(sources, Filter()) for pair in batch]
    assert [entry.type for _, entry in found] == list(TYPES) * 3
    assert [write_line(entry) for _, entry in found[: len(TYPES)]] == [
        line for line, _ in found[: len(TYPES)]
    ]


def test_lines_and_entries_are_those_of_the_batches_one_by_one(sources: list[str]) -> None:
    batches = [pair for batch in reader.decoded_batches(sources, TYPE) for pair in batch]
    found = list(reader.lines(sources, TYPE))
    assert [line for line, _ in found] == [line for line, _ in batches]
    assert [one.delivery for one in reader.entries(sources, TYPE)] == [
        entry.delivery for _, entry in found
    ]


def test_more_lines_than_are_decoded_in_one_go_are_all_given(
    lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines * 20))
    assert [line for line, _ in reader.lines((str(path),), Filter())] == lines * 20


def test_a_torn_line_stays_in_a_batch_and_is_reported_where_lines_are_decoded(
    lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines[0] + TORN + lines[1])
    bad: list[matching.BadLine] = []
    source = [str(path)]
    batches = reader.batches(source, Filter(), bad.append)
    assert [line for batch in batches for line, _ in batch] == [lines[0], TORN, lines[1]]
    assert bad == []
    decoded = reader.decoded_batches(source, Filter(), bad.append)
    assert [line for batch in decoded for line, _ in batch] == lines[:2]
    assert [line for line, _ in reader.lines(source, Filter(), bad.append)] == lines[:2]
    assert len(list(reader.entries(source, Filter(), bad.append))) == 2
    assert [one.source for one in bad] == [str(path)] * 3


def test_a_torn_line_is_a_warning_by_default(
    lines: list[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines[0] + TORN)
    assert len(list(reader.lines([str(path)], Filter()))) == 1
    assert capsys.readouterr().err.startswith(f"warning: {path}: skipped: ")


def test_a_source_is_opened_when_its_turn_comes_and_its_stream_is_shown(
    sources: list[str],
) -> None:
    opened: list[Any] = []
    batches = reader.batches([sources[0], "/nowhere.jsonl"], Filter(), opened=opened.append)
    assert opened == []
    assert len(next(batches)) == len(TYPES)
    assert [stream.done for stream in opened] == [Path(sources[0]).stat().st_size]
    with pytest.raises(WrongUse, match="cannot read /nowhere"):
        list(batches)
    assert len(opened) == 1


def test_reading_starts_at_an_offset_and_follows_what_is_appended(
    lines: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines[0] + lines[1])
    batches = reader.batches([str(path)], Filter(), follow=True, start=len(lines[0]))
    assert [line for line, _ in next(batches)] == lines[1:2]
    with path.open("ab", buffering=0) as file:
        later = threading.Timer(0.02, file.write, (lines[2],))
        later.start()
        assert [line for line, _ in next(batches)] == lines[2:3]
        later.join()


def test_decoded_batches_can_follow_too(lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines[0])
    batches = reader.decoded_batches([str(path)], Filter(), follow=True)
    assert [line for line, _ in next(batches)] == lines[:1]
    with path.open("ab", buffering=0) as file:
        file.write(TORN + lines[1])
        assert [line for line, _ in next(batches)] == lines[1:2]


@pytest.mark.usefixtures("collects")
def test_only_entries_disables_the_garbage_collector(sources: list[str]) -> None:
    list(reader.batches(sources, Filter()))
    list(reader.lines(sources, Filter()))
    assert gc.isenabled()
    list(reader.entries(sources, Filter()))
    assert not gc.isenabled()
