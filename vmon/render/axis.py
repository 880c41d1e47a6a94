"""Ticks of a time axis."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from vmon.events.timestamps import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, local

_STEPS = (
    *(
        10,
        20,
        50,
        100,
        200,
        500,
        SECOND_MS,
        2 * SECOND_MS,
        5 * SECOND_MS,
        10 * SECOND_MS,
        15 * SECOND_MS,
        30 * SECOND_MS,
    ),
    *(MINUTE_MS, 2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS),
    *(
        HOUR_MS,
        2 * HOUR_MS,
        3 * HOUR_MS,
        6 * HOUR_MS,
        12 * HOUR_MS,
        DAY_MS,
        2 * DAY_MS,
        7 * DAY_MS,
        14 * DAY_MS,
        28 * DAY_MS,
        91 * DAY_MS,
        364 * DAY_MS,
    ),
)


class Tick(NamedTuple):
    """A tick of the axis: a round instant, and its label."""

    at_ms: int
    label: str


def ticks(from_ms: int, until_ms: int, limit: int) -> list[Tick]:
    """At most `limit` ticks at round local times between two instants, as dense as possible."""
    span_ms, limit = until_ms - from_ms, max(1, limit)
    years = _STEPS[-1] * (span_ms // (_STEPS[-1] * limit) + 1)
    step = next((step for step in _STEPS if span_ms // step < limit), years)
    offset_ms = _offset_ms(from_ms)
    first = -((from_ms + offset_ms) // -step) * step - offset_ms
    time_format = _time_format(step)
    return [Tick(at_ms, _label(at_ms, time_format)) for at_ms in range(first, until_ms + 1, step)]


def _offset_ms(at_ms: int) -> int:
    """The offset of local time from UTC at an instant."""
    offset = local(at_ms).utcoffset() or timedelta()
    return int(offset.total_seconds() * 1000)


def _time_format(step: int) -> str:
    if step >= DAY_MS:
        return "%m-%d" if step < 91 * DAY_MS else "%Y-%m"
    if step >= MINUTE_MS:
        return "%H:%M"
    return "%H:%M:%S" if step >= SECOND_MS else "%S.%f"


def _label(at_ms: int, time_format: str) -> str:
    text = local(at_ms).strftime(time_format)
    return text[:-3] if time_format.endswith("%f") else text
