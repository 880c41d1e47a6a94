"""A histogram of lags: percentiles in bounded memory, mergeable.

Absolute values below 2048 ms are kept exactly, larger ones to eleven binary digits: percentiles are
exact there, and else at most 0.1 % too small. Some ten thousand counters suffice for any number of
lags; minimum, maximum and count are exact.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXACT = 2048
_DIGITS = 11


class Histogram(Struct):
    """The lags counted so far, in ms; negative where clocks disagree.

    `far` are the minimum and the maximum of those that are not kept exactly.
    """

    counts: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    far: tuple[int, int] | None = None

    def note(self, ms: int) -> None:
        """Count a lag."""
        self.counts[ms if -_EXACT < ms < _EXACT else self._far(ms)] += 1

    def _far(self, ms: int) -> int:
        """Return the bucket of a lag that is not kept exactly."""
        least, most = self.far or (ms, ms)
        self.far = min(least, ms), max(most, ms)
        cut = ms.bit_length() - _DIGITS
        return (ms >> cut) << cut

    def add(self, other: Histogram) -> None:
        """Merge another histogram into this one."""
        for key, number in other.counts.items():
            self.counts[key] += number
        if other.far:
            least, most = self.far or other.far
            self.far = min(least, other.far[0]), max(most, other.far[1])

    @property
    def number(self) -> int:
        """The number of lags."""
        return sum(self.counts.values())

    @property
    def least(self) -> int:
        """The smallest; 0 without lags."""
        far = self.far[:1] if self.far else ()
        return min((*far, *self._exact()), default=0)

    @property
    def most(self) -> int:
        """The largest; 0 without lags."""
        far = self.far[1:] if self.far else ()
        return max((*far, *self._exact()), default=0)

    def _exact(self) -> Iterator[int]:
        return (key for key in self.counts if -_EXACT < key < _EXACT)

    def percentile(self, share: float) -> int | None:
        """Return the lag that a share (0 to 1) of all do not exceed; None without lags."""
        left = max(1, -int(-share * self.number // 1))  # the nearest rank
        for key in sorted(self.counts):
            left -= self.counts[key]
            if left <= 0:
                return max(key, self.least)
        return None
