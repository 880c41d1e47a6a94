import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.capture.codec import write_line
from vmon.capture.folder import newest
from vmon.capture.segments import Segment, Segments
from vmon.errors import WrongUse
from vmon.events.entry import Entry
from vmon.forward import backlog, leftovers
from vmon.forward import journal as spool
from vmon.forward.journal import Journal, JournalLine, JournalTarget, TargetProgress
from vmon.locks import lock

PLACES = (
    JournalTarget("http://a.test", types=("streamCreated",)),
    JournalTarget("http://b.test", exact_path=True),
)
RUN = "5a17c0de"

Line = Callable[..., bytes]


@pytest.fixture
def line(delivered: Callable[..., Entry]) -> Line:
    """Make the line of a delivery of a run."""

    def made(number: int, event: str = "streamCreated", run: str = RUN, pad: int = 0) -> bytes:
        body = b'{"event":"%b","n":%d,"pad":"%b"}' % (event.encode(), number, b"x" * pad)
        return write_line(delivered(body, id=f"{number:014x}-{run}"))

    return made


def begun(tmp_path: Path, end: int = 0) -> Journal:
    return spool.begin(tmp_path / "a.jsonl", RUN, PLACES, end)


def reopened(path: Path) -> tuple[Journal, bool]:
    found = leftovers.reopen(path)
    assert found
    return found


def test_a_journal_is_beside_its_capture_and_for_this_user_alone(tmp_path: Path) -> None:
    journal = begun(tmp_path, 77)
    assert journal.path == tmp_path / f"a.jsonl.{RUN}.forward"
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert [one.upto for one in spool.progress(journal.path, 2)] == [77, 77]
    journal.close(keep=True)
    assert leftovers.left_in(tmp_path) == [journal.path]


def test_a_journal_that_is_not_needed_is_removed(tmp_path: Path) -> None:
    begun(tmp_path).close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_what_was_noted_is_known_again(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, done=(0, 20)), JournalLine(to=1, failed=(10,))])
    journal.close(keep=True)
    again, alive = reopened(journal.path)
    assert (again.run, again.places, again.capture, alive) == (
        RUN, PLACES, tmp_path / "a.jsonl", False,
    )  # fmt: skip # one line a thing
    first, second = spool.progress(again.path, 2)
    assert (first.done, first.failed) == ({0, 20}, set())
    assert (second.done, second.failed) == ({10}, {10})
    again.close(keep=False)


def test_a_run_that_goes_on_has_its_journal_locked(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    again, alive = reopened(journal.path)
    assert alive
    again.close(keep=True)
    journal.rewrite({0: (5, []), 1: (5, [])})
    again, alive = reopened(journal.path)
    assert alive  # the new file is locked too
    again.close(keep=True)
    journal.close(keep=True)
    again, alive = reopened(journal.path)
    assert not alive
    again.close(keep=True)


def test_who_finds_a_journal_that_is_begun_finds_it_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def late(fd: int) -> bool:
        found.extend(leftovers.left_in(tmp_path))
        return lock(fd)

    monkeypatch.setattr(spool, "lock", late)
    begun(tmp_path).close(keep=False)
    assert found == []
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_its_run_writes_anew_before_it_is_locked_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)

    def late(fd: int) -> bool:
        monkeypatch.setattr(leftovers, "lock", lock)
        journal.rewrite({0: (5, []), 1: (5, [])})
        return lock(fd)

    monkeypatch.setattr(leftovers, "lock", late)
    assert leftovers.reopen(journal.path) is None
    assert reopened(journal.path)[1]
    journal.close(keep=True)


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_announced_while_a_journal_is_written_anew_outlives_a_power_loss(
    *, durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begun(tmp_path)
    journal.durable = durable
    fd = journal.fresh({0: (0, []), 1: (0, [])}, journal.files())
    journal.announce(b"its first line\n", 77)
    synced = []
    monkeypatch.setattr(os, "fsync", lambda one: synced.append(os.fstat(one).st_size))
    journal.adopt(fd)
    assert synced == [journal.path.stat().st_size] * durable
    journal.close(keep=False)


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
    journal.rewrite({0: (40_000, [30_010, 30_020]), 1: (9, [])})
    assert (journal.path.stat().st_size < 1000, journal.grown) == (True, 0)
    first, second = spool.progress(journal.path, 2)
    assert first == TargetProgress(40_000, {30_010, 30_020}, set(), {30_000})
    assert second == TargetProgress(9, set(), set(), {9})
    journal.write([JournalLine(to=0, done=(30_010, 40_000))])
    assert spool.progress(journal.path, 2)[0] == TargetProgress(
        40_000, {30_020}, {40_000}, {30_000}
    )
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
    journal.rewrite({0: (9, []), 1: (9, [])})
    assert spool.progress(journal.path, 2)[0].failed == {1, 3}
    journal.close(keep=True)


def test_only_so_many_given_up_deliveries_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_FAILED", 3)
    journal = begun(tmp_path)
    journal.write([JournalLine(to=0, failed=tuple(range(10)))])
    journal.rewrite({0: (10, [])})
    assert spool.progress(journal.path, 2)[0].failed == {7, 8, 9}
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
        assert spool.progress(again.path, 2)[0].done == {1, 3}


@given(st.binary(max_size=200))
def test_any_file_is_read_without_harm(content: bytes) -> None:
    path = Path(f"/tmp/vmon-test-{os.getpid()}.forward")
    path.write_bytes(content)
    try:
        assert leftovers.reopen(path) is None or content.startswith(b"{")
        spool.progress(path, 1)
        leftovers.left_in(path.parent)
    finally:
        path.unlink()


def test_a_journal_that_points_elsewhere_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.forward"
    path.write_text('{"capture":"../../etc/passwd","run":"a","begun_s":1,"to":[]}\n')
    assert leftovers.reopen(path) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="cannot write") as told:
        spool.begin(tmp_path / "none" / "a.jsonl", RUN, PLACES, 0)
    assert "--capture" in str(told.value.hint)


