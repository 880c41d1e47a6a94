"""The session book: events → who is where, since when, and how it ended.

A fold that does not depend on the order of what it is given, nor on repetition: see `session`.
Sessions that were not heard of for longest are packed when there is much, and unpacked when they
are heard of again (see `record`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.events import Event, SessionEvent, person
from vmon.fold import enter, in_seconds, stamp_ms
from vmon.record import Packed, Record, pack, unpack, weight
from vmon.session import Session, Totals, is_open
from vmon.signature import claims_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.entry import Entry

_ROOM = 400_000
"""So many marks (of events, more or less) are held unpacked: some 100 MB with all their facts."""

_RETRIED_MS = 25 * 3_600_000  # retries end after 24 h
_SILENT_MS = 7 * 24 * 3_600_000  # what was not closed by then never will be
_LOOKS_MS = 600_000
_MOST_STRAYS = 20_000


class Change(NamedTuple):
    """What a delivery changed.

    `copies` is which copy of the same body it is (1: the first), `since_first_s` how long after the
    first copy it was received; `sure` that a verified token says so too, by the same `jti`: else
    two events might be told in the same words. `late_s` is how much older it is than the newest
    event seen before of its session (0: in order), by event time.
    """

    session: Session | None
    copies: int = 1
    since_first_s: float = 0.0
    late_s: float = 0.0
    sure: bool = False


class Book:
    """All sessions that events told of.

    One that `forgets` keeps only the `totals` of sessions that are closed and were not heard of for
    25 h (after that no retry comes), or open and not for a week. `room` is how many marks of bodies
    are held unpacked.
    """

    def __init__(
        self,
        name_of: Callable[[str | None], str | None] = person,
        *,
        forgets: bool = False,
        room: int = _ROOM,
    ) -> None:
        self.totals = Totals()
        self._name_of = name_of
        self._forgets = forgets
        self._room = self._packs_at = room
        self._sessions: dict[str, Record | Packed] = {}
        self._strays = Record(Session(""))
        self._held = 0
        self._now_ms = self._looked_ms = 0

    def apply(self, entry: Entry) -> Change:
        """Enter a delivery; what it changed."""
        if entry.session is None and not entry.delivery.body:
            return Change(None)  # a probe, and like every other
        received_ms = int(entry.delivery.received_at.timestamp() * 1000)
        self._now_ms = max(self._now_ms, received_ms)
        if self._held > self._packs_at or self._now_ms - self._looked_ms > _LOOKS_MS:
            self._tidy()
        record = self._record(entry.session)
        record.newest_ms = max(record.newest_ms, received_ms)
        marks, mark = record.marks, hash(entry.delivery.body)
        sure = entry.verdict is not None and self._is_known_token(record, entry, mark)
        first_ms = marks.get(mark)
        if first_ms is not None:
            return self._again(record, entry, (mark, first_ms, received_ms), sure=sure)
        marks[mark] = received_ms
        self._held += 1
        if entry.session is None:
            return Change(None)
        return Change(record.session, 1, 0.0, self._first(record, entry.event, mark, received_ms))

    def sessions(self) -> Iterator[Session]:
        """All sessions, in the order in which they were first heard of."""
        for held in list(self._sessions.values()):
            yield _opened(held).session

    def session(self, identifier: str) -> Session | None:
        """The session of an id."""
        held = self._sessions.get(identifier)
        return None if held is None else _opened(held).session

    def _first(self, record: Record, event: Event, mark: int, received_ms: int) -> float:
        """Enter an event not heard of before; how late it is."""
        session, said_ms = record.session, stamp_ms(event)
        if said_ms is None:
            at_ms = record.unstamped[mark] = received_ms
        else:
            at_ms = said_ms
            record.stamped_ms = max(record.stamped_ms, at_ms)
        late_ms = session.last_ms - at_ms if at_ms else 0
        session.last_ms = max(session.last_ms, at_ms)
        session.events += 1
        session.seconds += in_seconds(event)
        if (project := event.project_id) and project not in session.projects:
            session.projects.add(project)
        self._enter(record, event, mark, at_ms)
        return late_ms / 1000 if late_ms > 0 else 0.0

    def _again(
        self, record: Record, entry: Entry, seen: tuple[int, int, int], *, sure: bool
    ) -> Change:
        """Count a copy of a body; one without a time of its own counts when it first came."""
        mark, first_ms, received_ms = seen
        copies = record.copies[mark] = record.copies.get(mark, 1) + 1
        record.session.duplicates += 1
        if received_ms < first_ms:
            record.marks[mark] = first_ms = received_ms
            if mark in record.unstamped:
                record.unstamped[mark] = received_ms
                newest_ms = max(record.unstamped.values())
                record.session.last_ms = max(record.stamped_ms, newest_ms)
                self._enter(record, entry.event, mark, received_ms)
        session = record.session if entry.session is not None else None
        return Change(session, copies, (received_ms - first_ms) / 1000, sure=sure)

    def _enter(self, record: Record, event: Event, mark: int, at_ms: int) -> None:
        session = record.session
        if at_ms and (at_ms < session.first_ms or not session.first_ms):
            session.first_ms = at_ms
        if isinstance(event, SessionEvent):
            _round(record, event, mark, at_ms)
        else:
            enter(session, event, at_ms, self._name_of)

    def _is_known_token(self, record: Record, entry: Entry, mark: int) -> bool:
        """Whether this body came under this verified token before; it is remembered."""
        verdict = entry.verdict
        if verdict is None or verdict.kind not in {"valid", "stale"}:
            return False
        claims = verdict.claims or claims_of(entry.delivery.headers)
        if claims is None or claims.jti is None:
            return False
        token = hash((mark, claims.jti))
        known = token in record.tokens
        if not known:
            record.tokens.add(token)
            self._held += 1
        return known

    # What is held, and how.

    def _record(self, identifier: str | None) -> Record:
        if identifier is None:
            return self._strays
        held = self._sessions.get(identifier)
        if type(held) is Record:
            return held
        record = Record(Session(identifier)) if held is None else _opened(held)
        self._sessions[record.session.id] = record
        self._held += weight(record)
        return record

    def _tidy(self) -> None:
        if self._held > self._packs_at:
            self._pack()
        if self._forgets and self._now_ms - self._looked_ms > _LOOKS_MS:
            self._forget()
        self._looked_ms = self._now_ms

    def _pack(self) -> None:
        """Pack what was not heard of for longest, until there is room again."""
        records = [held for held in self._sessions.values() if type(held) is Record]
        for record in sorted(records, key=lambda one: one.newest_ms):
            if self._held <= self._room * 3 // 4:
                break
            self._sessions[record.session.id] = pack(record)
            self._held -= weight(record)
        self._packs_at = max(self._room, self._held + self._room // 4)

    def _forget(self) -> None:
        for identifier, held in list(self._sessions.items()):
            if self._now_ms - held.newest_ms <= _RETRIED_MS:
                continue
            alive = held.open if isinstance(held, Packed) else is_open(held.session)
            if not alive or self._now_ms - held.newest_ms > _SILENT_MS:
                self.totals.add(_opened(held).session)
                self._held -= weight(held) if isinstance(held, Record) else 0
                del self._sessions[identifier]
        if len(self._strays.marks) > _MOST_STRAYS:
            self._held -= weight(self._strays)
            self._strays = Record(Session(""))


def _opened(held: Record | Packed) -> Record:
    return held if isinstance(held, Record) else unpack(held)


def _round(record: Record, event: SessionEvent, mark: int, at_ms: int) -> None:
    """Enter that a session was opened or closed."""
    if event.event not in {"sessionCreated", "sessionDestroyed"}:
        return
    opens = event.event == "sessionCreated"
    again, record.rounds[mark] = mark in record.rounds, (at_ms, opens, event.reason)
    session = record.session
    if again:  # it was received earlier than was known
        session.created_ms, session.destroyed = set(), {}
    for at, opens, reason in record.rounds.values() if again else (record.rounds[mark],):
        if opens:
            session.created_ms.add(at)
        else:
            known = session.destroyed.get(at)
            session.destroyed[at] = min(known, reason) if known and reason else known or reason
