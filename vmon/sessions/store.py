"""The session store: reduces deliveries to the state of their sessions.

The result does not depend on the order of deliveries, nor on duplicates: see `model`. The least
recently used sessions are compressed when memory is short, and decompressed with their next
delivery (see `packing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.events.models import Monitored, SessionEvent
from vmon.events.names import name_in_data
from vmon.events.redelivery import RETRIED_MS
from vmon.events.timestamps import (
    FIRST_MS,
    FUTURE_MS,
    LAST_MS,
    LATE_AFTER_S,
    in_ms,
    is_in_seconds,
    not_before,
)
from vmon.events.verdict import is_trusted
from vmon.security.signature import claims_of
from vmon.sessions.model import Session, Totals, is_open
from vmon.sessions.packing import Packed, StoredSession, drop, pack, unpack, weight
from vmon.sessions.paths import PathMemory
from vmon.sessions.reducer import earliest, reduce_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.entry import Entry

_ROOM = 400_000
"""How many body hashes (about one per event) are held unpacked: some 100 MB with their sessions."""

_SILENT_MS = 7 * 24 * 3_600_000  # a session silent for so long will not be closed any more
_TIDIES_MS = 600_000
_MOST_STRAYS = 20_000
_LIGHT = 100
"""Unpacking more hashes than that raises the limit: a session larger than the limit would otherwise
be packed and unpacked with each of its deliveries."""


class ApplyResult(Struct, frozen=True, gc=False):
    """The result of applying a delivery.

    `session` is the store's own object, valid until the next delivery: do not keep it. `copies`
    is which copy of the same body it is (1: the first), `since_first_s` how long after the first
    copy it was received; `sure` that a verified token confirms it by the same `jti`: otherwise two
    events might have identical bodies. `late_s` is how much older it is than the newest event
    of its session before, by the timestamps of both (0: in order, or nearly). `elsewhere` is how
    many of the copies before it came at other paths.
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
    """The sessions of all deliveries applied.

    With `on_forgotten`, which is called with their IDs, only the `totals` are kept of sessions that
    are closed and silent for 25 h (no retry arrives after that), or open and silent for a week.
    `room` is how many body hashes are held unpacked; `newest_ms` when the last delivery was
    received. What is older than the newest event by `late_after_s` or more is late.
    """

    def __init__(
        self,
        name_of: Callable[[str | None], str | None] = name_in_data,
        *,
        on_forgotten: Callable[[str], None] | None = None,
        room: int = _ROOM,
        late_after_s: float = LATE_AFTER_S,
    ) -> None:
        self.totals = Totals()
        self.newest_ms = 0
        self._name_of = name_of
        self._on_forgotten = on_forgotten
        self._room = self._packs_at = room
        self._late_after_ms = late_after_s * 1000
        self._sessions: dict[str, StoredSession | Packed] = {}
        self._strays = StoredSession(Session(""))
        self._paths = PathMemory()
        self._held = 0
        self._tidies_ms = 0

    def apply(self, entry: Entry) -> ApplyResult:
        """Apply a delivery; what it changed."""
        delivery, verdict, received_ms = entry.delivery, entry.verdict, entry.received_ms
        if received_ms > self.newest_ms:  # noqa: PLR1730 - a call of max takes four times as long
            self.newest_ms = received_ms
        if not delivery.body and entry.session is None:
            return ApplyResult(None)  # probes are all alike: no duplicates
        if received_ms > self._tidies_ms or self._held > self._packs_at:
            self._tidy(received_ms)
        record = self._sessions.get(entry.session or "")
        if type(record) is not StoredSession:
            record = self._fetch(entry.session)
        if received_ms > record.newest_ms:  # noqa: PLR1730 - as above
            record.newest_ms = received_ms
        seen_bodies, body_hash = record.seen_bodies, hash(delivery.body)
        sure = verdict is not None and self._is_known_token(record, entry, body_hash)
        if body_hash in seen_bodies:
            return self._apply_copy(record, entry, body_hash, received_ms, sure=sure)
        seen_bodies[body_hash] = received_ms
        self._paths.first(record.session.id, body_hash, delivery.path)
        self._held += 1
        if record is self._strays:
            return ApplyResult(None)
        late_ms = self._apply_first(record, entry, body_hash, received_ms)
        is_late = late_ms >= self._late_after_ms and delivery.remote is not None
        return ApplyResult(record.session, 1, 0.0, late_ms / 1000 if is_late else 0.0)

    def sessions(self) -> Iterator[Session]:
        """Yield all sessions, in the order of their first delivery."""
        for held in list(self._sessions.values()):
            yield _opened(held).session

    def session(self, identifier: str) -> Session | None:
        """Return the session of an ID."""
        held = self._sessions.get(identifier)
        return None if held is None else _opened(held).session

    def _apply_first(
        self, record: StoredSession, entry: Entry, body_hash: int, received_ms: int
    ) -> int:
        """Apply the first copy of an event; how late it is, in ms."""
        event, session, seconds = entry.fields, record.session, False
        project: str | None
        if isinstance(event, Monitored):
            at_ms, project = event.timestamp, event.project
        else:
            at_ms, project = event.occurred_ms, None
        if at_ms is None or not FIRST_MS <= at_ms <= LAST_MS:
            seconds, at_ms = is_in_seconds(at_ms), in_ms(at_ms)
        late_ms = 0
        if at_ms is None:
            at_ms = record.unstamped[body_hash] = not_before(received_ms, event.earliest_ms)
        else:
            if at_ms > record.stamped_ms:  # noqa: PLR1730 - as above
                record.stamped_ms = at_ms
            if at_ms > record.in_order_ms:
                if at_ms <= received_ms + FUTURE_MS:
                    record.in_order_ms = at_ms
            else:
                late_ms = record.in_order_ms - at_ms
        if at_ms > session.last_ms:  # noqa: PLR1730 - as above
            session.last_ms = at_ms
        session.events += 1
        if (project := project or event.project_id) and project not in session.projects:
            session.projects.add(project)
        if self._reduce(record, entry, body_hash, at_ms) or seconds:
            session.seconds += 1
        return late_ms

    def _apply_copy(
        self, record: StoredSession, entry: Entry, body_hash: int, received_ms: int, *, sure: bool
    ) -> ApplyResult:
        """Count a copy of a body; an event without a timestamp moves to its earliest receipt."""
        copies = record.copies[body_hash] = record.copies.get(body_hash, 1) + 1
        record.session.duplicates += 1
        first_ms = record.seen_bodies[body_hash]
        if received_ms and (received_ms < first_ms or not first_ms):  # 0: a bare body
            record.seen_bodies[body_hash] = first_ms = received_ms
        if body_hash in record.unstamped:
            self._unstamped_again(record, entry, body_hash, received_ms)
        session = None if record is self._strays else record.session
        since_ms = received_ms - first_ms if received_ms else 0
        elsewhere = self._paths.again(record.session.id, body_hash, entry.delivery.path)
        return ApplyResult(session, copies, since_ms / 1000, sure=sure, elsewhere=elsewhere)

    def _unstamped_again(
        self, record: StoredSession, entry: Entry, body_hash: int, received_ms: int
    ) -> None:
        """An event without a time of its own may have happened earlier than was known."""
        known_ms = record.unstamped[body_hash]
        at_ms = not_before(received_ms, entry.fields.earliest_ms)
        if at_ms and (at_ms < known_ms or not known_ms):
            record.unstamped[body_hash] = at_ms
            record.session.last_ms = max(record.stamped_ms, *record.unstamped.values())
            self._reduce(record, entry, body_hash, at_ms)

    def _reduce(self, record: StoredSession, entry: Entry, body_hash: int, at_ms: int) -> bool:
        session, event = record.session, entry.fields
        if at_ms and (at_ms < session.first_ms or not session.first_ms):
            session.first_ms = at_ms
        if type(event) is SessionEvent:
            return _reduce_round(record, event, body_hash, at_ms)
        name_of = self._name_of if is_trusted(entry.verdict) else _no_name
        return reduce_event(session, event, at_ms, name_of)

    def _is_known_token(self, record: StoredSession, entry: Entry, body_hash: int) -> bool:
        """Whether this body came with this verified token before; remembers the pair."""
        verdict = entry.verdict
        if verdict is None or verdict.kind not in {"valid", "stale"}:
            return False
        claims = verdict.claims or claims_of(entry.delivery.headers)
        if claims is None or claims.jti is None:
            return False
        token = hash((body_hash, claims.jti))
        known = token in record.tokens
        if not known:
            record.tokens[token] = record.newest_ms
            self._held += 1
        return known

    # Memory.

    def _fetch(self, identifier: str | None) -> StoredSession:
        """Return the record of a session, created or unpacked where necessary."""
        if not identifier:
            return self._strays
        held = self._sessions.get(identifier)
        record = StoredSession(Session(identifier)) if held is None else _opened(held)
        self._sessions[record.session.id] = record
        hashes = weight(record)
        self._held += hashes
        self._packs_at += max(0, hashes - _LIGHT)
        return record

    def _tidy(self, now_ms: int) -> None:
        if self._held > self._packs_at:
            self._pack()
        if now_ms > self._tidies_ms:
            self._tidies_ms = now_ms + _TIDIES_MS
            if self._on_forgotten:
                self._forget(now_ms, self._on_forgotten)

    def _pack(self) -> None:
        """Pack the least recently used sessions, until three quarters of the limit are held."""
        records = [held for held in self._sessions.values() if type(held) is StoredSession]
        for record in sorted(records, key=lambda record: record.newest_ms):
            if self._held <= self._room * 3 // 4:
                break
            self._sessions[record.session.id] = pack(record)
            self._held -= weight(record)
        self._packs_at = max(self._room, self._held + self._room // 4)

    def _forget(self, now_ms: int, on_forgotten: Callable[[str], None]) -> None:
        """Forget the sessions that are over and of which no retry can arrive any more."""
        for identifier, held in list(self._sessions.items()):
            silent_ms = now_ms - held.newest_ms
            if silent_ms > (_SILENT_MS if _is_open(held) else RETRIED_MS):
                self.totals.add(_opened(held).session)
                self._held -= weight(held) if isinstance(held, StoredSession) else 0
                del self._sessions[identifier]
                on_forgotten(identifier)
            elif isinstance(held, StoredSession):
                self._held -= weight(held)
                drop(held, now_ms - RETRIED_MS)
                self._held += weight(held)
        if len(self._strays.seen_bodies) > _MOST_STRAYS:
            self._held -= weight(self._strays)
            self._strays = StoredSession(Session(""))


def _no_name(_data: str | None) -> None:
    """No name is taken from a delivery whose signature did not fit."""


def _is_open(held: StoredSession | Packed) -> bool:
    return held.open if isinstance(held, Packed) else is_open(held.session)


def _opened(held: StoredSession | Packed) -> StoredSession:
    return held if isinstance(held, StoredSession) else unpack(held)


def _reduce_round(record: StoredSession, event: SessionEvent, body_hash: int, at_ms: int) -> bool:
    """Merge sessionCreated or sessionDestroyed; False, as they have no createdAt."""
    if event.event not in {"sessionCreated", "sessionDestroyed"}:
        return False
    opens = event.event == "sessionCreated"
    is_known = body_hash in record.rounds
    record.rounds[body_hash] = at_ms, opens, event.reason
    session = record.session
    if is_known:  # an earlier receipt of the same event
        session.created_ms, session.destroyed = set(), {}
    for at, opens, reason in record.rounds.values() if is_known else (record.rounds[body_hash],):
        if opens:
            session.created_ms.add(at)
        else:
            session.destroyed[at] = earliest(session.destroyed.get(at), reason)
    return False
