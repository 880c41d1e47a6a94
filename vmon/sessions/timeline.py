"""The timeline of a session as data: rows of spans and marks. Formatters draw it.

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
from vmon.events.names import display_name
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
"""The kind and the ID of a part of a session."""

Fault = Literal["failed", "late", "again"]


class Mark(NamedTuple):
    """A single event to mark on the timeline: a failure, a late event, or a duplicate.

    `at_ms` is 0 if the event has no time: then it has no place in the chart.
    """

    at_ms: int
    fault: Fault
    key: Key
    text: str


class Row(NamedTuple):
    """A row of the chart. `kind` is a group of the catalogue; `name` is disarmed.

    A part without a time has no span.
    """

    kind: str
    name: str
    id: str
    depth: int
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...]
    reason: str | None


class Chart(NamedTuple):
    """The rows of a session, and the time from its first bar to its last; 0 without any time."""

    session: str
    from_ms: int
    until_ms: int
    now_ms: int
    rows: tuple[Row, ...]

    def at(self, at_ms: int) -> float:
        """Return the position of an instant between the left edge (0) and the right edge (1)."""
        width_ms = self.until_ms - self.from_ms or 1
        return min(1.0, max(0.0, (at_ms - self.from_ms) / width_ms))


# Marks.

_BREAKS = frozenset({"networkDisconnected", "Internal server failure", "failure"})
_CLEARED = "700"


def marks_of(entry: Entry, change: ApplyResult) -> Iterator[Mark]:
    """Yield the marks of a delivery that was applied to the session store."""
    event, at_ms = entry.event, entry.occurred_ms
    if change.copies > 1:
        again = again_in_words(entry.delivery.path, change.copies_here, change.since_first_s)
        text = f"{disarm(event.type)}, {again}"
        yield Mark(at_ms, "again", key_of(event), text)
        return
    if failure := failure_of(event):
        yield Mark(at_ms, "failed", key_of(event), failure)
    if change.late_s:
        text = f"{disarm(event.type)}, {duration(change.late_s)} late"
        yield Mark(at_ms, "late", key_of(event), text)


def failure_of(event: Event) -> str | None:
    """Describe the failure that an event reports; None when it reports none."""
    reason = disarm(event.reason or "")
    if event.status == "failed":
        return f"failed: {reason}" if reason else "failed"
    if isinstance(event, CallEvent) and event.reason_code not in {None, "", _CLEARED}:
        return f"{disarm(str(event.reason_code))} {reason}".strip()
    return reason if event.reason in _BREAKS else None


def key_of(event: Event) -> Key:
    """Return the key of the part that an event is about; else of the session."""
    kind, identifier = "session", event.session_id
    match event:
        case ConnectionEvent():
            kind, identifier = "connection", event.connection_id
        case StreamEvent():
            kind, identifier = "stream", event.stream_id
        case CallEvent():
            kind, identifier = "call", event.call_id
        case CaptionsEvent():
            kind, identifier = "captions", event.captions_id or event.caption_id
        case ArchiveEvent() | BroadcastEvent() | RenderEvent():
            kind, identifier = event.type, event.id
        case _:
            pass
    return (kind, identifier) if identifier else ("session", event.session_id or "")


# Rows.

_LONG_AGO_MS = 7 * 86_400_000
"""The chart begins at most this long before the session's first event."""
_LEAST_MS = 1000


def chart(snapshot: SessionSnapshot, marks: Iterable[Mark], now_ms: int) -> Chart:
    """Lay out the chart of a session; open spans extend to `now_ms`."""
    by_key: dict[Key, list[Mark]] = {}
    for mark in sorted(marks):
        by_key.setdefault(mark.key, []).append(mark)
    rows = tuple(_rows(snapshot, by_key))
    spans = [span for row in rows for span in row.spans]
    marked = [mark.at_ms for row in rows for mark in row.marks if mark.at_ms]
    if not spans and not marked:
        return Chart(snapshot.session.id, 0, 0, now_ms, rows)
    earliest = snapshot.session.first_ms - _LONG_AGO_MS
    from_ms = max(earliest, min([*(span.began_ms for span in spans), *marked]))
    ends = [now_ms if span.ended_ms is None else span.ended_ms for span in spans]
    until_ms = max([*ends, *marked, from_ms + _LEAST_MS])
    return Chart(snapshot.session.id, from_ms, until_ms, now_ms, rows)


def _rows(snapshot: SessionSnapshot, marks: dict[Key, list[Mark]]) -> Iterator[Row]:
    session = snapshot.session
    rows = [_row(part, depth) for part, depth in _parts(snapshot)]
    keys = {("session", session.id)} | {(row.kind, row.id) for row in rows}
    own = [mark for key, some in marks.items() if key not in keys for mark in some]
    own += marks.get(("session", session.id), [])
    name = f"session {handle(session.id, 'session')}"
    reason = snapshot.rounds[-1].reason
    rounds = tuple(one for one in snapshot.rounds if one.is_dated)
    yield Row("session", name, session.id, 0, rounds, tuple(sorted(own)), reason)
    for row in rows:
        yield row._replace(marks=tuple(marks.get((row.kind, row.id), ())))


def _parts(snapshot: SessionSnapshot) -> Iterator[tuple[TimedPart, int]]:
    """Yield the parts of a session with their depth: each publisher, then its streams and calls."""
    from vmon.sessions.snapshot import TimedPart

    for member in snapshot.members:
        yield TimedPart(member.person, member.span), 0
        for part in (*member.streams, *member.calls):
            yield part, 1
    for part in (*snapshot.streams, *snapshot.calls, *snapshot.outputs):
        yield part, 0


def _row(timed: TimedPart, depth: int) -> Row:
    part, span = timed
    kind = _kind(part)
    spans = (span,) if span.is_dated else ()
    return Row(kind, _name(part), part.id, depth, spans, (), odd_reason(part, span))


_ENDS = {
    ConnectionState: "connectionDestroyed",
    StreamState: "streamDestroyed",
    Call: "callDestroyed",
}


def odd_reason(part: Part, span: Span) -> str | None:
    """Return the reason of a part's end or status; None for the ordinary reasons."""
    if isinstance(part, OutputState):
        reason, type_ = part.reason, str(part.kind)
    else:
        reason, type_ = span.reason, _ENDS[type(part)]
    return reason if reason and reason not in ALL[type_].ordinary_reasons else None


def _kind(part: Part) -> str:
    match part:
        case ConnectionState():
            return "connection"
        case StreamState():
            return "stream"
        case Call():
            return "call"
        case OutputState():
            return part.kind


def _name(part: Part) -> str:
    match part:
        case ConnectionState():
            return disarm(display_name(part.id, part.name))
        case StreamState():
            kind, name, tag = part.video_type or "audio only", part.name, None
        case Call():
            kind, name, tag = f"call {state_of(part) or ''}".strip(), None, None
        case OutputState():
            kind = f"{part.kind} {status_of(part) or ''}".strip()
            name, tag = part.name, part.tag
    called_so = f' "{disarm(name)}"' if name else ""
    return disarm(kind) + called_so + (f" tag {disarm(tag)}" if tag else "")


def labelled_marks(chart: Chart) -> list[tuple[Mark, str]]:
    """List the marks in order, each with the name of the part it is about: `camera of Ann`."""
    labelled: list[tuple[Mark, str]] = []
    owner = ""
    for row in chart.rows:
        owner = owner if row.depth else row.name
        name = f"{row.name} of {owner}" if row.depth else row.name
        labelled += [(mark, name) for mark in row.marks]
    return sorted(labelled)
