"""A delivery on its way to a target: where its line stands, and how often it failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vmon.capture.codec import read_line

if TYPE_CHECKING:
    import asyncio

    from vmon.events.entry import Entry
    from vmon.forward.backlog import JournalCursor
    from vmon.forward.client import Outcome


class QueuedDelivery:
    """A delivery on its way; one whose body is not in memory is read when it is its turn."""

    __slots__ = ("_failure", "answer", "attempts", "cursor", "entry", "failed_s", "size", "start")

    def __init__(self, cursor: JournalCursor, start: int, size: int, entry: Entry | None) -> None:
        self.cursor = cursor
        self.start = start
        self.size = size
        self.entry = entry
        self.attempts = 0
        self.failed_s = 0.0
        self._failure: tuple[int | None, str | None] | None = None
        self.answer: asyncio.Future[Outcome] | None = None

    def failing_s(self) -> float:
        """How long ago it failed first, which is now if it did not yet."""
        now = time.monotonic()
        self.failed_s = self.failed_s or now
        return now - self.failed_s

    def failed_differently(self, outcome: Outcome) -> bool:
        """Note how it failed; whether that is another way than before."""
        before, self._failure = self._failure, (outcome.status, outcome.problem)
        return self._failure != before

    def read(self) -> Entry | None:
        """The delivery's entry; None where the capture has it no more."""
        if self.entry or self.cursor.reader is None:
            return self.entry
        try:
            return read_line(self.cursor.reader.at(self.start))
        except (ValueError, OSError):  # somebody changed the capture
            return None
