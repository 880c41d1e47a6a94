"""Compute usage in minutes: connected and published time, with lower and upper bounds.

Every span is in whole ms. The low bound is certain; a span without an end may have lasted until
something proves the contrary, which is the high bound. What each span may add, and why, is kept, so
that a difference from other figures, such as an invoice, can be explained span by span.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct, field

from vmon.events.models import ArchiveEvent
from vmon.events.names import display_name
from vmon.events.timestamps import LAST_MS
from vmon.sessions.model import BEGUN, StreamState, first_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry
    from vmon.sessions.model import ConnectionState, Session

By = Literal["session", "connection", "day"]
Kind = Literal["connection", "stream"]
Until = Literal["capture", "session", "connection", "year"]
Why = Literal["open", "unannounced", "unbegun", "backwards", "ahead", "ancient"]
"""Why a span needs an explanation.

open         no end event: alive at least until the low end, at most until the high one
unannounced  no created event: it counts from createdAt
unbegun      its begin is unknown: it counts nothing
backwards    it ends before it begins, because clocks disagree: it counts nothing
ahead        its end is after the last delivery was received: it counts until then
ancient      its begin is over a year before its last event: it counts nothing
"""

DAY_MS = 86_400_000
_LONGEST_MS = 366 * DAY_MS
"""The longest credible span: beyond it a clock is wrong or a time forged. Bounds the day rows."""
_RECORDED = frozenset({"started", "paused"})


class LastSeen:
    """What the session store does not keep: the last event naming each part; the capture's span."""

    def __init__(self) -> None:
        self.last: dict[str, int] = {}
        self.first_ms: int | None = None
        self.end_ms = 0

    def span(self, received_ms: int) -> None:
        """Note a receipt; a bare body without a time has none."""
        if not received_ms:
            return
        self.first_ms = received_ms if self.first_ms is None else min(self.first_ms, received_ms)
        self.end_ms = max(self.end_ms, received_ms)

    def note(self, entry: Entry) -> None:
        """Note the parts that an entry proves to be alive."""
        event, at_ms = entry.event, entry.occurred_ms
        named = [event.connection_id, event.stream_id]
        if isinstance(event, ArchiveEvent) and event.status in _RECORDED:
            named += [one.stream_id for one in event.streams or ()]
        for one in named:
            if one and at_ms > self.last.get(one, 0):
                self.last[one] = at_ms


class Span(NamedTuple):
    """The span of a connection or stream, ms since the epoch; `low` and `high` bound its end.

    `connection` is the stream's publisher, or the connection itself. `until` says what bounds an
    open one: the capture, its session's end or its connection's, or a year.
    """

    kind: Kind
    session: str
    id: str
    connection: str | None
    name: str | None
    begin: int
    low: int
    high: int
    why: Why | None = None
    until: Until = "capture"


class Bounds(Struct):
    """A lower and an upper bound, ms."""

    low: int = 0
    high: int = 0

    def add(self, low: int, high: int) -> None:
        """Add to both."""
        self.low += low
        self.high += high


class Row(Struct):
    """The minutes of a session, a connection or a day (UTC; its first ms), or of all.

    `participant` is of `connected` what had a published stream in its session.
    """

    session: str | None = None
    connection: str | None = None
    name: str | None = None
    day_ms: int | None = None
    connections: int = 0
    streams: int = 0
    connected: Bounds = field(default_factory=Bounds)
    participant: Bounds = field(default_factory=Bounds)
    published: Bounds = field(default_factory=Bounds)


class Usage(Struct):
    """Rows and their total. `explained` are the uncertain spans, with what each may add.

    All in ms, largest first.
    """

    by: By
    window: tuple[int | None, int | None]
    rows: list[Row]
    total: Row
    explained: list[tuple[Span, int]]
    duplicates: int
    first_ms: int | None
    end_ms: int


