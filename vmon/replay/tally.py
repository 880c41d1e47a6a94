"""Counts of a replay: played deliveries, outcomes, shortened pauses, duplicates."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmon.forward.client import Outcome


class Tally:
    """Counts of a replay: played deliveries, outcomes, shortened pauses, duplicates."""

    def __init__(self) -> None:
        self.played = 0
        self.cut = 0
        self.duplicates = 0
        self.outcomes: Counter[int | str | None] = Counter()
        self.rejected = 0
        self.started = time.monotonic()

    def note(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.outcomes[outcome.status or outcome.problem] += 1
        self.rejected += not outcome.ok
