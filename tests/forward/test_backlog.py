from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.factories import make_line
from tests.support.journals import RUN
from vmon.capture.segments import Segment, Segments
from vmon.forward import backlog as module
from vmon.forward.backlog import BacklogReader, JournalCursor, unsent
from vmon.forward.journal import JournalLine, TargetProgress

Line = Callable[..., bytes]


def read_from(path: Path) -> BacklogReader:
    return BacklogReader(
        Segments(path, [Segment("", 0)]), RUN.encode(), frozenset({b"streamCreated"})
    )


def test_what_is_unsent_is_what_is_pending_and_what_comes_after(tmp_path: Path, line: Line) -> None:
    lines = [line(number) for number in range(6)]
    starts = [len(b"".join(lines[:number])) for number in range(6)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines))
    reader = read_from(path)
    known = TargetProgress(starts[3], {starts[1]}, {starts[4]}, {starts[0]})
    found = list(unsent(reader, known, path.stat().st_size))
    assert found == [(starts[number], lines[number]) for number in (1, 3, 5)]


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 18])
def test_only_whole_lines_of_the_run_and_its_types_are_meant(
    tmp_path: Path, line: Line, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    lines = [
        line(0, run="07e8e99d"),
        line(1),
        line(2, "archive"),
        b'{"vmon":1,"type":"streamCreated","note":"of another kind"}\n',
        line(3, pad=500),
        line(4)[:-9],
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines))
    reader = read_from(path)
    found = [got for _, got in reader.lines(0, path.stat().st_size)]
    assert found == [lines[1], lines[4]]
    assert [reader.at(start) for start, _ in reader.lines(0, 1 << 30)] == found
    assert reader.at(len(b"".join(lines[:5]))) == b""


def test_a_session_that_looks_like_an_id_deceives_nobody(tmp_path: Path) -> None:
    body = b'{"event":"streamCreated","sessionId":"x\\",\\"id\\":\\"00-bad0bad0\\""}'
    stored = make_line(body, id=f"{1:014x}-{RUN}")
    path = tmp_path / "a.jsonl"
    path.write_bytes(stored)
    assert [got for _, got in read_from(path).lines(0, len(stored))] == [stored]


def test_a_cursor_s_lines_are_taken_once() -> None:
    cursor = JournalCursor(target=1)
    assert cursor.take_lines() == []
    cursor.done.append(4711)
    cursor.give_up(5302)
    assert cursor.take_lines() == [JournalLine(to=1, done=(4711,), failed=(5302,))]
    assert cursor.take_lines() == []
    assert cursor.gave_up
