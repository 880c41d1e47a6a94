"""Track the sessions of a run as deliveries arrive: occupancy, duplicates, late events.

Every delivery is applied, in the order of receipt; its `Annotation` is the state of that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.events.names import name_in_data, two_words
from vmon.events.timestamps import LATE_AFTER_S
from vmon.histogram import Histogram
from vmon.humanize import duration
from vmon.sessions.model import active_counts, is_open
from vmon.sessions.paths import again_in_words
from vmon.sessions.store import SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult

_MOST_CHANGED = 10_000
"""How many sessions may change before the occupancy is updated without a reader."""


class Annotation(NamedTuple):
    """What the session store adds to a delivery.

    `who` is the display name of its connection; `copies` is which copy of this body at its path it
    is (1: the first), `elsewhere` how many were received at other paths before; `badge` marks a
    duplicate or a late event, or is empty.
    """

    who: str | None = None
    copies: int = 1
    badge: str = ""
    elsewhere: int = 0


class Occupancy(NamedTuple):
    """How many sessions, connections (`people`) and streams are active now, by their events."""

    sessions: int = 0
    people: int = 0
    streams: int = 0


class SessionTracker:
    """The session store of a run, and the figures derived from it.

    With `forgets` the store forgets sessions that are long over; `on_forgotten` gets their IDs.
    `known_name` finds names that are in no delivery here, by session and connection.
    """

    def __init__(
        self,
        name_of: Callable[[str | None], str | None] | None = None,
        *,
        forgets: bool = False,
        late_after_s: float = LATE_AFTER_S,
        known_name: Callable[[str, str], str | None] | None = None,
    ) -> None:
        self.store = SessionStore(
            name_of or name_in_data,
            on_forgotten=self._forget if forgets else None,
            late_after_s=late_after_s,
        )
        self.known_name = known_name
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
        """Return the occupancy now; recounts only sessions that changed since the last call."""
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
        """Remove a session that the store has forgotten from the occupancy."""
        self._changed.add(identifier)
        self.on_forgotten(identifier)


def occupancy_of(session: Session) -> Occupancy:
    """Return the occupancy of one session: zero once it has ended."""
    people, streams, _ = active_counts(session)
    return Occupancy(int(is_open(session)), people, streams)


def _who(
    session: Session, event: Event, known: Callable[[str, str], str | None] | None
) -> str | None:
    """Return the display name of an event's connection; None where it has none."""
    identifier = event.connection_id
    if not identifier:
        return None
    person = session.people.get(identifier)
    name = person.name if person else None
    if name is None and known:
        name = known(session.id, identifier)
    return name or two_words(identifier)


def annotate(
    entry: Entry,
    change: ApplyResult,
    known: Callable[[str, str], str | None] | None = None,
) -> Annotation:
    """Annotate a delivery that has just been applied."""
    session, event = change.session, entry.fields
    who = _who(session, event, known) if session is not None else None
    return Annotation(who, change.copies_here, badge(entry, change), change.elsewhere)


def badge(entry: Entry, change: ApplyResult) -> str:
    """Return the badge: `retry #3 +35 s`, `duplicate #2 +0.2 s`, `also at /b`, `↩ 3.2 s late`, "".

    Which retry a copy is, is a guess by the time of its receipt (see `redelivery`).
    """
    if change.copies > 1:
        path = entry.delivery.path
        return again_in_words(path, change.copies_here, change.since_first_s)
    return f"↩ {duration(change.late_s)} late" if change.late_s else ""
