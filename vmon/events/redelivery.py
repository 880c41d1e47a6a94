"""Vonage's retry schedule, and which of its retries a duplicate is.

The second is a heuristic: the schedule is documented (see `LIKE_VONAGE`), but nothing in a retry
marks it as one. How long Vonage waited for a response that never came is not known either.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from itertools import accumulate, count, takewhile

from msgspec import Struct

from vmon.humanize import duration


class Schedule(Struct, frozen=True):
    """An exponential backoff from `first_s` to `most_s`, shortened at random by up to `jitter`.

    After `within_s` a delivery is given up; one to which the app itself responds with a failure
    (500) also after `answers` attempts. None: never.
    """

    first_s: float = 0.5
    most_s: float = 60.0
    jitter: float = 0.25
    within_s: float | None = None
    answers: int | None = 8

    def wait_s(self, attempts: int) -> float:
        """Return the wait after so many attempts, in seconds."""
        wait = min(self.first_s * 2.0 ** min(attempts - 1, 30), self.most_s)
        if not self.jitter:
            return wait
        from random import random  # commands that only read captures do not need it

        return wait * (1 - self.jitter * random())  # noqa: S311 - spreads load, guards nothing


LIKE_VONAGE = Schedule(5.0, 900.0, 0.0, within_s=86400.0, answers=None)
"""Vonage's own schedule: after 5 s, doubling to 15 min, for 24 h."""

RETRIES_FOR = timedelta(seconds=LIKE_VONAGE.within_s or 0.0)
"""How long Vonage retries a failed delivery (its policy since January 2024)."""

RETRIES_FOR_TEXT = f"{RETRIES_FOR.total_seconds() / 3600:.0f} h"
SCHEDULE_TEXT = (
    f"after {duration(LIKE_VONAGE.first_s)}, doubling up to {duration(LIKE_VONAGE.most_s)}, "
    f"for {RETRIES_FOR_TEXT}"
)
"""When Vonage retries, in words: `after 5.0 s, doubling up to 15 min, for 24 h`."""

RETRIED_MS = int((RETRIES_FOR + timedelta(hours=1)).total_seconds() * 1000)
"""How long after the first attempt a retry can still arrive, ms: an hour more than documented."""

DUE_S = list(
    takewhile(
        lambda due: due <= RETRIES_FOR.total_seconds(),
        accumulate(LIKE_VONAGE.wait_s(done) for done in count(1)),
    )
)
"""When each retry is due, in seconds after the first attempt: 5, 15, 35, 75 …"""

_EARLY, _LATE = 0.1, 0.3
"""How early and late a retry may be, as a fraction of the wait before it: responses take time."""
_WAITS_S = [LIKE_VONAGE.wait_s(number) for number in range(1, len(DUE_S) + 1)]


def retry_of(since_first_s: float) -> int | None:
    """Return the number of the retry due so long after the first attempt: 35 s is #3; else None.

    After the first half hour, two of five random instants match: a hint, not a proof.
    """
    if since_first_s < DUE_S[0] - _EARLY * _WAITS_S[0]:
        return None  # the common case where there are many duplicates
    last = bisect_right(DUE_S, since_first_s)
    for number in (last, last + 1):
        if 0 < number <= len(DUE_S):
            off = (since_first_s - DUE_S[number - 1]) / _WAITS_S[number - 1]
            if -_EARLY <= off <= _LATE:
                return number
    return None


def copy_of(copies: int, since_first_s: float) -> str:
    """Label the `copies`th copy: `retry #3 +35 s`, else `duplicate #2 +200 ms`."""
    number = retry_of(since_first_s)
    which = f"duplicate #{copies}" if number is None else f"retry #{number}"
    return f"{which} +{duration(since_first_s)}"
