"""What a replay has come to."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmon.forward.client import Outcome


class Tally:
    """What a replay has come to."""

    def __init__(self) -> None:
        self.played = 0
        self.cut = 0
        self.copies = 0
        self.outcomes: Counter[int | str | None] = Counter()
        self.refused = 0
        self.started = time.monotonic()

    def note(self, outcome: Outcome) -> None:
        """Count what an app answered."""
        self.outcomes[outcome.status or outcome.problem] += 1
        self.refused += not outcome.ok
