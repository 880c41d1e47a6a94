import gzip
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vmon.capture import segments as module
from vmon.capture.folder import capture_of, closed_segments
from vmon.capture.segments import Segment, Segments, fingerprint_in, fingerprint_of

ONE, TWO, THREE = (b"%b\n" % (name * 20) for name in (b"1", b"2", b"3"))
SIZE = len(ONE) * 2
Made = Callable[..., Segments]


def known(*lines: bytes) -> list[Segment]:
    return [Segment(fingerprint_of(line), number * SIZE) for number, line in enumerate(lines)]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """Make the volumes of files that begin with lines, two lines each."""
    every: list[Segments] = []

    def making(*lines: bytes) -> Segments:
        every.append(Segments(tmp_path / "a.jsonl", known(*lines)))
        return every[-1]

    yield making
    for one in every:
        one.close()


def keep(path: Path, line: bytes) -> Path:
    data = line + line.upper()
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def open_now() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def whole(volumes: Segments) -> bytes:
    """All there is, as it is read piece by piece."""
    found = b""
    for at, stop in volumes.spans():
        while at < stop and (piece := volumes.read(at, 7)):
            found += piece
            at += len(piece)  # noqa: PLW2901 - read on
    return found


def test_a_mark_is_of_the_first_line_plain_and_compressed(tmp_path: Path) -> None:
    assert fingerprint_in(keep(tmp_path / "a.jsonl", ONE)) == fingerprint_of(ONE)
    assert fingerprint_in(keep(tmp_path / "a.1.jsonl.gz", ONE)) == fingerprint_of(ONE)
    (tmp_path / "torn").write_bytes(b"no newline")
    (tmp_path / "x.gz").write_bytes(b"not compressed")
    for name in ("torn", "x.gz", "none"):
        assert fingerprint_in(tmp_path / name) is None


def test_closed_segments_have_a_number_and_a_capture(tmp_path: Path) -> None:
    for name in ("a.1.jsonl.gz", "a.2.jsonl", "a.2.jsonl.gz", "a.x.jsonl", "b.3.jsonl", "a.jsonl"):
        (tmp_path / name).touch()
    full = closed_segments(tmp_path / "a.jsonl")
    assert full == {1: tmp_path / "a.1.jsonl.gz", 2: tmp_path / "a.2.jsonl"}
    assert {capture_of(one) for one in full.values()} == {tmp_path / "a.jsonl"}
    assert capture_of(tmp_path / "a.jsonl") == tmp_path / "a.jsonl"
    assert closed_segments(tmp_path / "none" / "a.jsonl") == {}


def test_files_are_read_as_one_wherever_they_are(made: Made, tmp_path: Path) -> None:
    keep(tmp_path / "a.7.jsonl.gz", ONE)
    keep(tmp_path / "a.8.jsonl", TWO)
    keep(tmp_path / "a.jsonl", THREE)
    one = made(ONE, TWO, THREE)
    assert one.spans() == [(0, SIZE), (SIZE, 2 * SIZE), (2 * SIZE, sys.maxsize)]
    assert whole(one) == b"".join(line * 2 for line in (ONE, TWO, THREE))
    assert one.end() == 3 * SIZE
    assert one.read(SIZE - 1, 100) == b"\n"  # never of two files at once
    assert one.read(5, 3) == b"111"  # backward, in a compressed one
    assert [one.has(at, SIZE) for at in (0, SIZE, 2 * SIZE, 2 * SIZE + 1)] == [
        False, True, True, False,
    ]  # fmt: skip # one line
    assert one.place_of(tmp_path / "a.8.jsonl") == range(SIZE, 2 * SIZE)
    assert one.place_of(tmp_path / "other.jsonl") == range(0)


