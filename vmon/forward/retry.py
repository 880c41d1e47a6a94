"""When a delivery that an app did not take is sent again: vmon's own schedule, and Vonage's."""

from __future__ import annotations

from random import random
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from vmon.forward.client import Outcome

LATER = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say `not now`: the app's, or those of a proxy whose app is not there."""

_LONGEST_S = 3600.0
"""An app that asks for more patience than that is asked again all the same."""


class Schedule(Struct, frozen=True):
    """Waits double from `first_s` to `most_s`, shortened by chance by up to `jitter` of them.

    After `within_s` a delivery is given up; one that the app itself answers with a failure (500)
    also after `answers` attempts. None: never.
    """

    first_s: float = 0.5
    most_s: float = 60.0
    jitter: float = 0.25
    within_s: float | None = None
    answers: int | None = 8

    def wait_s(self, attempts: int) -> float:
        """How long to wait after so many attempts."""
        wait = min(self.first_s * 2.0 ** min(attempts - 1, 30), self.most_s)
        return wait * (1 - self.jitter * random())  # noqa: S311 - spreads load, guards nothing

    def again_in_s(self, outcome: Outcome, attempts: int, age_s: float) -> float | None:
        """When to send again what had this outcome; None when it is given up.

        `age_s` is how long ago it failed first.
        """
        if not is_worth_another(outcome):
            return None
        wait = self.wait_s(attempts)
        if outcome.retry_after_s is not None:
            wait = max(wait, min(outcome.retry_after_s, _LONGEST_S))
        if self.within_s is not None and age_s + wait > self.within_s:
            return None
        own = outcome.status is not None and outcome.status not in LATER
        return None if own and self.answers and attempts >= self.answers else wait


EAGER = Schedule()
LIKE_VONAGE = Schedule(5.0, 900.0, 0.0, within_s=86400.0, answers=None)
"""What Vonage itself does: after 5 s, doubling to 15 min, for 24 h (see callbacks' Delivery)."""


def is_worth_another(outcome: Outcome) -> bool:
    """Whether sending again may help: no answer, `not now`, or an app that failed (5xx)."""
    if outcome.status is None:
        return outcome.kind not in {"unsendable", "error"}
    return outcome.status in LATER or outcome.status >= 500  # noqa: PLR2004 - that is 5xx
