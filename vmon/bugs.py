"""Bugs of our own code in a run: counted by kind, their tracebacks kept for the end."""

from __future__ import annotations

from collections import Counter

from vmon.errors import traceback_of

_MOST_KINDS = 16
"""Kinds of bugs whose tracebacks are kept; more are only counted."""


class Bugs:
    """The bugs of a run: the traceback of each kind, and how often it occurred.

    Exceptions are not kept: they hold references to the deliveries they were raised for.
    """

    def __init__(self) -> None:
        self.total = 0
        self._kinds: dict[tuple[str, str, int], str] = {}
        self._times: Counter[tuple[str, str, int]] = Counter()

    def note(self, error: Exception) -> bool:
        """Count a bug; whether it is the first of its kind. A type and a line make a kind."""
        self.total += 1
        kind = _kind(error)
        is_new = kind not in self._kinds and len(self._kinds) < _MOST_KINDS
        if is_new:
            self._kinds[kind] = traceback_of(error)
        if kind in self._kinds:
            self._times[kind] += 1
        return is_new

    def tracebacks(self) -> list[tuple[str, int]]:
        """A traceback and how often that bug occurred, for each kind."""
        return [(traceback, self._times[kind]) for kind, traceback in self._kinds.items()]


def _kind(error: Exception) -> tuple[str, str, int]:
    """The type of an exception, and the file and line that raised it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None:
        return type(error).__name__, "", 0
    return type(error).__name__, at.tb_frame.f_code.co_filename, at.tb_lineno