def usage_of(
    sessions: Iterable[Session],
    seen: LastSeen,
    by: By = "session",
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Usage:
    """Compute the usage of all sessions between two instants; open spans last until the later."""
    end = seen.end_ms if until_ms is None else until_ms
    window = (since_ms or 0, LAST_MS if until_ms is None else until_ms)
    rows: dict[tuple[str | int | None, ...], Row] = {}
    total, explained, duplicates = Row(), list[tuple[Span, int]](), 0
    for session in sessions:
        duplicates += session.duplicates
        spans = [one for one in spans_of(session, seen, end) if _within(one, window)]
        explained += _explained(spans, window)
        published = _published_times(spans)
        for one in spans:
            _add_span(total, one, published, window)
            for row, part in _rows(rows, one, by, window):
                _add_span(row, one, published, part)
    explained.sort(key=lambda pair: (-pair[1], pair[0].begin))
    limits = since_ms, until_ms
    return Usage(
        by, limits, _sorted(rows, by), total, explained, duplicates, seen.first_ms, seen.end_ms
    )


# Spans.


def spans_of(session: Session, seen: LastSeen, end_ms: int) -> Iterator[Span]:
    """Yield the spans of a session's connections and streams, open ones until `end_ms` at most."""
    ends = sorted(session.destroyed)
    for person in session.people.values():
        yield _credible(_span(session, person, None, ends, seen, end_ms))
    for stream in session.streams.values():
        owner = session.people.get(stream.connection or "")
        yield _credible(_span(session, stream, owner, ends, seen, end_ms))


def _credible(span: Span) -> Span:
    """Cut a span that lasts for over a year."""
    latest = span.begin + _LONGEST_MS
    if span.low > latest:
        return span._replace(low=span.begin, high=span.begin, why="ancient")
    return span._replace(high=latest, until="year") if span.high > latest else span


def _span(  # noqa: PLR0913, PLR0917 - a span follows from so many things
    session: Session,
    one: ConnectionState | StreamState,
    owner: ConnectionState | None,
    ends: list[int],
    seen: LastSeen,
    end_ms: int,
) -> Span:
    kind: Kind = "stream" if isinstance(one, StreamState) else "connection"
    connection = one.connection if isinstance(one, StreamState) else one.id
    person = owner if isinstance(one, StreamState) else one
    name = display_name(person.id, person.name) if person else None
    whose = kind, session.id, one.id, connection, name
    begin = one.created_ms
    if not begin:
        at = one.ended_ms or seen.last.get(one.id, 0)
        return Span(*whose, at, at, at, "unbegun")
    if one.ended_ms is None:
        low = max(begin, min(seen.last.get(one.id, begin), max(begin, end_ms)))
        high, until = _at_most(ends, owner, low, max(low, end_ms))
        return Span(*whose, begin, low, high, "open", until)
    if one.ended_ms < begin:
        return Span(*whose, begin, one.ended_ms, one.ended_ms, "backwards")
    if one.ended_ms > seen.end_ms + DAY_MS:
        end = max(begin, seen.end_ms)
        return Span(*whose, begin, end, end, "ahead")
    why: Why | None = None if one.seen & BEGUN else "unannounced"
    return Span(*whose, begin, one.ended_ms, one.ended_ms, why)


def _at_most(
    ends: list[int], owner: ConnectionState | None, low: int, end_ms: int
) -> tuple[int, Until]:
    """Return the latest end of a part that was alive at `low`, and what bounds it."""
    limits: list[tuple[int, Until]] = [(end_ms, "capture")]
    if (destroyed := first_after(ends, low - 1)) is not None:
        limits.append((destroyed, "session"))
    if owner and owner.ended_ms is not None:
        limits.append((max(low, owner.ended_ms), "connection"))
    return min(limits, key=lambda limit: limit[0])


def _explained(spans: list[Span], window: tuple[int, int]) -> Iterator[tuple[Span, int]]:
    """Yield the uncertain spans, and what each may add within a window."""
    for one in spans:
        adds = _common((one.begin, one.high), window) - _common((one.begin, one.low), window)
        if one.why and (one.why != "open" or one.low < window[1]):
            yield one, adds


# Sums.

_Window = tuple[int, int]


def _within(span: Span, window: _Window) -> bool:
    return span.begin < window[1] and max(span.high, span.begin) >= window[0]


class _PublishedTimes(NamedTuple):
    """The times with at least one published stream in a session: disjoint, in order."""

    low: list[_Window]
    high: list[_Window]


def _published_times(spans: list[Span]) -> _PublishedTimes:
    streams = [one for one in spans if one.kind == "stream"]
    return _PublishedTimes(
        _joined((one.begin, one.low) for one in streams),
        _joined((one.begin, one.high) for one in streams),
    )


def _joined(parts: Iterable[_Window]) -> list[_Window]:
    out: list[_Window] = []
    for begin, end in sorted(part for part in parts if part[0] < part[1]):
        if out and begin <= out[-1][1]:
            out[-1] = out[-1][0], max(end, out[-1][1])
        else:
            out.append((begin, end))
    return out


def _common(one: _Window, other: _Window) -> int:
    return max(0, min(one[1], other[1]) - max(one[0], other[0]))


def _add_span(row: Row, span: Span, published: _PublishedTimes, window: _Window) -> None:
    """Add the part of a span that is in a window."""
    low, high = (span.begin, span.low), (span.begin, span.high)
    if not _within(span, window):
        return
    if span.kind == "stream":
        row.streams += 1
        row.published.add(_common(low, window), _common(high, window))
        return
    row.connections += 1
    row.connected.add(_common(low, window), _common(high, window))
    row.participant.add(
        _covered((max(low[0], window[0]), min(low[1], window[1])), published.low),
        _covered((max(high[0], window[0]), min(high[1], window[1])), published.high),
    )


def _covered(one: _Window, parts: list[_Window]) -> int:
    first = bisect_right(parts, one[0], key=lambda part: part[1])
    last = bisect_left(parts, one[1], key=lambda part: part[0])
    return sum(_common(one, part) for part in parts[first:last])


def _rows(
    rows: dict[tuple[str | int | None, ...], Row], span: Span, by: By, window: _Window
) -> Iterator[tuple[Row, _Window]]:
    """Yield the rows that a span counts in, each with its part of the window."""
    match by:
        case "session":
            yield rows.setdefault((span.session,), Row(span.session)), window
        case "connection":
            key = span.session, span.connection
            row = rows.setdefault(key, Row(span.session, span.connection))
            row.name = row.name or span.name
            yield row, window
        case "day":
            begin, end = max(span.begin, window[0]), min(max(span.begin, span.high), window[1])
            for day in range(begin // DAY_MS, end // DAY_MS + (begin <= end)):
                at = day * DAY_MS
                if at < end or at <= begin:
                    part = max(at, window[0]), min(at + DAY_MS, window[1])
                    yield rows.setdefault((at,), Row(day_ms=at)), part


def _sorted(rows: dict[tuple[str | int | None, ...], Row], by: By) -> list[Row]:
    """Sort rows: days in order; sessions and connections by their minutes, descending."""
    found = [row for row in rows.values() if row.connections or row.streams]
    if by == "day":
        return sorted(found, key=lambda row: row.day_ms or 0)
    return sorted(found, key=lambda row: (-row.connected.high, -row.published.high))


# For people and machines.


def minutes(ms: int, places: int = 1) -> str:
    """Format ms as minutes, rounded once, half up: `20.1`."""
    scale: int = 10**places
    tenths = (ms * scale + 30_000) // 60_000
    return f"{tenths // scale}.{tenths % scale:0{places}}"


def utc(ms: int) -> str:
    """Format an instant to the second: `2016-08-03 20:54:48Z`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def day(ms: int) -> str:
    """Format the day of an instant: `2016-08-03`."""
    return utc(ms)[:10]
