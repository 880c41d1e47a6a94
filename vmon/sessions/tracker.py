"""What a run knows from all it has received: who is meant, what comes again, what comes late.

Every delivery is entered, drawn or not; `Note` is what can be said beside one that is drawn.
"""

from __future__ import annotations

from time import perf_counter, time
from typing import TYPE_CHECKING, NamedTuple

from vmon.analysis.oddities.monitor import OddityMonitor
from vmon.events.models import ArchiveEvent
from vmon.events.names import person, two_words
from vmon.events.redelivery import copy_of
from vmon.histogram import Histogram
from vmon.humanize import duration
from vmon.sessions.model import is_open, there
from vmon.sessions.store import SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.analysis.oddities.codes import Oddity
    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult

_ROUNDED_S = 1.0
"""An archive's times are rounded to a second: less is no lateness."""


class Annotation(NamedTuple):
    """What is known of a delivery that it does not say itself.

    `who` is what the person is called whose connection it is about; `copies` is 1 for the first
    that has this body; `badge` says that it comes again, or late, or is empty.
    """

    who: str | None = None
    copies: int = 1
    badge: str = ""


class Occupancy(NamedTuple):
    """How many are there now, as far as events told."""

    sessions: int = 0
    people: int = 0
    streams: int = 0


class SessionTracker:
    """The book of a run, and the figures that follow from it."""

    def __init__(
        self, name_of: Callable[[str | None], str | None] | None = None, *, forgets: bool = False
    ) -> None:
        self.book = SessionStore(
            name_of or person, on_forgotten=self._forgotten if forgets else None
        )
        self.lags = Histogram()
        self.slowest_s: float | None = None
        self.copies = self.oddities = 0
        self._watch = OddityMonitor(began_ms=int(time() * 1000))
        self._present: dict[str, Occupancy] = {}
        self._changed: set[str] = set()
        self._unwatched: set[str] = set()
        self._total = Occupancy()

    def enter(self, entry: Entry) -> ApplyResult:
        """Enter a delivery in the book, and count it."""
        change = self.book.apply(entry)
        if change.copies > 1:
            self.copies += 1
        if (lag_s := entry.lag_s) is not None:
            if change.copies == 1:
                self.lags.note(int(lag_s * 1000))
            if self.slowest_s is None or lag_s > self.slowest_s:
                self.slowest_s = lag_s
        if (session := change.session) is not None:
            self._changed.add(session.id)
            self._unwatched.add(session.id)
        return change

    @property
    def waits(self) -> bool:
        """Whether there may be something to say though nothing more comes."""
        return bool(self._changed or self._unwatched or self._watch.waits)

    def news(self, now_ms: float, within_s: float) -> list[Oddity]:
        """What does not add up and was not told yet, as far as it can be found in that time."""
        told: list[Oddity] = []
        end_s = perf_counter() + within_s
        for identifier in self._unwatched:
            self._watch.touch(identifier, int(now_ms))
        self._unwatched.clear()
        for identifier in self._watch.due(int(now_ms)):
            if perf_counter() > end_s:
                break
            if session := self.book.session(identifier):
                told += self._watch.look(session, int(now_ms))
            else:
                self._watch.forget(identifier)
        self.oddities += len(told)
        return told

    def present(self) -> Occupancy:
        """Who is there now: only sessions that changed since the last time are counted again."""
        sessions, people, streams = self._total
        for identifier in self._changed:
            session = self.book.session(identifier)
            was = self._present.pop(identifier, Occupancy())
            now = occupancy_of(session) if session else Occupancy()
            if now.sessions:
                self._present[identifier] = now
            sessions += now.sessions - was.sessions
            people += now.people - was.people
            streams += now.streams - was.streams
        self._changed.clear()
        self._total = Occupancy(sessions, people, streams)
        return self._total

    def _forgotten(self, identifier: str) -> None:
        """The book has let go of a session: nobody is taken to be there any more."""
        self._watch.forget(identifier)
        self._changed.add(identifier)


def occupancy_of(session: Session) -> Occupancy:
    """Who is in a session now; nobody in one that has ended."""
    people, streams, _ = there(session)
    return Occupancy(int(is_open(session)), people, streams)


def _who(session: Session, event: Event) -> str | None:
    """What the person is called whose connection an event is about."""
    identifier = event.connection_id
    if not identifier:
        return None
    known = session.people.get(identifier)
    return (known.name if known else None) or two_words(identifier)


def annotate(entry: Entry, change: ApplyResult) -> Annotation:
    """What there is to say beside a delivery that has just been entered."""
    session, event = change.session, entry.fields
    who = _who(session, event) if session is not None else None
    return Annotation(who, change.copies, badge(change, event))


def badge(change: ApplyResult, event: Event) -> str:
    """`retry #3 +35 s` or `duplicate #2 +0.2 s`, `↩ 3.2 s late`, or nothing.

    Which retry a copy is, is a guess by the time it came (see `provider`).
    """
    if change.copies > 1:
        return copy_of(change.copies, change.since_first_s)
    least_s = _ROUNDED_S if isinstance(event, ArchiveEvent) else 0.0
    return f"↩ {duration(change.late_s)} late" if change.late_s > least_s else ""
