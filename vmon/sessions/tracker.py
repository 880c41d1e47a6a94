"""The sessions of a run as deliveries come: who is there, what is repeated, what is late.

Every delivery is applied, in the order of receipt; an `Annotation` is what was known of it then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.events.models import ArchiveEvent
from vmon.events.names import person, two_words
from vmon.histogram import Histogram
from vmon.humanize import duration
from vmon.sessions.model import is_open, there
from vmon.sessions.paths import again_in_words
from vmon.sessions.store import SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult

_ROUNDED_S = 1.0
"""An archive's times are rounded to a second: less is no lateness."""
_MOST_CHANGED = 10_000
"""Sessions that may have changed before they are counted again, asked for or not."""


class Annotation(NamedTuple):
    """What is known of a delivery that it does not say itself.

    `who` is what the person is called whose connection it is about; `copies` is 1 for the first
    that has this body at this path, `elsewhere` is how many came at others; `badge` says that it
    comes again, or late, or is empty.
    """

    who: str | None = None
    copies: int = 1
    badge: str = ""
    elsewhere: int = 0


class Occupancy(NamedTuple):
    """How many are there now, as far as events told."""

    sessions: int = 0
    people: int = 0
    streams: int = 0


class SessionTracker:
    """The session store of a run, and the figures that follow from it.

    With `forgets` the store lets go of sessions that are long over; `on_forgotten` gets their ids.
    """

    def __init__(
        self, name_of: Callable[[str | None], str | None] | None = None, *, forgets: bool = False
    ) -> None:
        self.store = SessionStore(name_of or person, on_forgotten=self._forget if forgets else None)
        self.lags = Histogram()
        self.slowest_s: float | None = None
        self.duplicates = 0
        self.on_forgotten: Callable[[str], None] = lambda _session: None
        self._occupancies: dict[str, Occupancy] = {}
        self._changed: set[str] = set()
        self._total = Occupancy()

    def apply(self, entry: Entry) -> ApplyResult:
        """Apply a delivery to the session store, and count it."""
        result = self.store.apply(entry)
        if result.copies > 1:
            self.duplicates += 1
        if (lag_s := entry.lag_s) is not None:
            if result.copies == 1:
                self.lags.note(int(lag_s * 1000))
            if self.slowest_s is None or lag_s > self.slowest_s:
                self.slowest_s = lag_s
        if (session := result.session) is not None:
            self._changed.add(session.id)
            if len(self._changed) > _MOST_CHANGED:
                self.occupancy()
        return result

    def occupancy(self) -> Occupancy:
        """Who is there now: only sessions that changed since the last time are counted again."""
        sessions, people, streams = self._total
        for identifier in self._changed:
            session = self.store.session(identifier)
            before = self._occupancies.pop(identifier, Occupancy())
            now = occupancy_of(session) if session else Occupancy()
            if now.sessions:
                self._occupancies[identifier] = now
            sessions += now.sessions - before.sessions
            people += now.people - before.people
            streams += now.streams - before.streams
        self._changed.clear()
        self._total = Occupancy(sessions, people, streams)
        return self._total

    def _forget(self, identifier: str) -> None:
        """The store has let go of a session: nobody is counted as being there any more."""
        self._changed.add(identifier)
        self.on_forgotten(identifier)


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
    return Annotation(who, change.copies_here, badge(entry, change), change.elsewhere)


def badge(entry: Entry, change: ApplyResult) -> str:
    """`retry #3 +35 s`, `duplicate #2 +0.2 s`, `also at /hooks`, `↩ 3.2 s late`, or nothing.

    Which retry a copy is, is a guess by the time it came (see `provider`).
    """
    if change.copies > 1:
        path = entry.delivery.path
        return again_in_words(path, change.copies_here, change.since_first_s)
    least_s = _ROUNDED_S if isinstance(entry.fields, ArchiveEvent) else 0.0
    return f"↩ {duration(change.late_s)} late" if change.late_s > least_s else ""
