"""Sessions as NDJSON, a session a line: all that is known, for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmon.capture.codec import said_json
from vmon.events.names import called
from vmon.events.timestamps import instant
from vmon.humanize import handle, iso
from vmon.sessions.model import Call, OutputState, StreamState
from vmon.sessions.snapshot import state_of, status_of

if TYPE_CHECKING:
    from vmon.sessions.snapshot import Member, SessionSnapshot, Span, TimedPart

_JOBS = {"archive": "archives", "broadcast": "broadcasts", "render": "renders"}


def as_json(laid: SessionSnapshot, *, counted: bool = True) -> str:
    """The line of a session, without a newline; events are null where they were not counted.

    An end is null while it is open; `end_told` false is an end that was worked out.
    """
    session, last = laid.session, laid.rounds[-1]
    document: dict[str, Any] = {
        "session": session.id,
        "handle": handle(session.id, "session"),
        "open": last.is_open,
        "projects": sorted(session.projects),
        "rounds": [_span(one) for one in laid.rounds],
        "events": session.events if counted else None,
        "duplicates": session.duplicates if counted else None,
        "people": [_member(one) for one in laid.members],
        "streams": [_thing(one) for one in laid.feeds],
        "calls": [_thing(one) for one in laid.calls],
        **{name: [] for name in (*_JOBS.values(), "captions")},
    }
    for one in laid.jobs:
        if isinstance(one.thing, OutputState):
            document[_JOBS.get(one.thing.kind, one.thing.kind)].append(_thing(one))
    return said_json(document).decode()


def _member(member: Member) -> dict[str, Any]:
    return {
        "connection": member.person.id,
        "name": member.person.name,
        "called": called(member.person.id, member.person.name),
        **_span(member.span),
        "streams": [_thing(one) for one in member.feeds],
        "calls": [_thing(one) for one in member.calls],
    }


def _thing(seen: TimedPart) -> dict[str, Any]:
    thing, span = seen
    match thing:
        case StreamState():
            own: dict[str, Any] = {
                "connection": thing.connection,
                "name": thing.name,
                "video_type": thing.video_type,
            }
        case Call():
            own = {"connection": thing.connection, "state": state_of(thing)}
        case OutputState():
            own = {
                "name": thing.name,
                "tag": thing.tag,
                "status": status_of(thing),
                "duration_s": thing.duration_s,
                "size": thing.size,
            }
        case _:
            own = {"name": thing.name}
    return {"id": thing.id, **own, **_span(span), "reason": thing.reason}


def _span(span: Span) -> dict[str, Any]:
    return {
        "began_at": _iso(span.began_ms),
        "ended_at": None if span.ended_ms is None else _iso(span.ended_ms),
        "begin_told": span.begin_told,
        "end_told": span.end_told,
        "reason": span.reason,
    }


def _iso(at_ms: int) -> str | None:
    at = instant(at_ms)
    return iso(at) if at else None
