"""Sends what an app did not take again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon import event_loop
from vmon.capture.codec import read_line
from vmon.forward.backlog import backlog_reader
from vmon.forward.journal import JournalLine
from vmon.replay.dispatcher import Sender
from vmon.replay.schedule import ScheduledDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.forward.client import Outcome
    from vmon.forward.leftovers import LeftJournal
    from vmon.forward.targets import Target
    from vmon.search.filter import Filter

_BATCH = 100
"""What was sent is written into the journal so many at a time; after a crash it is sent again."""


class ResendCallbacks(NamedTuple):
    """What makes of an entry what is sent, and who gets its outcome."""

    prepare: Callable[[Entry], Delivery]
    note: Callable[[Entry, Outcome], None]


class Resend:
    """Sends what a journal has left for one of its targets."""

    def __init__(self, left: LeftJournal, target: int) -> None:
        self._journal = left.journal
        self._target = target
        self._reader = backlog_reader(left.journal, target)
        self._starts = left.starts(target)
        self._start_of: dict[str, int] = {}
        self._done: list[int] = []

    def send(
        self,
        target: Target,
        width: int,
        deliveries: Iterator[ScheduledDelivery],
        callbacks: ResendCallbacks,
    ) -> None:
        """Send it, in its order within each session, and write into the journal what was taken."""

        def note(entry: Entry, outcome: Outcome) -> None:
            self._note(entry, outcome)
            callbacks.note(entry, outcome)

        sender = Sender(target, width, note, callbacks.prepare)
        try:
            event_loop.run(sender.send_all(deliveries))
        finally:
            self._write()

    def discard(self, deliveries: Iterator[ScheduledDelivery]) -> int:
        """Write into the journal that these need not be sent; how many they are."""
        for delivery in deliveries:
            self._done.append(self._start_of.pop(delivery.entry.delivery.id))
        number = len(self._done)
        self._write()
        return number

    def deliveries(self, chosen: Filter) -> Iterator[ScheduledDelivery]:
        """What is to be sent, as far as a filter lets it through."""
        for start in self._starts:
            line = self._reader.at(start)
            try:
                entry = read_line(line)
            except ValueError:  # somebody changed the capture
                continue
            if chosen(entry):
                self._start_of[entry.delivery.id] = start
                yield ScheduledDelivery(0.0, entry, line, 0.0)

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        start = self._start_of.pop(entry.delivery.id)
        if outcome.ok:
            self._done.append(start)
        if len(self._done) >= _BATCH:
            self._write()

    def _write(self) -> None:
        if self._done:
            self._journal.write([JournalLine(to=self._target, done=tuple(self._done))])
            self._done = []
