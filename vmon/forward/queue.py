"""Deliveries on their way to one app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.forward.journal import Journal, JournalLine

if TYPE_CHECKING:
    import asyncio

    from vmon.events.entry import Entry
    from vmon.forward.backlog import BacklogReader
    from vmon.forward.client import Outcome


class JournalCursor:
    """Where a course's deliveries come from: a run's capture and journal, or memory alone.

    `left` are on their way, `unread` those that an earlier run left and nobody has read yet.
    """

    def __init__(
        self, spool: Journal | None = None, to: int = 0, reading: BacklogReader | None = None
    ) -> None:
        self.spool = spool
        self.to = to
        self.reading = reading
        self.done: list[int] = []
        self.failed: list[int] = []
        self.left = self.unread = 0
        self.gave_up = False

    def notes(self) -> list[JournalLine]:
        """The lines for the journal since this was asked last."""
        if not (self.done or self.failed):
            return []
        note = JournalLine(to=self.to, done=tuple(self.done), failed=tuple(self.failed))
        self.done, self.failed = [], []
        return [note]


class QueuedDelivery:
    """A delivery on its way; one whose body is not in memory is read when it is its turn."""

    __slots__ = ("answer", "attempts", "entry", "failed_s", "size", "source", "start")

    def __init__(self, source: JournalCursor, start: int, size: int, entry: Entry | None) -> None:
        self.source = source
        self.start = start
        self.size = size
        self.entry = entry
        self.attempts = 0
        self.failed_s = 0.0
        self.answer: asyncio.Future[Outcome] | None = None
