"""A session over time: rows of bars and marks, and the ticks of their axis; no drawing yet.

Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from vmon.events.catalogue import ALL
from vmon.events.models import (
    ArchiveEvent,
    BroadcastEvent,
    CallEvent,
    CaptionsEvent,
    ConnectionEvent,
    RenderEvent,
    StreamEvent,
)
from vmon.events.names import called
from vmon.humanize import duration, handle
from vmon.sanitize import disarm
from vmon.sessions.model import Call, ConnectionState, OutputState, StreamState
from vmon.sessions.paths import again_in_words
from vmon.sessions.snapshot import state_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.sessions.model import Part
    from vmon.sessions.snapshot import SessionSnapshot, Span, TimedPart
    from vmon.sessions.store import ApplyResult

Key = tuple[str, str]
"""The kind and the id of a thing."""

Fault = Literal["failed", "late", "again"]


class Mark(NamedTuple):
    """A single event that stands out: something failed, it came late, or it came again."""

    at_ms: int
    fault: Fault
    key: Key
    said: str


class Row(NamedTuple):
    """A line of the chart. `kind` is a group of the catalogue; `name` is harmless."""

    kind: str
    name: str
    id: str
    depth: int
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    reason: str | None


class Chart(NamedTuple):
    """The rows of a session, and the time from its first bar to its last."""

    session: str
    from_ms: int
    until_ms: int
    now_ms: int
    rows: tuple[Row, ...]

    def at(self, at_ms: int) -> float:
        """Where an instant is between the left edge (0) and the right one (1)."""
        whole = self.until_ms - self.from_ms
        return min(1.0, max(0.0, (at_ms - self.from_ms) / whole))


# Marks.

_LATE_S = 1.0
"""What is less out of order than this happened at once; nor can be late what nobody received."""
_BREAKS = frozenset({"networkDisconnected", "Internal server failure", "failure"})
_CLEARED = "700"


def marks_of(entry: Entry, change: ApplyResult) -> Iterator[Mark]:
    """What stands out about a delivery that was entered in a book."""
    event, at_ms = entry.event, entry.occurred_ms
    if change.copies > 1:
        again = again_in_words(entry.delivery.path, change.copies_here, change.since_first_s)
        said = f"{disarm(event.type)}, {again}"
        yield Mark(at_ms, "again", key_of(event), said)
        return
    if why := failure_of(event):
        yield Mark(at_ms, "failed", key_of(event), why)
    if change.late_s >= _LATE_S and entry.delivery.remote is not None:
        said = f"{disarm(event.type)}, {duration(change.late_s)} late"
        yield Mark(at_ms, "late", key_of(event), said)


def failure_of(event: Event) -> str | None:
    """How an event says that something failed; None when it does not."""
    reason = disarm(event.reason or "")
    if event.status == "failed":
        return f"failed: {reason}" if reason else "failed"
    if isinstance(event, CallEvent) and event.reason_code not in {None, "", _CLEARED}:
        return f"{disarm(str(event.reason_code))} {reason}".strip()
    return reason if event.reason in _BREAKS else None


def key_of(event: Event) -> Key:
    """The thing an event is about; the session where it is no other."""
    match event:
        case ConnectionEvent():
            found = "connection", event.connection_id
        case StreamEvent():
            found = "stream", event.stream_id
        case CallEvent():
            found = "call", event.call_id
        case CaptionsEvent():
            found = "captions", event.captions_id or event.caption_id
        case ArchiveEvent() | BroadcastEvent() | RenderEvent():
            found = event.type, event.id
        case _:
            found = "session", event.session_id
    kind, identifier = found
    return (kind, identifier) if identifier else ("session", event.session_id or "")


# Rows.

_LONG_AGO_MS = 7 * 86_400_000
"""What began so long before the session's first event does not stretch the chart."""
_LEAST_MS = 1000


