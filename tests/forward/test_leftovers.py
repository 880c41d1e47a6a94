import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.journals import TARGETS, begun, compact, reopened
from vmon.capture.folder import newest
from vmon.forward import journal as journal_module
from vmon.forward import leftovers as module
from vmon.forward.journal import JournalLine, Position, create_journal, read_progress
from vmon.forward.leftovers import (
    Left,
    Leftovers,
    count_left,
    find_journals,
    journals_of,
    open_journal,
)
from vmon.locks import lock

Line = Callable[..., bytes]


def test_a_run_that_goes_on_has_its_journal_locked(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    again, is_alive = reopened(journal.path)
    assert is_alive
    again.close(keep=True)
    compact(journal, {0: Position(5, []), 1: Position(5, [])})
    again, is_alive = reopened(journal.path)
    assert is_alive  # the new file is locked too
    again.close(keep=True)
    journal.close(keep=True)
    again, is_alive = reopened(journal.path)
    assert not is_alive
    again.close(keep=True)


def test_who_finds_a_journal_that_is_begun_finds_it_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def late(fd: int) -> bool:
        found.extend(find_journals(tmp_path))
        return lock(fd)

    monkeypatch.setattr(journal_module, "lock", late)
    begun(tmp_path).close(keep=False)
    assert found == []
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_its_run_writes_anew_before_it_is_locked_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)

    def late(fd: int) -> bool:
        monkeypatch.setattr(module, "lock", lock)
        compact(journal, {0: Position(5, []), 1: Position(5, [])})
        return lock(fd)

    monkeypatch.setattr(module, "lock", late)
    assert open_journal(journal.path) is None
    assert reopened(journal.path)[1]
    journal.close(keep=True)


@given(st.binary(max_size=200))
def test_any_file_is_read_without_harm(content: bytes) -> None:
    path = Path(f"/tmp/vmon-test-{os.getpid()}.forward")
    path.write_bytes(content)
    try:
        assert open_journal(path) is None or content.startswith(b"{")
        read_progress(path, 1)
        find_journals(path.parent)
    finally:
        path.unlink()


def test_a_journal_that_points_elsewhere_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.forward"
    path.write_text('{"capture":"../../etc/passwd","run":"a","begun_s":1,"to":[]}\n')
    assert open_journal(path) is None


def test_journals_come_in_the_order_of_their_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begun_s, run in ((3.0, "aa"), (1.0, "cc"), (2.0, "bb")):
        monkeypatch.setattr("time.time", lambda at=begun_s: at)
        create_journal(tmp_path / "a.jsonl", run, TARGETS, 0).close(keep=True)
    assert [path.name.split(".")[2] for path in find_journals(tmp_path)] == ["cc", "bb", "aa"]


def test_a_journal_is_not_taken_for_the_newest_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmon.capture.folder.default_folder", lambda: tmp_path)
    (tmp_path / "a.jsonl").write_bytes(b"{}\n")
    begun(tmp_path).close(keep=True)
    assert newest() == tmp_path / "a.jsonl"


# Counting.


def left_behind(folder: Path, line: Line) -> tuple[Path, list[int]]:
    """Leave five deliveries: the first sent, the second given up; with where each begins."""
    lines = [line(number) for number in range(5)]
    starts = [sum(map(len, lines[:number])) for number in range(5)]
    journal = begun(folder)
    journal.begin(lines[0], 0)
    journal.capture.write_bytes(b"".join(lines))
    journal.write([JournalLine(done=(starts[0],), failed=(starts[1],))])
    journal.close(keep=True)
    return journal.path, starts


def test_what_is_left_is_what_was_given_up_and_what_was_never_sent(
    tmp_path: Path, line: Line
) -> None:
    path, starts = left_behind(tmp_path, line)
    left = open_journal(path)
    assert left
    assert (left.starts(0), left.starts(1)) == (starts[1:], [])
    assert left._replace(is_alive=True).starts(0) == [starts[1]]
    left.journal.close(keep=True)


def test_what_is_left_is_counted_by_file(tmp_path: Path, line: Line) -> None:
    path, _ = left_behind(tmp_path, line)
    assert count_left(path, tmp_path / "a.jsonl") == 4
    assert count_left(path, tmp_path / "other.jsonl") == 0
    (tmp_path / "a.jsonl").unlink()
    assert count_left(path, tmp_path / "a.jsonl") == 0
    path.unlink()
    assert count_left(path, tmp_path / "a.jsonl") == 0


