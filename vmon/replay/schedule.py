"""Schedule stored deliveries: at their original pace, faster, and with shorter pauses."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry


class PlaybackSpeed(Struct, frozen=True):
    """The speed of a replay: `speed` times as fast, and no pause longer than `max_gap_s`.

    Times are those of receipt, or, with `by_event`, those in the events.
    """

    speed: float = 1.0
    max_gap_s: float = 2.0
    by_event: bool = False

    def at_s(self, entry: Entry) -> float | None:
        """The time of an entry, in seconds since the epoch; None if it has none."""
        if self.by_event:
            return entry.occurred_ms / 1000 or None
        at = entry.delivery.received_or_none
        return at.timestamp() if at else None


class ScheduledDelivery(Struct, frozen=True):
    """An entry, its due time (seconds after the start), and how much its pause was shortened."""

    at_s: float
    entry: Entry
    line: bytes
    cut_s: float


def schedule(
    entries: Iterable[tuple[bytes, Entry]], speed: PlaybackSpeed
) -> Iterator[ScheduledDelivery]:
    """Schedule entries: pauses are kept up to the maximum; due times never decrease."""
    at_s, last = 0.0, None
    for line, entry in entries:
        time_s = speed.at_s(entry)
        pause = 0.0 if last is None or time_s is None else max(0.0, time_s - last)
        shortened = min(pause, speed.max_gap_s)
        at_s += shortened / speed.speed
        last = max(filter(None, (last, time_s)), default=None)
        yield ScheduledDelivery(at_s, entry, line, pause - shortened if speed.speed != inf else 0.0)


class ReplayEstimate(Struct):
    """The estimate of a replay, for `--dry-run`; `span_s` of the entries, `takes_s` to replay."""

    deliveries: int = 0
    span_s: float = 0.0
    takes_s: float = 0.0
    cut: int = 0
    out_of_order: int = 0
    types: Counter[str] = field(default_factory=Counter)


def estimate(entries: Iterable[tuple[bytes, Entry]], speed: PlaybackSpeed) -> ReplayEstimate:
    """Count entries, and estimate how long their replay takes.

    An entry is out of order if its time is before that of the previous one.
    """
    result, first, last, previous = ReplayEstimate(), None, None, None
    for delivery in schedule(entries, speed):
        if (time_s := speed.at_s(delivery.entry)) is not None:
            first = time_s if first is None else min(first, time_s)
            last = time_s if last is None else max(last, time_s)
            result.out_of_order += previous is not None and time_s < previous
            previous = time_s
        result.deliveries += 1
        result.types[delivery.entry.type] += 1
        result.takes_s = delivery.at_s
        result.cut += delivery.cut_s > 0
    result.span_s = last - first if first is not None and last is not None else 0.0
    return result
