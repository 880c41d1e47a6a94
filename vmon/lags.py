"""Percentiles of lags in bounded memory, with merging.

Whole ms are kept as they are up to about two seconds, and beyond to eleven binary digits: a
percentile is exact below 2048 ms and else at most 0.1 % too small. However many lags there are,
some ten thousand counters hold them; the least, the most and the number are exact.
"""

from __future__ import annotations

from msgspec import Struct, field

_EXACT = 2048
_DIGITS = 11


class Lags(Struct):
    """Lags noted so far, in ms; they may be negative, where clocks disagree."""

    counts: dict[int, int] = field(default_factory=dict)
    number: int = 0
    least: int = 0
    most: int = 0

    def note(self, ms: int) -> None:
        """Count a lag."""
        if not -_EXACT < ms < _EXACT:
            cut = ms.bit_length() - _DIGITS
            key = (ms >> cut) << cut
        else:
            key = ms
        counts = self.counts
        counts[key] = counts.get(key, 0) + 1
        if not self.number:
            self.least = self.most = ms
        elif ms > self.most:
            self.most = ms
        elif ms < self.least:
            self.least = ms
        self.number += 1

    def add(self, other: Lags) -> None:
        """Count all that another has counted."""
        if not other.number:
            return
        self.least = min(self.least, other.least) if self.number else other.least
        self.most = max(self.most, other.most) if self.number else other.most
        self.number += other.number
        for key, number in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + number

    def percentile(self, share: float) -> int | None:
        """The lag that so large a share (0 to 1) of all does not exceed; None without lags."""
        left = max(1, -int(-share * self.number // 1))  # the nearest rank
        for key in sorted(self.counts):
            left -= self.counts[key]
            if left <= 0:
                return min(max(key, self.least), self.most)
        return None
