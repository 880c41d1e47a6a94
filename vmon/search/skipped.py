"""What is said of a source's lines that hold no delivery: a few one by one, many in a sentence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.humanize import count
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.search.matching import BadLine

FEW = 3
"""So many are told one by one."""


class Skipped:
    """Collects the bad lines of a source, and warns of them at its end, on standard error.

    With `at_once`, where a source has no end, the first few are told as they come; without
    `has_numbers`, where it is read from its end, they have no line numbers.
    """

    def __init__(self, name: str, *, at_once: bool = False, has_numbers: bool = True) -> None:
        self._name = name
        self._has_numbers = has_numbers
        self._at_once = at_once
        self._first: list[BadLine] = []
        self.lines = 0
        self.found_inside: int | None = None
        """How many events were found inside lines of a log; None where there are none."""

    def __call__(self, bad: BadLine) -> None:
        """Note a line that holds nothing."""
        self.lines += 1
        if self.lines <= FEW:
            bad = bad if self._has_numbers else bad._replace(number=0)
            self._first.append(bad)
            if self._at_once:
                sys.stderr.write(f"warning: {bad}\n")
        elif self._at_once and self.lines == FEW + 1:
            sys.stderr.write(f"warning: {self._name}: further skipped lines are not reported\n")

    def end(self) -> None:
        """Say what there is to be said of the whole source."""
        sys.stderr.writelines(f"{sentence}\n" for sentence in self._sentences())

    def _sentences(self) -> Iterator[str]:
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
