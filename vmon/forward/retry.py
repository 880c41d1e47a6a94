"""When a delivery that an app did not take is sent again: vmon's own schedule, and Vonage's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.events.redelivery import LIKE_VONAGE, Schedule

if TYPE_CHECKING:
    from vmon.forward.client import Outcome

LATER = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say `not now`: the app's, or those of a proxy whose app is not there."""

_LONGEST_S = 3600.0
"""An app that asks for more patience than that is asked again all the same."""


EAGER = Schedule()
NEVER = Schedule(within_s=0.0)
SCHEDULES = {"none": NEVER, "standard": EAGER, "vonage": LIKE_VONAGE}
"""What `--retry` may be."""


def is_worth_another(outcome: Outcome) -> bool:
    """Whether sending again may help: no answer, `not now`, or an app that failed (5xx)."""
    if outcome.status is None:
        return outcome.kind not in {"unsendable", "error"}
    return outcome.status in LATER or outcome.status >= 500  # noqa: PLR2004 - that is 5xx


def again_in_s(schedule: Schedule, outcome: Outcome, attempts: int, age_s: float) -> float | None:
    """When to send again what had this outcome; None when it is given up.

    `age_s` is how long ago it failed first.
    """
    if not is_worth_another(outcome):
        return None
    wait = schedule.wait_s(attempts)
    if outcome.retry_after_s is not None:
        wait = max(wait, min(outcome.retry_after_s, _LONGEST_S))
    if schedule.within_s is not None and age_s + wait > schedule.within_s:
        return None
    own = outcome.status is not None and outcome.status not in LATER
    return None if own and schedule.answers and attempts >= schedule.answers else wait