def test_the_journals_of_a_file_are_those_of_its_capture_alone(tmp_path: Path) -> None:
    for name, run in (("a.jsonl", "aa"), ("a.jsonl.jsonl", "bb"), ("b.jsonl", "cc")):
        create_journal(tmp_path / name, run, TARGETS, 0).close(keep=True)
    found = list(journals_of(str(tmp_path / "a.jsonl")))
    assert [(left.journal.run, left.only) for left in found] == [("aa", None)]
    segment = tmp_path / "a.3.jsonl.gz"
    of_segment = list(journals_of(str(segment)))
    assert [(left.journal.run, left.only) for left in of_segment] == [("aa", segment)]
    for left in (*found, *of_segment):
        left.journal.close(keep=True)


# What a run takes up.


def test_what_ended_runs_left_for_a_target_is_counted_told_and_read(
    tmp_path: Path, line: Line
) -> None:
    path, starts = left_behind(tmp_path, line)
    leftovers = Leftovers(frozenset({"http://a.test"}))
    leftovers.take_up(tmp_path, tmp_path / "own.forward")
    assert leftovers.left == [Left(3, "http://a.test", "send")]
    ((cursor, feed),) = leftovers.feeds["http://a.test"]
    assert [start for start, _ in feed] == starts[2:]
    assert (cursor.unread, cursor.gave_up, leftovers.is_sent) == (3, True, False)
    cursor.unread = 0
    assert leftovers.is_sent
    leftovers.close()
    assert path.exists()  # for what was given up


def test_what_is_for_other_targets_is_told_and_kept(tmp_path: Path, line: Line) -> None:
    path, _ = left_behind(tmp_path, line)
    leftovers = Leftovers(frozenset({"http://elsewhere.test"}))
    leftovers.take_up(tmp_path, tmp_path / "own.forward")
    assert leftovers.left == [Left(3, "http://a.test", None)]
    assert (leftovers.feeds, leftovers.is_sent) == ({}, True)
    leftovers.close()
    assert path.exists()


def test_a_backlog_that_is_kept_is_neither_sent_nor_lost(tmp_path: Path, line: Line) -> None:
    path, _ = left_behind(tmp_path, line)
    leftovers = Leftovers(frozenset({"http://a.test"}), "keep")
    leftovers.take_up(tmp_path, tmp_path / "own.forward")
    assert leftovers.left == [Left(3, "http://a.test", "keep")]
    assert (leftovers.feeds, leftovers.is_sent) == ({}, True)
    leftovers.close()
    assert count_left(path, tmp_path / "a.jsonl") == 4


def test_a_backlog_that_is_discarded_leaves_only_what_was_given_up(
    tmp_path: Path, line: Line
) -> None:
    path, starts = left_behind(tmp_path, line)
    leftovers = Leftovers(frozenset({"http://a.test"}), "discard")
    leftovers.take_up(tmp_path, tmp_path / "own.forward")
    assert leftovers.left == [Left(3, "http://a.test", "discard")]
    assert (leftovers.feeds, leftovers.is_sent) == ({}, True)
    leftovers.close()
    left = open_journal(path)
    assert left
    assert left.starts(0) == [starts[1]]
    left.journal.close(keep=True)


def test_a_journal_goes_once_all_of_it_is_sent_and_with_its_capture(
    tmp_path: Path, line: Line
) -> None:
    path, starts = left_behind(tmp_path, line)
    leftovers = Leftovers(frozenset({"http://a.test"}))
    leftovers.take_up(tmp_path, tmp_path / "own.forward")
    ((journal, cursors),) = leftovers.journals
    cursors[0].done.extend(starts)
    cursors[0].unread = 0
    journal.write(cursors[0].take_lines())
    leftovers.close()
    assert not path.exists()
    path, _ = left_behind(tmp_path, line)
    (tmp_path / "a.jsonl").unlink()
    Leftovers(frozenset()).take_up(tmp_path, tmp_path / "own.forward")
    assert not path.exists()


def test_this_run_s_journal_and_those_of_runs_that_go_on_are_let_be(
    tmp_path: Path, line: Line
) -> None:
    path, _ = left_behind(tmp_path, line)
    going_on = create_journal(tmp_path / "b.jsonl", "bb", TARGETS, 0)
    leftovers = Leftovers(frozenset({"http://a.test"}))
    leftovers.take_up(tmp_path, path)
    assert (leftovers.left, leftovers.journals) == ([], [])
    assert going_on.path.exists()
    going_on.close(keep=False)


def test_what_several_runs_left_for_a_target_is_one_sum(tmp_path: Path, line: Line) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        left_behind(tmp_path / name, line)
    leftovers = Leftovers(frozenset({"http://a.test"}))
    for name in ("one", "two"):
        leftovers.take_up(tmp_path / name, tmp_path / "own.forward")
    assert leftovers.left == [Left(6, "http://a.test", "send", runs=2)]
    assert len(leftovers.feeds["http://a.test"]) == 2
    leftovers.close()
