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
    """A round instant of the axis, and how it is written."""

    at_ms: int
    label: str


def ticks(from_ms: int, until_ms: int, most: int) -> list[Tick]:
    """At most so many round instants of local time between two, as close as that allows."""
    span_ms, most = until_ms - from_ms, max(1, most)
    years = _STEPS[-1] * (span_ms // (_STEPS[-1] * most) + 1)
    step = next((one for one in _STEPS if span_ms // one < most), years)
    offset_ms = _offset_ms(from_ms)
    first = -((from_ms + offset_ms) // -step) * step - offset_ms
    form = _form(step)
    return [Tick(at_ms, _written(at_ms, form)) for at_ms in range(first, until_ms + 1, step)]


def _offset_ms(at_ms: int) -> int:
    """How far local time is ahead of UTC at an instant."""
    ahead = local(at_ms).utcoffset() or timedelta()
    return int(ahead.total_seconds() * 1000)


def _form(step: int) -> str:
    if step >= DAY_MS:
        return "%m-%d" if step < 91 * DAY_MS else "%Y-%m"
    if step >= MINUTE_MS:
        return "%H:%M"
    return "%H:%M:%S" if step >= SECOND_MS else "%S.%f"


def _written(at_ms: int, form: str) -> str:
    text = local(at_ms).strftime(form)
    return text[:-3] if form.endswith("%f") else text
