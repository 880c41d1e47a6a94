"""The lifetimes of connections and streams, reduced for statistics, and their peaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from vmon.events.timestamps import FIRST_MS, FUTURE_MS, LAST_MS, in_ms
from vmon.sessions.model import latest_end_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmon.analysis.stats_row import StatsRow, Thing
    from vmon.histogram import Histogram


class Lifetime(Struct, gc=False):
    """Begin and end of a connection or stream, ms; 0: unknown. `owner` is a stream's connection."""

    begin: int = 0
    end: int = 0
    session: str | None = None
    owner: str | None = None


class Peak(NamedTuple):
    """The most at once, and when that began (ms since the epoch)."""

    number: int = 0
    at_ms: int = 0


class Lifetimes(Struct):
    """The lifetime of each connection and stream by its ID, and the ends of sessions (ms)."""

    people: dict[str, Lifetime] = {}
    streams: dict[str, Lifetime] = {}
    destroyed: dict[str, list[int]] = {}

    def peaks(self, last_ms: int) -> tuple[Peak, Peak]:
        """Compute the peaks of connections and streams.

        One without an end counts until the end of its connection or its session, or, at `last_ms`,
        of the capture.
        """
        people, streams = self.people.values(), self.streams.values()
        for ends in self.destroyed.values():
            ends.sort()
        return (
            peak([(one.begin, self._end(one, last_ms)) for one in people if one.begin]),
            peak([(one.begin, self._end(one, last_ms)) for one in streams if one.begin]),
        )

    def _end(self, life: Lifetime, last_ms: int) -> int:
        if life.end:
            return life.end
        owner = self.people.get(life.owner) if life.owner else None
        owner_ms = owner.end if owner and owner.end else None
        end_ms = latest_end_ms(life.begin, self.destroyed.get(life.session or "", []), owner_ms)
        return max(last_ms, life.begin) + 1 if end_ms is None else end_ms


def peak(spans: Iterable[tuple[int, int]]) -> Peak:
    """Compute the peak of overlapping spans (begin, exclusive end; ms)."""
    real = [span for span in spans if span[0] < span[1]]
    begins, ends = sorted(begin for begin, _ in real), sorted(end for _, end in real)
    best, ended = Peak(), 0
    for begun, at in enumerate(begins, start=1):
        while ends[ended] <= at:
            ended += 1
        if begun - ended > best.number:
            best = Peak(begun - ended, at)
    return best


def _note(
    lifetimes: dict[str, Lifetime], session: str | None, thing: Thing, begin: int, end: int
) -> None:
    """Merge the times of an event: the earliest begin, the earliest end; 0: it has none."""
    if not thing.id:
        return
    one = lifetimes.get(thing.id)
    if one is None:
        one = lifetimes[thing.id] = Lifetime(session=session)
    created = thing.created_at
    if created is not None and not FIRST_MS <= created <= LAST_MS:
        created = in_ms(created)
    if created is not None and created - FUTURE_MS > (begin or end or created):
        created = None
    if created is not None and (not begin or created < begin):
        begin = created
    if begin and (not one.begin or begin < one.begin):
        one.begin = begin
    if end and (not one.end or end < one.end):
        one.end = end
    owner = thing.connection
    if owner and owner.id and (one.owner is None or owner.id < one.owner):
        one.owner = owner.id


def _lag(lag: Histogram, at: int, thing: Thing) -> None:
    created = thing.created_at
    if created is not None and FIRST_MS <= created <= LAST_MS and created - at <= FUTURE_MS:
        lag.note(at - created)


def _connected(lifetimes: Lifetimes, row: StatsRow, at: int, lag: Histogram) -> None:
    if thing := row.body.connection:
        _note(lifetimes.people, row.session, thing, at, 0)
        _lag(lag, at, thing)


def _disconnected(lifetimes: Lifetimes, row: StatsRow, at: int, _: Histogram) -> None:
    if thing := row.body.connection:
        _note(lifetimes.people, row.session, thing, 0, at)


def _published(lifetimes: Lifetimes, row: StatsRow, at: int, lag: Histogram) -> None:
    if thing := row.body.stream:
        _note(lifetimes.streams, row.session, thing, at, 0)
        _lag(lag, at, thing)
        if thing.id and thing.connection:
            _note(lifetimes.people, row.session, thing.connection, 0, 0)


def _unpublished(lifetimes: Lifetimes, row: StatsRow, at: int, _: Histogram) -> None:
    if thing := row.body.stream:
        _note(lifetimes.streams, row.session, thing, 0, at)
        if thing.id and thing.connection:
            _note(lifetimes.people, row.session, thing.connection, 0, 0)


def _call_started(_: Lifetimes, row: StatsRow, at: int, lag: Histogram) -> None:
    if thing := row.body.call:
        _lag(lag, at, thing)


def _session_ended(lifetimes: Lifetimes, row: StatsRow, at: int, _: Histogram) -> None:
    if row.session is not None:
        lifetimes.destroyed.setdefault(row.session, []).append(at)


RECORDERS: dict[str, Callable[[Lifetimes, StatsRow, int, Histogram], None]] = {
    "connectionCreated": _connected,
    "connectionDestroyed": _disconnected,
    "streamCreated": _published,
    "streamDestroyed": _unpublished,
    "callCreated": _call_started,
    "sessionDestroyed": _session_ended,
}
"""The functions that record begins and ends, by event type."""
