"""Pairs of measurements, and the ratio of the two against its bound."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """A ratio of medians, its bound, and what the two medians were."""

    what: str
    ratio: float
    bound: float
    at_least: bool
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.ratio >= self.bound if self.at_least else self.ratio <= self.bound

    def __str__(self) -> str:
        """One aligned line."""
        sign = "≥" if self.at_least else "≤"
        verdict = "ok" if self.holds else "MISSED"
        return (
            f"{self.what:<54} {self.ratio:7.2f}  {sign} {self.bound:<5g} {verdict:<7} {self.detail}"
        )


def interleaved(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int
) -> tuple[float, float, float]:
    """Medians of both, measured in turn, and that of the ratios pair by pair (ours/theirs)."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    ratios = statistics.median(a / b for a, b in pairs)
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        ratios,
    )


def timed(argv: list[str]) -> float:
    """Seconds that a command takes from start to end, its output thrown away through a pipe.

    It runs in a folder where no settings of vmon's are.
    """
    begun = time.perf_counter()
    folder = tempfile.gettempdir()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=folder) as process:
        while process.stdout and process.stdout.read(1 << 20):
            pass
    return time.perf_counter() - begun
