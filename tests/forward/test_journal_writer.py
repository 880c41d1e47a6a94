import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.forwarding import Recorder, numbered
from tests.support.journals import begun
from tests.support.waiting import until
from vmon.forward import journal_writer as module
from vmon.forward.backlog import JournalCursor
from vmon.forward.journal import Journal, read_progress
from vmon.forward.journal_writer import JournalWriter
from vmon.forward.leftovers import Leftovers
from vmon.forward.queue import TargetQueue


class Writing:
    """A writer of a run's journal, and the queues of its two targets."""

    def __init__(self, journal: Journal, recorder: Recorder) -> None:
        self.journal = journal
        self.queues = [TargetQueue(JournalCursor(journal, to), recorder) for to in range(2)]
        self.written = 0
        leftovers = Leftovers(frozenset())
        self.writer = JournalWriter(journal, self.queues, leftovers, recorder, self._note)

    def _note(self) -> None:
        self.written += 1

    def sent(self, *starts: int) -> None:
        """Tell the writer that deliveries of the first target were sent."""
        self.queues[0].own.done.extend(starts)
        self.writer.wake()

    @property
    def done(self) -> set[int]:
        """What the journal says of the first target."""
        return read_progress(self.journal.path, 2)[0].done


@pytest.fixture
async def writing(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Writing]:
    monkeypatch.setattr(module, "_DELAY_S", 0.01)
    writing = Writing(begun(tmp_path), recorder)
    yield writing
    writing.writer._task.cancel()


def full_disk(_fd: int, _data: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_was_sent_is_written_a_little_later_and_together(writing: Writing) -> None:
    size = writing.journal.path.stat().st_size
    for start in range(100):
        writing.sent(start)
    assert writing.journal.path.stat().st_size == size
    await until(lambda: writing.written == 1)
    assert writing.done == set(range(100))
    await writing.writer.close()


async def test_a_journal_goes_when_all_was_sent_and_stays_for_what_was_not(
    writing: Writing, tmp_path: Path, recorder: Recorder
) -> None:
    writing.sent(0)
    await writing.writer.close()
    assert not writing.journal.path.exists()
    again = Writing(begun(tmp_path), recorder)
    again.queues[1].take(numbered(1), 4711, 1)
    await again.writer.close()
    assert read_progress(again.journal.path, 2)[1].pending == {4711}


async def test_what_was_given_up_keeps_the_journal(writing: Writing) -> None:
    writing.queues[0].own.give_up(5302)
    await writing.writer.close()
    assert read_progress(writing.journal.path, 2)[0].failed == {5302}


async def test_a_journal_that_has_grown_is_compacted(
    writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_BYTES", 100)
    for start in range(60):
        writing.sent(start)
    await until(lambda: writing.written == 1 and writing.journal.grown == 0)
    assert writing.done == set()  # all of it is before `upto` now
    await writing.writer.close()


async def test_a_full_disk_is_told_and_the_run_goes_on(
    writing: Writing, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", full_disk)
    writing.writer.begin(b"the first line\n", 0)
    monkeypatch.undo()
    path = writing.journal.path
    (notice,) = recorder.notices
    assert notice == (
        f"cannot write {path} (No space left on device): "
        "some deliveries may not be forwarded after a crash"
    )
    writing.writer.retry()
    await until(lambda: b'"file"' in path.read_bytes())
    await writing.writer.close()


async def test_a_bug_ends_one_turn_and_no_more(
    writing: Writing, broken_recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing.journal, "write", lambda _lines: 1 // 0)
    writing.sent(0)
    await until(lambda: len(broken_recorder.bugs) == 1)
    monkeypatch.undo()
    writing.sent(1)
    await until(lambda: writing.done == {1})
    await asyncio.wait_for(writing.writer.close(), 5)
