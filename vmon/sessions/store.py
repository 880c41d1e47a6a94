"""The session book: events → who is where, since when, and how it ended.

A fold that does not depend on the order of what it is given, nor on repetition: see `session`.
Sessions that were not heard of for longest are packed when there is much, and unpacked when they
are heard of again (see `record`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.events.models import Event, Monitored, SessionEvent
from vmon.events.names import person
from vmon.events.redelivery import RETRIED_MS
from vmon.events.timestamps import FIRST_MS, LAST_MS, in_ms, is_in_seconds
from vmon.security.signature import claims_of
from vmon.sessions.model import Session, Totals, is_open
from vmon.sessions.packing import Packed, StoredSession, drop, pack, unpack, weight
from vmon.sessions.paths import PathMemory
from vmon.sessions.reducer import earliest, reduce_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.entry import Entry

_ROOM = 400_000
"""So many marks (of events, more or less) are held unpacked: some 100 MB with all their facts."""

_SILENT_MS = 7 * 24 * 3_600_000  # what was not closed by then never will be
_TIDIES_MS = 600_000
_MOST_STRAYS = 20_000
_LIGHT = 100
"""Unpacking more marks than that makes room for the rest: a session larger than all the room would
else be packed and unpacked with every delivery of it."""


class ApplyResult(Struct, frozen=True, gc=False):
    """What a delivery changed.

    `session` is the book's own, and no longer so after the next delivery: do not keep it. `copies`
    is which copy of the same body it is (1: the first), `since_first_s` how long after the first
    copy it was received; `sure` that a verified token says so too, by the same `jti`: else two
    events might be told in the same words. `late_s` is how much older it is than the newest event
    seen before of its session (0: in order), by event time. `elsewhere` is how many of the copies
    before it came at other paths.
    """

    session: Session | None
    copies: int = 1
    since_first_s: float = 0.0
    late_s: float = 0.0
    sure: bool = False
    elsewhere: int = 0

    @property
    def copies_here(self) -> int:
        """Which copy at its path it is; 1: the first."""
        return self.copies - self.elsewhere


class SessionStore:
    """All sessions that events told of.

    With `on_forgotten`, which is told their IDs, only the `totals` are kept of sessions that are
    closed and were not heard of for 25 h (after that no retry comes), or open and not for a week.
    `room` is how many marks of bodies are held unpacked; `newest_ms` when the last delivery was
    received.
    """

    def __init__(
        self,
        name_of: Callable[[str | None], str | None] = person,
        *,
        on_forgotten: Callable[[str], None] | None = None,
        room: int = _ROOM,
    ) -> None:
        self.totals = Totals()
        self.newest_ms = 0
        self._name_of = name_of
        self._on_forgotten = on_forgotten
        self._room = self._packs_at = room
        self._sessions: dict[str, StoredSession | Packed] = {}
        self._strays = StoredSession(Session(""))
        self._paths = PathMemory()
        self._held = 0
        self._tidies_ms = 0

    def apply(self, entry: Entry) -> ApplyResult:
        """Enter a delivery; what it changed."""
        delivery, verdict, received_ms = entry.delivery, entry.verdict, entry.received_ms
        if received_ms > self.newest_ms:  # noqa: PLR1730 - a call of max takes four times as long
            self.newest_ms = received_ms
        if not delivery.body and entry.session is None:
            return ApplyResult(None)  # a probe is like every other
        if received_ms > self._tidies_ms or self._held > self._packs_at:
            self._tidy(received_ms)
        record = self._sessions.get(entry.session or "")
        if type(record) is not StoredSession:
            record = self._fetched(entry.session)
        if received_ms > record.newest_ms:  # noqa: PLR1730 - as above
            record.newest_ms = received_ms
        marks, mark = record.marks, hash(delivery.body)
        sure = verdict is not None and self._is_known_token(record, entry, mark)
        if mark in marks:
            return self._again(record, entry, mark, received_ms, sure=sure)
        marks[mark] = received_ms
        self._paths.first(record.session.id, mark, delivery.path)
        self._held += 1
        if record is self._strays:
            return ApplyResult(None)
        return ApplyResult(
            record.session, 1, 0.0, self._first(record, entry.fields, mark, received_ms)
        )

    def sessions(self) -> Iterator[Session]:
        """All sessions, in the order in which they were first heard of."""
        for held in list(self._sessions.values()):
            yield _opened(held).session

    def session(self, identifier: str) -> Session | None:
        """The session of an id."""
        held = self._sessions.get(identifier)
        return None if held is None else _opened(held).session

    def _first(self, record: StoredSession, event: Event, mark: int, received_ms: int) -> float:
        """Enter an event not heard of before; how late it is."""
        session, seconds = record.session, False
        project: str | None
        if isinstance(event, Monitored):
            at_ms, project = event.timestamp, event.project
        else:
            at_ms, project = event.occurred_ms, None
        if at_ms is None or not FIRST_MS <= at_ms <= LAST_MS:
            seconds, at_ms = is_in_seconds(at_ms), in_ms(at_ms)
        if at_ms is None:
            at_ms = record.unstamped[mark] = received_ms
        elif at_ms > record.stamped_ms:
            record.stamped_ms = at_ms
        late_ms = session.last_ms - at_ms if at_ms else 0
        if late_ms < 0:
            session.last_ms = at_ms
        session.events += 1
        if (project := project or event.project_id) and project not in session.projects:
            session.projects.add(project)
        if self._enter(record, event, mark, at_ms) or seconds:
            session.seconds += 1
        return late_ms / 1000 if late_ms > 0 else 0.0

    def _again(
        self, record: StoredSession, entry: Entry, mark: int, received_ms: int, *, sure: bool
    ) -> ApplyResult:
        """Count a copy of a body; one without a time of its own counts when it first came."""
        copies = record.copies[mark] = record.copies.get(mark, 1) + 1
        record.session.duplicates += 1
        first_ms = record.marks[mark]
        if received_ms and (received_ms < first_ms or not first_ms):  # 0: a bare body
            record.marks[mark] = first_ms = received_ms
            if mark in record.unstamped:
                record.unstamped[mark] = received_ms
                newest_ms = max(record.unstamped.values())
                record.session.last_ms = max(record.stamped_ms, newest_ms)
                self._enter(record, entry.fields, mark, received_ms)
        session = None if record is self._strays else record.session
        since_ms = received_ms - first_ms if received_ms else 0
        elsewhere = self._paths.again(record.session.id, mark, entry.delivery.path)
        return ApplyResult(session, copies, since_ms / 1000, sure=sure, elsewhere=elsewhere)

    def _enter(self, record: StoredSession, event: Event, mark: int, at_ms: int) -> bool:
        session = record.session
        if at_ms and (at_ms < session.first_ms or not session.first_ms):
            session.first_ms = at_ms
        if type(event) is SessionEvent:
            return _round(record, event, mark, at_ms)
        return reduce_event(session, event, at_ms, self._name_of)

    def _is_known_token(self, record: StoredSession, entry: Entry, mark: int) -> bool:
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
            record.tokens[token] = record.newest_ms
            self._held += 1
        return known

    # What is held, and how.

    def _fetched(self, identifier: str | None) -> StoredSession:
        """The record of a session, made or unpacked."""
        if not identifier:
            return self._strays
        held = self._sessions.get(identifier)
        record = StoredSession(Session(identifier)) if held is None else _opened(held)
        self._sessions[record.session.id] = record
        marks = weight(record)
        self._held += marks
        self._packs_at += max(0, marks - _LIGHT)
        return record

    def _tidy(self, now_ms: int) -> None:
        if self._held > self._packs_at:
            self._pack()
        if now_ms > self._tidies_ms:
            self._tidies_ms = now_ms + _TIDIES_MS
            if self._on_forgotten:
                self._forget(now_ms, self._on_forgotten)

    def _pack(self) -> None:
        """Pack what was not heard of for longest, until there is room again."""
        records = [held for held in self._sessions.values() if type(held) is StoredSession]
        for record in sorted(records, key=lambda one: one.newest_ms):
            if self._held <= self._room * 3 // 4:
                break
            self._sessions[record.session.id] = pack(record)
            self._held -= weight(record)
        self._packs_at = max(self._room, self._held + self._room // 4)

    def _forget(self, now_ms: int, tell: Callable[[str], None]) -> None:
        """Let go of what is over and of which no retry comes any more."""
        for identifier, held in list(self._sessions.items()):
            silent_ms = now_ms - held.newest_ms
            if silent_ms > (_SILENT_MS if _is_open(held) else RETRIED_MS):
                self.totals.add(_opened(held).session)
                self._held -= weight(held) if isinstance(held, StoredSession) else 0
                del self._sessions[identifier]
                tell(identifier)
            elif isinstance(held, StoredSession):
                self._held -= weight(held)
                drop(held, now_ms - RETRIED_MS)
                self._held += weight(held)
        if len(self._strays.marks) > _MOST_STRAYS:
            self._held -= weight(self._strays)
            self._strays = StoredSession(Session(""))


def _is_open(held: StoredSession | Packed) -> bool:
    return held.open if isinstance(held, Packed) else is_open(held.session)


def _opened(held: StoredSession | Packed) -> StoredSession:
    return held if isinstance(held, StoredSession) else unpack(held)


def _round(record: StoredSession, event: SessionEvent, mark: int, at_ms: int) -> bool:
    """Enter that a session was opened or closed; it tells no creation."""
    if event.event not in {"sessionCreated", "sessionDestroyed"}:
        return False
    opens = event.event == "sessionCreated"
    again, record.rounds[mark] = mark in record.rounds, (at_ms, opens, event.reason)
    session = record.session
    if again:  # it was received earlier than was known
        session.created_ms, session.destroyed = set(), {}
    for at, opens, reason in record.rounds.values() if again else (record.rounds[mark],):
        if opens:
            session.created_ms.add(at)
        else:
            session.destroyed[at] = earliest(session.destroyed.get(at), reason)
    return False
