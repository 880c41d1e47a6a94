"""Ids of deliveries."""

from __future__ import annotations

import os
import time


class Ids:
    """A generator of sortable unique IDs: microseconds since the epoch, then a salt of this run.

    Two deliveries in one microsecond get two IDs, and the order survives a clock that is set back.
    """

    def __init__(self) -> None:
        self.salt = os.urandom(4).hex()
        self._last = 0

    def next(self) -> str:
        """Return an ID greater than every one before it."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last:014x}-{self.salt}"
