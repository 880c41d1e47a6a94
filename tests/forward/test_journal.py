import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.journals import NOTHING_SENT, RUN, TARGETS, begun, compact, reopened
from vmon.errors import WrongUse
from vmon.forward import journal as module
from vmon.forward.backlog import backlog_reader, unsent
from vmon.forward.journal import (
    Journal,
    JournalLine,
    Position,
    TargetProgress,
    create_journal,
    read_progress,
)
from vmon.forward.leftovers import find_journals

Line = Callable[..., bytes]


def test_a_journal_is_beside_its_capture_and_for_this_user_alone(tmp_path: Path) -> None:
    journal = begun(tmp_path, 77)
    assert journal.path == tmp_path / f"a.jsonl.{RUN}.forward"
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert [one.upto for one in read_progress(journal.path, 2)] == [77, 77]
    journal.close(keep=True)
    assert find_journals(tmp_path) == [journal.path]


@pytest.mark.usefixtures("names")
def test_a_journal_that_is_not_needed_is_removed(tmp_path: Path) -> None:
    begun(tmp_path).close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_what_was_noted_is_known_again(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, done=(0, 20)), JournalLine(to=1, failed=(10,))])
    journal.close(keep=True)
    again, is_alive = reopened(journal.path)
    assert (again.run, again.targets, again.capture, is_alive) == (
        RUN, TARGETS, tmp_path / "a.jsonl", False,
    )  # fmt: skip # one line a thing
    first, second = read_progress(again.path, 2)
    assert (first.done, first.failed) == ({0, 20}, set())
    assert (second.done, second.failed) == ({10}, {10})
    again.close(keep=False)


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_announced_while_a_journal_is_written_anew_outlives_a_power_loss(
    *, durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)
    journal.durable = durable
    fd = journal.write_compacted(NOTHING_SENT, journal.begin_compaction())
    journal.announce(b"its first line\n", 77)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda one: synced.append(os.fstat(one).st_size))
    journal.switch_to(fd)
    assert synced == [journal.path.stat().st_size] * durable
    journal.close(keep=False)


@pytest.mark.usefixtures("names")
def test_a_rewritten_journal_is_small_and_says_the_same(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    for number in range(3000):
        journal.write([JournalLine(to=0, done=(number * 10,))])
    journal.write(
        [
            JournalLine(to=0, failed=(30_000,)),
            JournalLine(to=1, failed=(7, 9)),
            JournalLine(to=1, done=(7,)),
        ]
    )
    assert journal.grown > 40_000
    compact(journal, {0: Position(40_000, [30_010, 30_020]), 1: Position(9, [])})
    assert (journal.path.stat().st_size < 1000, journal.grown) == (True, 0)
    first, second = read_progress(journal.path, 2)
    assert first == TargetProgress(40_000, {30_010, 30_020}, set(), {30_000})
    assert second == TargetProgress(9, set(), set(), {9})
    journal.write([JournalLine(to=0, done=(30_010, 40_000))])
    assert read_progress(journal.path, 2)[0] == TargetProgress(40_000, {30_020}, {40_000}, {30_000})
    journal.close(keep=True)
    assert [path.name for path in tmp_path.iterdir()] == [journal.path.name]


def test_what_another_process_sent_again_is_no_longer_given_up_after_a_rewrite(
    tmp_path: Path,
) -> None:
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, failed=(1, 2, 3))])
    other, _ = reopened(journal.path)
    other.write([JournalLine(to=0, done=(2,))])
    other.close(keep=True)
    compact(journal, {0: Position(9, []), 1: Position(9, [])})
    assert read_progress(journal.path, 2)[0].failed == {1, 3}
    journal.close(keep=True)


def test_only_so_many_given_up_deliveries_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FAILED", 3)
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, failed=tuple(range(10)))])
    compact(journal, {0: Position(10, [])})
    assert read_progress(journal.path, 2)[0].failed == {7, 8, 9}
    journal.close(keep=True)


def test_a_torn_line_says_nothing_and_spoils_no_other(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, done=(1,))])
    journal.close(keep=True)
    whole = journal.path.read_bytes()
    torn = b'{"to":0,"done":[2'
    for end in range(1, len(torn) + 1):
        journal.path.write_bytes(whole + torn[:end])
        again, _ = reopened(journal.path)
        again.write([JournalLine(to=0, done=(3,))])
        again.close(keep=True)
        assert read_progress(again.path, 2)[0].done == {1, 3}


@pytest.mark.usefixtures("names")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot write") as told:
        create_journal(tmp_path / "none" / "a.jsonl", RUN, TARGETS, 0)
    assert "--capture" in str(told.value.hint)


def turned(journal: Journal, line: bytes, at: int, number: int) -> None:
    """Rotate a capture as a run does: announce, put aside, begin."""
    journal.announce(line, at)
    journal.capture.rename(journal.capture.with_name(f"a.{number}.jsonl"))
    journal.begin(line, at)
    journal.capture.write_bytes(line)


