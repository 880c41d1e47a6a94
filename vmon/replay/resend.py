"""Resend deliveries that an app rejected, from a forwarding journal."""

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
"""Accepted deliveries are written to the journal in such batches; after a crash they repeat."""


class ResendCallbacks(NamedTuple):
    """Called for each entry: `prepare` makes the delivery to send, `note` gets the outcome."""

    prepare: Callable[[Entry], Delivery]
    note: Callable[[Entry, Outcome], None]


class Resend:
    """Resends the deliveries that a journal has left for one of its targets."""

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
        concurrency: int,
        deliveries: Iterator[ScheduledDelivery],
        callbacks: ResendCallbacks,
    ) -> None:
        """Send deliveries in order within each session; accepted ones are marked in the journal."""

        def note(entry: Entry, outcome: Outcome) -> None:
            self._note(entry, outcome)
            callbacks.note(entry, outcome)

        sender = Sender(target, concurrency, note, callbacks.prepare)
        try:
            event_loop.run(sender.send_all(deliveries))
        finally:
            self._flush()

    def discard(self, deliveries: Iterator[ScheduledDelivery]) -> int:
        """Write into the journal that these need not be sent; how many they are."""
        for delivery in deliveries:
            self._done.append(self._start_of.pop(delivery.entry.delivery.id))
        number = len(self._done)
        self._flush()
        return number

    def deliveries(self, event_filter: Filter) -> Iterator[ScheduledDelivery]:
        """The deliveries to send that match a filter."""
        for start in self._starts:
            line = self._reader.at(start)
            try:
                entry = read_line(line)
            except ValueError:  # the capture was changed
                continue
            if event_filter(entry):
                self._start_of[entry.delivery.id] = start
                yield ScheduledDelivery(0.0, entry, line, 0.0)

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        start = self._start_of.pop(entry.delivery.id)
        if outcome.ok:
            self._done.append(start)
        if len(self._done) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._done:
            self._journal.write([JournalLine(to=self._target, done=tuple(self._done))])
            self._done = []
