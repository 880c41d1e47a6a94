"""Ticks of a time axis."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from vmon.events.timestamps import _D, _H, _MIN, _S, local

_STEPS = (
    *(10, 20, 50, 100, 200, 500, _S, 2 * _S, 5 * _S, 10 * _S, 15 * _S, 30 * _S),
    *(_MIN, 2 * _MIN, 5 * _MIN, 10 * _MIN, 15 * _MIN, 30 * _MIN),
    *(_H, 2 * _H, 3 * _H, 6 * _H, 12 * _H, _D, 2 * _D, 7 * _D, 14 * _D, 28 * _D, 91 * _D, 364 * _D),
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
    if step >= _D:
        return "%m-%d" if step < 91 * _D else "%Y-%m"
    if step >= _MIN:
        return "%H:%M"
    return "%H:%M:%S" if step >= _S else "%S.%f"


def _written(at_ms: int, form: str) -> str:
    said = local(at_ms).strftime(form)
    return said[:-3] if form.endswith("%f") else said
