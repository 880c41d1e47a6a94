"""The line at the foot of a terminal while `listen` runs: who is there now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from vmon.humanize import compact, count
from vmon.render.style import Paint, console

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.sessions.tracker import SessionTracker

_P95 = 0.95
_ECHO = 3
"""Columns left free: a `^C` that the terminal echoes there must not begin a new line."""
_LEAST_FIRST = (4, 3, 5, 2, 1, 6)
"""Parts left out where there is no room, in this order: duplicates, lag, hidden, streams,
connections, oddities."""


class StatusLine:
    """`2 sessions open · 5 connections · 4 streams · p95 lag 180ms · 3 hidden · 1 oddity`."""

    def __init__(self, tracker: SessionTracker, oddities: Callable[[], int]) -> None:
        self._tracker = tracker
        self._oddities = oddities
        self._console = console(sys.stdout)
        self._paint = Paint(self._console)
        self._last: bytes | None = None

    def __call__(self, hidden: int) -> bytes | None:
        """The line, shorter than the terminal is wide; None if it stands there already."""
        width = self._console.width - _ECHO
        text = status_text(self._tracker, self._oddities(), hidden, width)
        line = self._paint("dim", text).encode()
        if line == self._last:
            return None
        self._last = line
        return line


def status_text(
    tracker: SessionTracker, oddities: int, hidden: int, width: int | None = None
) -> str:
    """The words of the status line; zeros are left out, but for connections and streams.

    If they are wider than `width`, what matters least is left out first, and no word is cut before
    it stands alone.
    """
    there = tracker.occupancy()
    lag_ms = tracker.lags.percentile(_P95)
    parts = [
        f"{count(there.sessions, 'session')} open",
        count(there.people, "connection"),
        count(there.streams, "stream"),
        f"p95 lag {compact(lag_ms / 1000)}" if lag_ms is not None else "",
        count(tracker.duplicates, "duplicate") if tracker.duplicates else "",
        f"{hidden:,} hidden" if hidden else "",
        count(oddities, "oddity", "oddities") if oddities else "",
    ]
    for least in _LEAST_FIRST:
        if width is None or len(_joined(parts)) <= width:
            break
        parts[least] = ""
    text = _joined(parts)
    if width is None or len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def _joined(parts: list[str]) -> str:
    return " · ".join(filter(None, parts))
