"""What an app did not take, sent again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon import event_loop
from vmon.capture.codec import read_line
from vmon.forward import backlog
from vmon.forward import journal as spool
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

_TOGETHER = 100
"""What was sent is written into the journal so many at a time; after a crash it is sent again."""


class Road(NamedTuple):
    """What makes of an entry what is sent, and who gets its outcome."""

    ready: Callable[[Entry], Delivery]
    told: Callable[[Entry, Outcome], None]


class Resend:
    """What a journal has left for one of its targets."""

    def __init__(self, journal: LeftJournal, to: int) -> None:
        self._spool = journal.spool
        self._to = to
        self._reading = backlog.backlog_reader(
            journal.spool.volumes, journal.spool.run, journal.spool.places[to]
        )
        known = spool.progress(journal.spool.path, len(journal.spool.places))[to]
        volumes, only = journal.spool.volumes, journal.only
        waiting = () if journal.is_alive else backlog.unsent(self._reading, known, volumes.end())
        places = volumes.place_of(only) if only else range(sys.maxsize)
        starts = {*known.failed, *(start for start, _ in waiting)}
        self.starts = sorted(start for start in starts if start in places)
        self._begun: dict[str, int] = {}
        self._done: list[int] = []

    def send(
        self, target: Target, width: int, dues: Iterator[ScheduledDelivery], road: Road
    ) -> None:
        """Send it, in its order within each session, and write into the journal what was taken."""

        def told(entry: Entry, outcome: Outcome) -> None:
            self._note(entry, outcome)
            road.told(entry, outcome)

        try:
            event_loop.run(Sender(target, width, told, road.ready).send_all(dues))
        finally:
            self._write()

    def dues(self, chosen: Filter) -> Iterator[ScheduledDelivery]:
        """What is to be sent, as far as a filter lets it through."""
        for start in self.starts:
            line = self._reading.at(start)
            try:
                entry = read_line(line)
            except ValueError:  # somebody changed the capture
                continue
            if chosen(entry):
                self._begun[entry.delivery.id] = start
                yield ScheduledDelivery(0.0, entry, line, 0.0)

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        start = self._begun.pop(entry.delivery.id)
        if outcome.ok:
            self._done.append(start)
        if len(self._done) >= _TOGETHER:
            self._write()

    def _write(self) -> None:
        if self._done:
            self._spool.write([spool.JournalLine(to=self._to, done=tuple(self._done))])
            self._done = []