def test_a_file_that_is_renamed_and_compressed_meanwhile_is_read_on(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OPEN", 1)
    keep(tmp_path / "a.jsonl", ONE)
    one = made(ONE)
    assert one.read(0, 3) == b"111"
    for number, line in ((1, TWO), (2, THREE)):
        (tmp_path / "a.jsonl").rename(tmp_path / f"a.{number}.jsonl")
        one.begin(Segment(fingerprint_of(line), number * SIZE))
        keep(tmp_path / "a.jsonl", line)
        assert one.read(number * SIZE, 3) == line[:3]
    keep(tmp_path / "a.1.jsonl.gz", ONE)
    (tmp_path / "a.1.jsonl").unlink()
    assert whole(one) == b"".join(line * 2 for line in (ONE, TWO, THREE))


def test_a_segment_that_was_announced_but_never_begun_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.1.jsonl").write_bytes(ONE * 4)
    keep(tmp_path / "a.jsonl", THREE)
    one = Segments(
        tmp_path / "a.jsonl", [*known(ONE, TWO), Segment(fingerprint_of(THREE), len(ONE) * 4)]
    )
    assert whole(one) == ONE * 4 + THREE * 2
    one.close()


def test_a_removed_segment_is_a_gap(made: Made, tmp_path: Path) -> None:
    keep(tmp_path / "a.1.jsonl", ONE)
    gone = keep(tmp_path / "a.2.jsonl", TWO)
    keep(tmp_path / "a.jsonl", THREE)
    one = made(ONE, TWO, THREE)
    assert len(one.spans()) == 3
    gone.unlink()
    assert one.read(SIZE, 3) == b""
    assert whole(one) == ONE * 2 + THREE * 2
    for path in tmp_path.iterdir():
        path.unlink()
    assert not made(ONE, TWO, THREE).is_anywhere()


def test_a_file_whose_first_line_is_still_to_be_written_is_waited_for(
    made: Made, tmp_path: Path
) -> None:
    one = made()
    (tmp_path / "a.jsonl").touch()
    one.begin(Segment(fingerprint_of(ONE), 0))
    assert (one.read(0, 3), one.end(), one.has(0, 1)) == (b"", 0, False)
    keep(tmp_path / "a.jsonl", ONE)
    assert (one.read(0, 3), one.end(), one.has(0, SIZE)) == (b"111", SIZE, True)


def test_segments_that_are_not_needed_any_more_are_forgotten(made: Made, tmp_path: Path) -> None:
    keep(tmp_path / "a.1.jsonl", ONE)
    keep(tmp_path / "a.2.jsonl", TWO)
    keep(tmp_path / "a.jsonl", THREE)
    one = made(ONE, TWO, THREE)
    assert whole(one)
    one.forget(SIZE + 1)
    assert one.known() == tuple(known(ONE, TWO, THREE)[1:])
    assert whole(one) == TWO * 2 + THREE * 2


def test_few_files_are_open_at_a_time(tmp_path: Path) -> None:
    lines = [b"%d\n" % (10_000 + number) for number in range(50)]
    for number, line in enumerate(lines):
        (tmp_path / f"a.{number}.jsonl").write_bytes(line)
    one = Segments(
        tmp_path / "a.jsonl", [Segment(fingerprint_of(line), n * 6) for n, line in enumerate(lines)]
    )
    before = open_now()
    assert whole(one) == b"".join(lines)
    assert open_now() - before == module._OPEN
    one.close()
    assert open_now() == before


def test_a_damaged_file_is_read_as_far_as_it_goes(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "a.1.jsonl.gz"
    data = gzip.compress(ONE + os.urandom(200_000))
    path.write_bytes(data[: len(data) // 2])
    one = made(ONE)
    assert one.read(0, len(ONE)) == ONE
    assert one.read(150_000, 10) == b""


def test_where_none_of_the_files_is_left_there_is_nothing_to_read(
    made: Made, tmp_path: Path
) -> None:
    segments = made(ONE, TWO)
    assert (segments.spans(), segments.end(), segments.read(0, SIZE)) == ([], 0, b"")
    assert segments.place_of(tmp_path / "a.jsonl") == range(0)
