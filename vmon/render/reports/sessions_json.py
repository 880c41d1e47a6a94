"""Sessions as NDJSON, a session per line, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmon.capture.codec import safe_json
from vmon.events.names import display_name
from vmon.events.timestamps import instant
from vmon.humanize import handle, iso
from vmon.sessions.model import Call, OutputState, StreamState
from vmon.sessions.snapshot import state_of, status_of

if TYPE_CHECKING:
    from vmon.sessions.snapshot import Member, SessionSnapshot, Span, TimedPart

_OUTPUTS = {"archive": "archives", "broadcast": "broadcasts", "render": "renders"}


def as_json(laid: SessionSnapshot, *, counted: bool = True) -> str:
    """Format a session as a line without newline; events are null if they were not counted.

    An end is null while it is open; `end_told` false is an inferred end.
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
        "streams": [_thing(one) for one in laid.streams],
        "calls": [_thing(one) for one in laid.calls],
        **{name: [] for name in (*_OUTPUTS.values(), "captions")},
    }
    for one in laid.outputs:
        if isinstance(one.thing, OutputState):
            document[_OUTPUTS.get(one.thing.kind, one.thing.kind)].append(_thing(one))
    return safe_json(document).decode()


def _member(member: Member) -> dict[str, Any]:
    return {
        "connection": member.person.id,
        "name": member.person.name,
        "called": display_name(member.person.id, member.person.name),
        **_span(member.span),
        "streams": [_thing(one) for one in member.streams],
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
