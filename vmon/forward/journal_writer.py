"""Writes into the journals what was sent, a little later and together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from vmon.forward.journal import COMPACT_BYTES
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.forward.journal import Journal, JournalLine
    from vmon.forward.leftovers import Leftovers
    from vmon.forward.listener import ForwardListener
    from vmon.forward.queue import TargetQueue

_DELAY_S = 0.1
"""How long what was sent may be missing in the journal: after a crash it is sent again."""

_SENT_TWICE = "some deliveries may be forwarded twice after a restart"
_NOT_SENT = "some deliveries may not be forwarded after a crash"


class JournalWriter:
    """Keeps a run's own journal, whose targets have these queues, and those of earlier runs.

    `written` is called when more was sent.
    """

    def __init__(
        self,
        own: Journal,
        queues: list[TargetQueue],
        leftovers: Leftovers,
        listener: ForwardListener,
        written: Callable[[], None],
    ) -> None:
        self._own = own
        self._queues = queues
        self._leftovers = leftovers
        self._listener = listener
        self._written = written
        self._unannounced: list[tuple[bytes, int]] = []
        self._news = asyncio.Event()
        self._is_ending = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def announce(self, line: bytes, at: int) -> None:
        """Say that a segment will begin with this line; OSError: it must not."""
        self._own.announce(line, at)

    def begin(self, line: bytes, at: int) -> None:
        """Go on in a segment that this line will be the first of; what cannot be said is later."""
        try:
            self._own.begin(line, at)
        except OSError as error:
            self._unannounced.append((line, at))
            self._report(self._own, error, _NOT_SENT)

    def wake(self) -> None:
        """Something was sent, or given up."""
        self._news.set()

    def retry(self) -> None:
        """Say what could not be said."""
        if self._unannounced:
            self._news.set()

    async def close(self) -> None:
        """Write what is still to be written, and close; a journal with nothing pending goes."""
        self._is_ending = True
        self._news.set()
        await self._task
        self._leftovers.close()
        keep = any(not queue.is_empty or queue.own.gave_up for queue in self._queues)
        if keep:
            await self._compact()
        self._own.close(keep=keep)

    async def _run(self) -> None:
        while not self._is_ending:
            await self._news.wait()
            if not self._is_ending:
                await asyncio.sleep(_DELAY_S)
            self._news.clear()
            try:
                await self._write_and_compact()
            except Exception as error:  # noqa: BLE001 - a bug ends this turn, and not the run
                self._listener.bug(error)
        self._write()

    async def _write_and_compact(self) -> None:
        self._write()
        self._written()
        if self._own.grown > COMPACT_BYTES:
            await self._compact()

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while self._unannounced:
                self._own.announce(*self._unannounced[0])
                del self._unannounced[0]
        own = (self._own, [queue.own for queue in self._queues])
        for journal, cursors in (own, *self._leftovers.journals):
            if lines := [line for cursor in cursors for line in cursor.take_lines()]:
                self._append(journal, lines)

    def _append(self, journal: Journal, lines: list[JournalLine]) -> None:
        try:
            journal.write(lines)
        except OSError as error:
            self._report(journal, error)

    async def _compact(self) -> None:
        journal = self._own
        positions = {to: queue.position() for to, queue in enumerate(self._queues)}
        segments = journal.begin_compaction()
        try:
            journal.switch_to(await asyncio.to_thread(journal.write_compacted, positions, segments))
        except OSError as error:
            journal.grown = 0  # it is tried again when it has grown as much again
            self._report(journal, error)

    def _report(self, journal: Journal, error: OSError, then: str = _SENT_TWICE) -> None:
        path = disarm(str(journal.path))
        self._listener.notice(f"cannot write {path} ({error.strerror}): {then}")
