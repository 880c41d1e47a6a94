"""When stored deliveries are due again: in their own time, faster, and without the long pauses."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry


class PlaybackSpeed(Struct, frozen=True):
    """How time passes: so many times as fast, and no pause longer than `max_gap_s`.

    Time is that of receipt, or, with `by_event`, that which events tell.
    """

    speed: float = 1.0
    max_gap_s: float = 2.0
    by_event: bool = False

    def at_s(self, entry: Entry) -> float | None:
        """When an entry was, in seconds since the epoch; None where it has no time."""
        if self.by_event:
            return entry.occurred_ms / 1000 or None
        at = entry.delivery.received_or_none
        return at.timestamp() if at else None


class ScheduledDelivery(Struct, frozen=True):
    """An entry, when it is due (seconds after the start), and the pause that was cut short."""

    at_s: float
    entry: Entry
    line: bytes
    cut_s: float


def schedule(
    entries: Iterable[tuple[bytes, Entry]], pace: PlaybackSpeed
) -> Iterator[ScheduledDelivery]:
    """When each entry is due: pauses as they were, shortened; never back in time."""
    at_s, last = 0.0, None
    for line, entry in entries:
        then = pace.at_s(entry)
        pause = 0.0 if last is None or then is None else max(0.0, then - last)
        waited = min(pause, pace.max_gap_s)
        at_s += waited / pace.speed
        last = max(filter(None, (last, then)), default=None)
        yield ScheduledDelivery(at_s, entry, line, pause - waited if pace.speed != inf else 0.0)


class ReplayEstimate(Struct):
    """What a replay would be, without its being done: `--dry-run`."""

    deliveries: int = 0
    span_s: float = 0.0
    takes_s: float = 0.0
    cut: int = 0
    out_of_order: int = 0
    types: Counter[str] = field(default_factory=Counter)


def estimate(entries: Iterable[tuple[bytes, Entry]], pace: PlaybackSpeed) -> ReplayEstimate:
    """Count entries, and say how long they would take.

    Out of order is what was received (or happened) before the one ahead of it.
    """
    result, first, last, before = ReplayEstimate(), None, None, None
    for delivery in schedule(entries, pace):
        if (then := pace.at_s(delivery.entry)) is not None:
            first = then if first is None else min(first, then)
            last = then if last is None else max(last, then)
            result.out_of_order += before is not None and then < before
            before = then
        result.deliveries += 1
        result.types[delivery.entry.type] += 1
        result.takes_s = delivery.at_s
        result.cut += delivery.cut_s > 0
    result.span_s = last - first if first is not None and last is not None else 0.0
    return result
