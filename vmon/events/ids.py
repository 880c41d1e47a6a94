"""Ids of deliveries."""

from __future__ import annotations

import os
import time


class Ids:
    """Sortable unique ids: microseconds since the epoch, then a salt of this run.

    Two deliveries of one microsecond get two ids, and a clock set back does not unsort them.
    """

    def __init__(self) -> None:
        self.salt = os.urandom(4).hex()
        self._last = 0

    def next(self) -> str:
        """An id greater than every one before it."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{self._last:014x}-{self.salt}"
