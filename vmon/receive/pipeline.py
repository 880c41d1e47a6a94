"""The road of a delivery: captured, answered, counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.capture.codec import Outage


class Totals(Struct):
    """What a run counted. `started_s` is on the monotonic clock; None: it never began.

    `notices` are requests that became no delivery, `turned_away` deliveries answered 503,
    `rescued` where lines went that the capture would not take (see capture.py), `verdicts` are by
    kind, `strangers` requests that the guard did not admit, `bugs` exceptions of our own code.
    """

    capture: Path | None
    types: Counter[str] = field(default_factory=Counter)
    started_s: float | None = None
    notices: int = 0
    turned_away: int = 0
    hidden: int = 0
    undrawn: int = 0
    slowest_s: float | None = None
    outages: list[Outage] = field(default_factory=list)
    rescued: str | None = None
    verdicts: Counter[str] = field(default_factory=Counter)
    strangers: int = 0
    bugs: int = 0
