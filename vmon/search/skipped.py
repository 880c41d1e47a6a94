"""Warnings about lines without a delivery: a few lines one by one, many in one sentence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.humanize import count
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.search.matching import BadLine

FEW = 3
"""Up to so many lines are reported one by one."""


class Skipped:
    """Collects the bad lines of a source, and prints warnings about them at its end (stderr).

    With `at_once`, for a followed source, the first few are printed immediately; without
    `has_numbers`, for a file read backwards, warnings have no line numbers.
    """

    def __init__(self, name: str, *, at_once: bool = False, has_numbers: bool = True) -> None:
        self._name = name
        self._has_numbers = has_numbers
        self._at_once = at_once
        self._first: list[BadLine] = []
        self.lines = 0
        self.found_inside: int | None = None
        """How many events inside log lines were selected; None where there were no such events."""

    def __call__(self, bad: BadLine) -> None:
        """Record a line without a delivery."""
        self.lines += 1
        if self.lines <= FEW:
            bad = bad if self._has_numbers else bad._replace(number=0)
            self._first.append(bad)
            if self._at_once:
                sys.stderr.write(f"warning: {bad}\n")
        elif self._at_once and self.lines == FEW + 1:
            sys.stderr.write(f"warning: {self._name}: further skipped lines are not reported\n")

    def end(self) -> None:
        """Print the warnings about the whole source."""
        sys.stderr.writelines(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        name = disarm(self._name)
        if self.found_inside is not None:
            others = f", {count(self.lines, 'other line')} skipped" if self.lines else ""
            yield f"{name}: {count(self.found_inside, 'event')} found inside log lines{others}"
        elif self._at_once:
            return
        elif self.lines <= FEW:
            yield from (f"warning: {bad}" for bad in self._first)
        else:
            first = self._first[0]
            place = f"line {first.number}" if first.number else "first"
            yield f"warning: {name}: {self.lines:,} lines skipped; {place}: {disarm(first.why)}"