def sent(journal: Journal) -> list[bytes]:
    """What is pending for the first target, by the journal alone."""
    reading = backlog_reader(journal, 0)
    known = read_progress(journal.path, len(journal.targets))[0]
    return [got for _, got in unsent(reading, known, journal.segments.end())]


def test_what_is_in_several_files_is_found_in_its_order(tmp_path: Path, line: Line) -> None:
    lines = [line(number) for number in range(3)]
    journal = begun(tmp_path)
    journal.begin(lines[0], 0)
    journal.capture.write_bytes(lines[0])
    turned(journal, lines[1], len(lines[0]), 1)
    turned(journal, lines[2], len(lines[0]) * 2, 2)
    assert sent(journal) == lines
    journal.write([JournalLine(done=(len(lines[0]),))])
    journal.close(keep=True)
    (tmp_path / "a.1.jsonl.gz").write_bytes(gzip.compress(lines[0]))
    (tmp_path / "a.1.jsonl").unlink()
    again, _ = reopened(journal.path)
    assert sent(again) == [lines[0], lines[2]]
    (tmp_path / "a.jsonl").rename(tmp_path / "a.3.jsonl")  # a later run rotates
    (tmp_path / "a.jsonl").write_bytes(line(9, run="07e8e99d"))
    again.segments.close()
    assert sent(again) == [lines[0], lines[2]]
    again.close(keep=False)


def test_a_run_that_goes_on_in_a_file_that_is_there_knows_it_by_its_first_line(
    tmp_path: Path, line: Line
) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(0, run="07e8e99d"))
    journal = begun(tmp_path, len(line(0)))
    with journal.capture.open("ab") as file:
        file.write(line(1))
    turned(journal, line(2), len(line(0)) * 2, 1)
    journal.close(keep=True)
    again, _ = reopened(journal.path)
    assert sent(again) == [line(1), line(2)]
    again.close(keep=False)


def test_a_file_that_was_announced_and_never_begun_changes_nothing(
    tmp_path: Path, line: Line
) -> None:
    journal = begun(tmp_path)
    journal.begin(line(0), 0)
    journal.capture.write_bytes(line(0))
    journal.announce(line(1), len(line(0)))  # and then the disk was full
    with journal.capture.open("ab") as file:
        file.write(line(1))
    turned(journal, line(2), len(line(0)) * 2, 1)
    assert sent(journal) == [line(0), line(1), line(2)]
    journal.close(keep=True)
    again, _ = reopened(journal.path)
    assert sent(again) == [line(0), line(1), line(2)]
    again.close(keep=False)


@pytest.mark.usefixtures("names")
def test_a_file_that_is_announced_while_the_journal_is_rewritten_is_in_the_new_one(
    tmp_path: Path, line: Line
) -> None:
    journal = begun(tmp_path)
    journal.begin(line(0), 0)
    journal.capture.write_bytes(line(0))
    fresh = journal.write_compacted(NOTHING_SENT, journal.begin_compaction())
    turned(journal, line(1), len(line(0)), 1)
    journal.switch_to(fresh)
    journal.close(keep=True)
    again, _ = reopened(journal.path)
    assert sent(again) == [line(0), line(1)]
    again.close(keep=False)


def test_a_rewritten_journal_names_the_files_in_which_something_is_left(
    tmp_path: Path, line: Line
) -> None:
    journal, size = begun(tmp_path), len(line(0))
    journal.begin(line(0), 0)
    journal.capture.write_bytes(line(0))
    for number in range(1, 6):
        turned(journal, line(number), number * size, number)
    journal.write([JournalLine(to=1, failed=(2 * size,))])
    compact(journal, {0: Position(5 * size, [3 * size]), 1: Position(6 * size, [])})
    assert [one.at for one in journal.segments.known()] == [at * size for at in (2, 3, 4, 5)]
    assert journal.path.read_bytes().count(b'"file"') == 4
    assert sent(journal) == [line(3), line(5)]
    assert backlog_reader(journal, 1).at(2 * size) == line(2)
    journal.close(keep=False)


def test_what_comes_after_a_line_that_did_not_fit_is_a_line_of_its_own(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = begun(tmp_path), os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:9]))
    with pytest.raises(OSError, match="No space"):
        journal.announce(line(0), 0)
    monkeypatch.undo()
    journal.begin(line(0), 0)
    journal.capture.write_bytes(line(0))
    journal.close(keep=True)
    again, _ = reopened(journal.path)
    assert [one.at for one in again.segments.known()] == [0]
    assert sent(again) == [line(0)]
    again.close(keep=False)


def test_a_full_disk_is_an_os_error_and_the_journal_stays(tmp_path: Path) -> None:
    code = f"""
import resource, signal, sys
from pathlib import Path
from vmon.forward.journal import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = create_journal(Path({str(tmp_path)!r}) / "a.jsonl", "{RUN}", (), 0)
journal.write([JournalLine(done=(1,))])
resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size, resource.RLIM_INFINITY))
try:
    journal.write([JournalLine(done=(2,))])
except OSError:
    print(read_progress(journal.path, 1)[0].done)
"""
    env = os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert ran.stdout == b"{1}\n"
