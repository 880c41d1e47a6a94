"""The session book: events → who is where, since when, and how it ended.

A fold that does not depend on the order of what it is given, nor on repetition: see `session`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from vmon.events import (
    LAST_MS,
    ArchiveEvent,
    BroadcastEvent,
    CallEvent,
    CaptionsEvent,
    ConnectionEvent,
    Event,
    RenderEvent,
    SessionEvent,
    StreamEvent,
    person,
)
from vmon.session import BEGUN, ENDED, NAMED, Call, Feed, Job, Kind, Person, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.entry import Entry

_JOB_ENDS = frozenset({"stopped", "uploaded", "available", "expired", "failed", "deleted"})


class Change(NamedTuple):
    """What a delivery changed.

    `copies` is which copy of the same body it is (1: the first), `since_first_s` how long after the
    first copy it was received; `late_s` how much older it is than the newest event seen before of
    its session (0: in order), by event time.
    """

    session: Session | None
    copies: int = 1
    since_first_s: float = 0.0
    late_s: float = 0.0


class Book:
    """All sessions that events told of."""

    def __init__(self, name_of: Callable[[str | None], str | None] = person) -> None:
        self._name_of = name_of
        self._sessions: dict[str, Session] = {}
        self._copies: dict[int, list[int]] = {}

    def apply(self, entry: Entry) -> Change:
        """Enter a delivery; what it changed."""
        received_ms = int(entry.delivery.received_at.timestamp() * 1000)
        mark = hash(entry.delivery.body)
        if (earlier := self._copies.get(mark)) is not None:
            return self._again(entry, earlier, received_ms)
        self._copies[mark] = [1, received_ms]
        if entry.session is None:
            return Change(None)
        session = self._sessions.get(entry.session)
        if session is None:
            session = self._sessions[entry.session] = Session(entry.session)
        event = entry.event
        said = event.said_ms
        at_ms = said if said is not None and 0 < said <= LAST_MS else received_ms
        late_s = max(0, session.last_ms - at_ms) / 1000
        session.events += 1
        session.first_ms = min(session.first_ms, at_ms) if session.first_ms else at_ms
        session.last_ms = max(session.last_ms, at_ms)
        if event.project_id:
            session.projects.add(event.project_id)
        self._enter(session, event, at_ms)
        return Change(session, late_s=late_s)

    def _again(self, entry: Entry, earlier: list[int], received_ms: int) -> Change:
        earlier[0] += 1
        session = self._sessions.get(entry.session) if entry.session is not None else None
        if session:
            session.duplicates += 1
        return Change(session, earlier[0], (received_ms - earlier[1]) / 1000)

    def sessions(self) -> Iterator[Session]:
        """All sessions, in the order in which they were first heard of."""
        yield from self._sessions.values()

    def session(self, identifier: str) -> Session | None:
        """The session of an id."""
        return self._sessions.get(identifier)

    def _enter(self, session: Session, event: Event, at_ms: int) -> None:
        match event:
            case ConnectionEvent():
                self._connection(session, event, at_ms)
            case StreamEvent():
                self._stream(session, event, at_ms)
            case SessionEvent(event="sessionCreated"):
                session.created_ms.add(at_ms)
            case SessionEvent(event="sessionDestroyed"):
                session.destroyed[at_ms] = event.reason
            case CallEvent():
                _call(session, event, at_ms)
            case ArchiveEvent() | BroadcastEvent() | RenderEvent() | CaptionsEvent():
                _job(session, event, at_ms)
            case _:
                pass

    def _connection(self, session: Session, event: ConnectionEvent, at_ms: int) -> None:
        if not event.connection or not event.connection.id:
            return
        one = session.people.get(event.connection.id)
        if one is None:
            one = session.people[event.connection.id] = Person(event.connection.id)
        _live(
            one,
            event.connection.created_at,
            event.event == "connectionCreated",
            event.reason,
            at_ms,
        )
        if name := self._name_of(event.connection.data):
            one.name = min(one.name, name) if one.name else name

    def _stream(self, session: Session, event: StreamEvent, at_ms: int) -> None:
        stream = event.stream
        if not stream or not stream.id:
            return
        one = session.feeds.get(stream.id)
        if one is None:
            one = session.feeds[stream.id] = Feed(stream.id)
        _live(one, stream.created_at, event.event == "streamCreated", event.reason, at_ms)
        one.name = one.name or stream.name
        one.video_type = one.video_type or stream.video_type
        if stream.connection and (identifier := stream.connection.id):
            one.connection = one.connection or identifier
            owner = session.people.get(identifier)
            if owner is None:
                owner = session.people[identifier] = Person(identifier)
            owner.seen |= NAMED
            owner.created_ms = _earlier(owner.created_ms, stream.connection.created_at)


def _call(session: Session, event: CallEvent, at_ms: int) -> None:
    if event.call_id is None:
        return
    one = session.calls.setdefault(event.call_id, Call(event.call_id))
    if event.event in {"callCreated", "callDestroyed"}:
        _live(one, event.created_ms, event.event == "callCreated", event.reason, at_ms)
    if event.status:
        one.states[event.status] = min(one.states.get(event.status, at_ms), at_ms)
    one.connection = one.connection or event.connection_id


def _job(
    session: Session,
    event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent,
    at_ms: int,
) -> None:
    identifier = (
        (event.captions_id or event.caption_id) if isinstance(event, CaptionsEvent) else event.id
    )
    if identifier is None:
        return
    kind = cast("Kind", event.type)
    one = session.jobs.setdefault((kind, identifier), Job(identifier, kind))
    one.created_ms = _earlier(one.created_ms, event.created_ms)
    if event.status:
        one.statuses[event.status] = min(one.statuses.get(event.status, at_ms), at_ms)
    if event.status in _JOB_ENDS:
        one.ended_ms = _earlier(one.ended_ms, at_ms)
    one.reason = event.reason or one.reason
    if isinstance(event, ArchiveEvent):
        one.name = one.name or event.name
        one.duration_s = event.lived_s or one.duration_s
        one.size = event.size or one.size


def _live(
    one: Person | Feed | Call, created_ms: int | None, begins: bool, reason: str | None, at_ms: int
) -> None:
    one.seen |= BEGUN if begins else ENDED
    one.created_ms = _earlier(one.created_ms, created_ms)
    if begins:
        one.created_ms = _earlier(one.created_ms, at_ms)
    elif one.ended_ms is None or at_ms < one.ended_ms:
        one.ended_ms, one.reason = at_ms, reason


def _earlier(one: int | None, other: int | None) -> int | None:
    if other is None or not 0 < other <= LAST_MS:
        return one
    return other if one is None else min(one, other)
