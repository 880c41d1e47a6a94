"""The reducer: merges an event into its session; commutative and idempotent."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, TypeVar, cast

from vmon.events.catalogue import ENDED_STATUSES
from vmon.events.models import (
    ArchiveEvent,
    BroadcastEvent,
    CallEvent,
    CaptionsEvent,
    Connection,
    ConnectionEvent,
    Event,
    Monitored,
    RenderEvent,
    StreamEvent,
)
from vmon.events.timestamps import FIRST_MS, FUTURE_MS, in_ms
from vmon.sessions.model import (
    BEGUN,
    ENDED,
    NAMED,
    SECONDS,
    Call,
    ConnectionState,
    Kind,
    OutputState,
    Session,
    StreamState,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_Number = TypeVar("_Number", int, float)


def reduce_event(
    session: Session, event: Event, at_ms: int, name_of: Callable[[str | None], str | None]
) -> bool:
    """Merge an event of `at_ms` into its session; whether its createdAt was in seconds, not ms."""
    if type(event) is ConnectionEvent:
        return _connection(session, event, at_ms, name_of)
    if type(event) is StreamEvent:
        return _stream(session, event, at_ms)
    if type(event) is CallEvent:
        return _call(session, event, at_ms)
    if isinstance(event, ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent):
        return _output(session, event, at_ms)
    return False


def _connection(
    session: Session,
    event: ConnectionEvent,
    at_ms: int,
    name_of: Callable[[str | None], str | None],
) -> bool:
    stated = event.connection
    if stated is None or not (identifier := stated.id):
        return False
    person = session.people.get(identifier)
    if person is None:
        person = session.people[identifier] = ConnectionState(identifier)
    if event.event == "connectionCreated":
        merge_begin(person, at_ms)
    else:
        _merge_end(person, at_ms, event.reason)
    if stated.data and (name := name_of(stated.data)):
        person.name = earliest(person.name, name)
    created = stated.created_at
    return created != person.created_ms and merge_created(person, created, event)


def _stream(session: Session, event: StreamEvent, at_ms: int) -> bool:
    stated = event.stream
    if stated is None or not (identifier := stated.id):
        return False
    stream = session.streams.get(identifier)
    if stream is None:
        stream = session.streams[identifier] = StreamState(identifier)
    if event.event == "streamCreated":
        merge_begin(stream, at_ms)
    else:
        _merge_end(stream, at_ms, event.reason)
    if stated.name and stated.name != stream.name:
        stream.name = earliest(stream.name, stated.name)
    if (kind := stated.video_type) and kind != stream.video_type:
        stream.video_type = earliest(stream.video_type, intern(kind))
    publisher = stated.connection
    in_seconds = publisher is not None and _publisher(session, stream, publisher, event)
    return merge_created(stream, stated.created_at, event) or in_seconds


def _publisher(
    session: Session, stream: StreamState, stated: Connection, event: StreamEvent
) -> bool:
    if not (identifier := stated.id):
        return False
    owner = session.people.get(identifier)
    if owner is None:
        owner = session.people[identifier] = ConnectionState(identifier)
    owner.seen |= NAMED
    if stream.connection != identifier:
        stream.connection = earliest(stream.connection, owner.id)
    created = stated.created_at
    return created != owner.created_ms and merge_created(owner, created, event)


def _call(session: Session, event: CallEvent, at_ms: int) -> bool:
    if not (identifier := event.call_id):
        return False
    call = session.calls.setdefault(identifier, Call(identifier))
    if event.event == "callCreated":
        merge_begin(call, at_ms)
    elif event.event == "callDestroyed":
        _merge_end(call, at_ms, event.reason)
    _note_first(call.states, event.status, at_ms)
    if connection := event.connection_id:
        caller = session.people.get(connection)
        call.connection = earliest(call.connection, caller.id if caller else connection)
    return merge_created(call, event.created_ms, event)


def _output(
    session: Session,
    event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent,
    at_ms: int,
) -> bool:
    if not (identifier := _output_id(event)):
        return False
    kind = cast("Kind", intern(event.type))
    output = session.outputs.setdefault((kind, identifier), OutputState(identifier, kind))
    _note_first(output.statuses, event.status, at_ms)
    if event.status in ENDED_STATUSES:
        output.ended_ms = earliest_of(output.ended_ms, at_ms)
    if _note_first(output.reasons, event.reason, at_ms):
        output.reason = max(output.reasons, key=lambda reason: (output.reasons[reason], reason))
    if isinstance(event, ArchiveEvent):
        output.name = earliest(output.name, event.name or None)
        output.duration_s = _max(output.duration_s, event.lasted_s)
        output.size = _max(output.size, event.size)
        output.tag = earliest(output.tag, event.multi_archive_tag)
    elif isinstance(event, BroadcastEvent):
        output.tag = earliest(output.tag, event.multi_broadcast_tag)
    elif isinstance(event, RenderEvent):
        output.name = earliest(output.name, event.name)
        output.stream = earliest(output.stream, event.stream or None)
    # created_ms of captions is normalized to ms; merge_created needs the original unit.
    return merge_created(
        output, event.created_at if isinstance(event, CaptionsEvent) else event.created_ms
    )


def _output_id(event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent) -> str | None:
    return (
        event.captions_id or event.caption_id if isinstance(event, CaptionsEvent) else event.id
    ) or None


# The merges: commutative and idempotent.


def merge_created(
    part: ConnectionState | StreamState | Call | OutputState,
    stated: float | None,
    event: Monitored | None = None,
) -> bool:
    """Merge a createdAt into a part; whether it was in seconds.

    One on a later day than the event that states it is ignored.
    """
    if stated is None or (at_ms := in_ms(stated)) is None:
        return False
    if event is not None and at_ms > (in_ms(event.timestamp) or at_ms) + FUTURE_MS:
        return False
    if not part.created_ms or at_ms < part.created_ms:
        part.created_ms = at_ms
    if stated < FIRST_MS:
        part.seen |= SECONDS
        return True
    return False


def merge_begin(part: ConnectionState | StreamState | Call, at_ms: int) -> None:
    """Merge a begin event into a part: the earliest one counts."""
    part.seen |= BEGUN
    if not part.created_ms or at_ms < part.created_ms:
        part.created_ms = earliest_of(part.created_ms, at_ms)


def _merge_end(part: ConnectionState | StreamState | Call, at_ms: int, reason: str | None) -> None:
    """Merge an end event into a part: the earliest one counts, with its reason."""
    part.seen |= ENDED
    if part.ended_ms == at_ms:
        part.reason = earliest(part.reason, reason)
    elif earliest_of(part.ended_ms, at_ms) == at_ms:
        part.ended_ms, part.reason = at_ms, intern(reason) if reason else None


def earliest_of(one: int | None, other: int) -> int:
    """Return the earlier of two instants; 0 (unknown) yields to any other."""
    return min(one, other) if one and other else one or other


def _note_first(first_ms: dict[str, int], value: str | None, at_ms: int) -> bool:
    """Note when a value was first seen; whether that changed."""
    if not value:
        return False
    known_ms = first_ms.get(value)
    if known_ms is not None and earliest_of(known_ms, at_ms) == known_ms:
        return False
    first_ms[intern(value)] = at_ms
    return True


def earliest(one: str | None, other: str | None) -> str | None:
    """Return the alphabetically first of two; an empty one counts as None."""
    return min(one, other) if one and other else one or other or None


def _max(one: _Number | None, other: _Number | None) -> _Number | None:
    return one if other is None else other if one is None else max(one, other)