def chart(laid: SessionSnapshot, marks: Iterable[Mark], now_ms: int) -> Chart:
    """The chart of a session; what is open goes on until `now_ms`."""
    by_key: dict[Key, list[Mark]] = {}
    for mark in sorted(marks):
        by_key.setdefault(mark.key, []).append(mark)
    rows = tuple(_rows(laid, by_key))
    spans = [span for row in rows for span in row.spans]
    known = [mark.at_ms for row in rows for mark in row.marks]
    earliest = laid.session.first_ms - _LONG_AGO_MS
    from_ms = max(earliest, min([*(one.began_ms for one in spans), *known]))
    ends = [now_ms if one.ended_ms is None else one.ended_ms for one in spans]
    until_ms = max(*ends, *known, from_ms + _LEAST_MS)
    return Chart(laid.session.id, from_ms, until_ms, now_ms, rows)


def _rows(laid: SessionSnapshot, marks: dict[Key, list[Mark]]) -> Iterator[Row]:
    session = laid.session
    told = {("session", session.id)}
    rows = [_row(one, depth) for one, depth in _things(laid)]
    told |= {(row.kind, row.id) for row in rows}
    own = [mark for key, some in marks.items() if key not in told for mark in some]
    own += marks.get(("session", session.id), [])
    name = f"session {handle(session.id, 'session')}"
    reason = laid.rounds[-1].reason
    yield Row("session", name, session.id, 0, tuple(laid.rounds), tuple(sorted(own)), reason)
    for row in rows:
        yield row._replace(marks=tuple(marks.get((row.kind, row.id), ())))


def _things(laid: SessionSnapshot) -> Iterator[tuple[TimedPart, int]]:
    """Everything in a session with how deep it stands: who publishes, then what."""
    from vmon.sessions.snapshot import TimedPart

    for member in laid.members:
        yield TimedPart(member.person, member.span), 0
        for one in (*member.feeds, *member.calls):
            yield one, 1
    for one in (*laid.feeds, *laid.calls, *laid.jobs):
        yield one, 0


def _row(seen: TimedPart, depth: int) -> Row:
    thing, span = seen
    kind = _kind(thing)
    return Row(kind, _name(thing), thing.id, depth, (span,), (), odd_reason(thing, span))


_ENDS = {
    ConnectionState: "connectionDestroyed",
    StreamState: "streamDestroyed",
    Call: "callDestroyed",
}


def odd_reason(thing: Part, span: Span) -> str | None:
    """Why a thing ended or stands where it does, where that is not the ordinary reason."""
    if isinstance(thing, OutputState):
        reason, type_ = thing.reason, str(thing.kind)
    else:
        reason, type_ = span.reason, _ENDS[type(thing)]
    return reason if reason and reason not in ALL[type_].ordinary_reasons else None


def _kind(thing: Part) -> str:
    match thing:
        case ConnectionState():
            return "connection"
        case StreamState():
            return "stream"
        case Call():
            return "call"
        case OutputState():
            return thing.kind


def _name(thing: Part) -> str:
    match thing:
        case ConnectionState():
            return disarm(called(thing.id, thing.name))
        case StreamState():
            kind, name, tag = thing.video_type or "audio only", thing.name, None
        case Call():
            kind, name, tag = f"call {state_of(thing) or ''}".strip(), None, None
        case OutputState():
            kind = f"{thing.kind} {status_of(thing) or ''}".strip()
            name, tag = thing.name, thing.tag
    called_so = f' "{disarm(name)}"' if name else ""
    return disarm(kind) + called_so + (f" tag {disarm(tag)}" if tag else "")


def told(made: Chart) -> list[tuple[Mark, str]]:
    """The marks in their order, each with the name of what it is about: `camera of Ann`."""
    found: list[tuple[Mark, str]] = []
    owner = ""
    for row in made.rows:
        owner = owner if row.depth else row.name
        name = f"{row.name} of {owner}" if row.depth else row.name
        found += [(mark, name) for mark in row.marks]
    return sorted(found)


# Ticks.
