"""An event → the facts of its session: in what order events come, and how often, is one."""

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
    RenderEvent,
    StreamEvent,
)
from vmon.events.timestamps import FIRST_MS, in_ms
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
    """Enter what an event of `at_ms` tells; whether it told a creation in seconds, not in ms."""
    if type(event) is ConnectionEvent:
        return _connection(session, event, at_ms, name_of)
    if type(event) is StreamEvent:
        return _stream(session, event, at_ms)
    if type(event) is CallEvent:
        return _call(session, event, at_ms)
    if isinstance(event, ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent):
        return _job(session, event, at_ms)
    return False


def _connection(
    session: Session,
    event: ConnectionEvent,
    at_ms: int,
    name_of: Callable[[str | None], str | None],
) -> bool:
    told = event.connection
    if told is None or not (identifier := told.id):
        return False
    one = session.people.get(identifier)
    if one is None:
        one = session.people[identifier] = ConnectionState(identifier)
    if event.event == "connectionCreated":
        merge_begin(one, at_ms)
    else:
        _ended(one, at_ms, event.reason)
    if told.data and (name := name_of(told.data)):
        one.name = earliest(one.name, name)
    return told.created_at != one.created_ms and merge_created(one, told.created_at)


def _stream(session: Session, event: StreamEvent, at_ms: int) -> bool:
    told = event.stream
    if told is None or not (identifier := told.id):
        return False
    one = session.feeds.get(identifier)
    if one is None:
        one = session.feeds[identifier] = StreamState(identifier)
    if event.event == "streamCreated":
        merge_begin(one, at_ms)
    else:
        _ended(one, at_ms, event.reason)
    if told.name and told.name != one.name:
        one.name = earliest(one.name, told.name)
    if (kind := told.video_type) and kind != one.video_type:
        one.video_type = earliest(one.video_type, intern(kind))
    by = told.connection
    odd = by is not None and _published(session, one, by)
    return merge_created(one, told.created_at) or odd


def _published(session: Session, one: StreamState, by: Connection) -> bool:
    if not (identifier := by.id):
        return False
    owner = session.people.get(identifier)
    if owner is None:
        owner = session.people[identifier] = ConnectionState(identifier)
    owner.seen |= NAMED
    if one.connection != identifier:
        one.connection = earliest(one.connection, owner.id)
    return by.created_at != owner.created_ms and merge_created(owner, by.created_at)


def _call(session: Session, event: CallEvent, at_ms: int) -> bool:
    if not (identifier := event.call_id):
        return False
    one = session.calls.setdefault(identifier, Call(identifier))
    if event.event == "callCreated":
        merge_begin(one, at_ms)
    elif event.event == "callDestroyed":
        _ended(one, at_ms, event.reason)
    _first_told(one.states, event.status, at_ms)
    if by := event.connection_id:
        caller = session.people.get(by)
        one.connection = earliest(one.connection, caller.id if caller else by)
    return merge_created(one, event.created_ms)


def _job(
    session: Session,
    event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent,
    at_ms: int,
) -> bool:
    if not (identifier := _job_id(event)):
        return False
    kind = cast("Kind", intern(event.type))
    one = session.jobs.setdefault((kind, identifier), OutputState(identifier, kind))
    _first_told(one.statuses, event.status, at_ms)
    if event.status in ENDED_STATUSES:
        one.ended_ms = earliest_of(one.ended_ms, at_ms)
    if _first_told(one.reasons, event.reason, at_ms):
        one.reason = max(one.reasons, key=lambda reason: (one.reasons[reason], reason))
    if isinstance(event, ArchiveEvent):
        one.name = earliest(one.name, event.name or None)
        one.duration_s = _most(one.duration_s, event.lived_s)
        one.size = _most(one.size, event.size)
        one.tag = earliest(one.tag, event.multi_archive_tag)
    elif isinstance(event, BroadcastEvent):
        one.tag = earliest(one.tag, event.multi_broadcast_tag)
    elif isinstance(event, RenderEvent):
        one.name = earliest(one.name, event.name)
        one.stream = earliest(one.stream, event.stream or None)
    # Captions turn theirs into ms themselves; here it matters how it was told.
    return merge_created(
        one, event.created_at if isinstance(event, CaptionsEvent) else event.created_ms
    )


def _job_id(event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent) -> str | None:
    return (
        event.captions_id or event.caption_id if isinstance(event, CaptionsEvent) else event.id
    ) or None


# The merges: each gives the same whichever of two comes first, and for one that comes twice.


def merge_created(
    one: ConnectionState | StreamState | Call | OutputState, told: float | None
) -> bool:
    """A thing was told to have been created then; whether that was in seconds."""
    if told is None or (at_ms := in_ms(told)) is None:
        return False
    if not one.created_ms or at_ms < one.created_ms:
        one.created_ms = at_ms
    if told < FIRST_MS:
        one.seen |= SECONDS
        return True
    return False


def merge_begin(one: ConnectionState | StreamState | Call, at_ms: int) -> None:
    """Something began at this time; the earliest one told counts."""
    one.seen |= BEGUN
    if not one.created_ms or at_ms < one.created_ms:
        one.created_ms = earliest_of(one.created_ms, at_ms)


def _ended(one: ConnectionState | StreamState | Call, at_ms: int, reason: str | None) -> None:
    """A thing was told to have ended; the earliest counts, with its reason."""
    one.seen |= ENDED
    if one.ended_ms == at_ms:
        one.reason = earliest(one.reason, reason)
    elif earliest_of(one.ended_ms, at_ms) == at_ms:
        one.ended_ms, one.reason = at_ms, intern(reason) if reason else None


def earliest_of(one: int | None, other: int) -> int:
    """The earlier of two instants; 0 (not known) gives way to any other."""
    return min(one, other) if one and other else one or other


def _first_told(told: dict[str, int], what: str | None, at_ms: int) -> bool:
    """Whether that was not told before, or later only."""
    if not what:
        return False
    known = told.get(what)
    if known is not None and earliest_of(known, at_ms) == known:
        return False
    told[intern(what)] = at_ms
    return True


def earliest(one: str | None, other: str | None) -> str | None:
    """The first of two by alphabet; an empty one tells nothing, and is None."""
    return min(one, other) if one and other else one or other or None


def _most(one: _Number | None, other: _Number | None) -> _Number | None:
    return one if other is None else other if one is None else max(one, other)