def test_journals_come_in_the_order_of_their_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begun_s, run in ((3.0, "aa"), (1.0, "cc"), (2.0, "bb")):
        monkeypatch.setattr("time.time", lambda at=begun_s: at)
        spool.begin(tmp_path / "a.jsonl", run, PLACES, 0).close(keep=True)
    assert [path.name.split(".")[2] for path in leftovers.left_in(tmp_path)] == ["cc", "bb", "aa"]


def test_a_journal_is_not_taken_for_the_newest_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmon.capture.folder.default_folder", lambda: tmp_path)
    (tmp_path / "a.jsonl").write_bytes(b"{}\n")
    begun(tmp_path).close(keep=True)
    assert newest() == tmp_path / "a.jsonl"


# The files of a run.


def turned(journal: Journal, line: bytes, at: int, number: int) -> None:
    """Rotate a capture as a run does: announce, put aside, begin."""
    journal.announce(line, at)
    journal.capture.rename(journal.capture.with_name(f"a.{number}.jsonl"))
    journal.begin(line, at)
    journal.capture.write_bytes(line)


def sent(journal: Journal) -> list[bytes]:
    """What is pending for the first target, by the journal alone."""
    reading = backlog.backlog_reader(journal.volumes, journal.run, journal.places[0])
    known = spool.progress(journal.path, len(journal.places))[0]
    return [got for _, got in backlog.unsent(reading, known, journal.volumes.end())]


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
    again.volumes.close()
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


def test_a_file_that_is_announced_while_the_journal_is_rewritten_is_in_the_new_one(
    tmp_path: Path, line: Line
) -> None:
    journal = begun(tmp_path)
    journal.begin(line(0), 0)
    journal.capture.write_bytes(line(0))
    fresh = journal.fresh({0: (0, []), 1: (0, [])}, journal.files())
    turned(journal, line(1), len(line(0)), 1)
    journal.adopt(fresh)
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
    journal.rewrite({0: (5 * size, [3 * size]), 1: (6 * size, [])})
    assert [one.at for one in journal.volumes.known()] == [at * size for at in (2, 3, 4, 5)]
    assert journal.path.read_bytes().count(b'"file"') == 4
    assert sent(journal) == [line(3), line(5)]
    assert backlog.backlog_reader(journal.volumes, journal.run, journal.places[1]).at(
        2 * size
    ) == line(2)
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
    assert [one.at for one in again.volumes.known()] == [0]
    assert sent(again) == [line(0)]
    again.close(keep=False)


# What is left in a capture.


def read_from(path: Path) -> backlog.BacklogReader:
    return backlog.backlog_reader(Segments(path, [Segment("", 0)]), RUN, PLACES[0])


def test_what_is_unsent_is_what_is_pending_and_what_comes_after(tmp_path: Path, line: Line) -> None:
    lines = [line(number) for number in range(6)]
    starts = [len(b"".join(lines[:number])) for number in range(6)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines))
    reading = read_from(path)
    known = TargetProgress(starts[3], {starts[1]}, {starts[4]}, {starts[0]})
    found = list(backlog.unsent(reading, known, path.stat().st_size))
    assert found == [(starts[number], lines[number]) for number in (1, 3, 5)]


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 18])
def test_only_whole_lines_of_the_run_and_its_types_are_meant(
    tmp_path: Path, line: Line, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "_BLOCK", block)
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
    reading = read_from(path)
    found = [got for _, got in reading.lines(0, path.stat().st_size)]
    assert found == [lines[1], lines[4]]
    assert [reading.at(start) for start, _ in reading.lines(0, 1 << 30)] == found
    assert reading.at(len(b"".join(lines[:5]))) == b""


def test_a_session_that_looks_like_an_id_deceives_nobody(
    tmp_path: Path, delivered: Callable[..., Entry]
) -> None:
    body = b'{"event":"streamCreated","sessionId":"x\\",\\"id\\":\\"00-bad0bad0\\""}'
    stored = write_line(delivered(body, id=f"{1:014x}-{RUN}"))
    path = tmp_path / "a.jsonl"
    path.write_bytes(stored)
    assert [got for _, got in read_from(path).lines(0, len(stored))] == [stored]


def test_a_full_disk_is_an_os_error_and_the_journal_stays(tmp_path: Path) -> None:
    code = f"""
import resource, signal, sys
from pathlib import Path
from vmon.forward import journal as spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
target = spool.JournalTarget("http://a")
journal = spool.begin(Path({str(tmp_path)!r}) / "a.jsonl", "{RUN}", (target,), 0)
journal.write([spool.JournalLine(done=(1,))])
resource.setrlimit(resource.RLIMIT_FSIZE, (journal.path.stat().st_size, resource.RLIM_INFINITY))
try:
    journal.write([spool.JournalLine(done=(2,))])
except OSError:
    print(spool.progress(journal.path, 1)[0].done)
"""
    env = os.environ | {"PYTHONPATH": str(Path(spool.__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert ran.stdout == b"{1}\n"
