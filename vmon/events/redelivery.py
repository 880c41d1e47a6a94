"""When Vonage sends a failed delivery again, and which of its retries a copy is.

The second is a heuristic: Vonage says when it sends again (see `LIKE_VONAGE`), and nothing in a
retry says that it is one. How long it waited for an answer that never came is not known either.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import timedelta
from itertools import accumulate, count, takewhile

from msgspec import Struct

from vmon.humanize import duration


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
        if not self.jitter:
            return wait
        from random import random  # not for who only reads captures

        return wait * (1 - self.jitter * random())  # noqa: S311 - spreads load, guards nothing


LIKE_VONAGE = Schedule(5.0, 900.0, 0.0, within_s=86400.0, answers=None)
"""What Vonage itself does: after 5 s, doubling to 15 min, for 24 h (see callbacks' Delivery)."""

RETRIES_FOR = timedelta(seconds=LIKE_VONAGE.within_s or 0.0)
"""How long Vonage sends a delivery again that failed (its policy since January 2024)."""

RETRIES_FOR_TEXT = f"{RETRIES_FOR.total_seconds() / 3600:.0f} h"
SCHEDULE_TEXT = (
    f"after {duration(LIKE_VONAGE.first_s)}, doubling up to {duration(LIKE_VONAGE.most_s)}, "
    f"for {RETRIES_FOR_TEXT}"
)
"""When Vonage retries, in words: `after 5.0 s, doubling up to 15 min, for 24 h`."""

RETRIED_MS = int((RETRIES_FOR + timedelta(hours=1)).total_seconds() * 1000)
"""After so long no retry comes any more, ms: an hour longer than Vonage says."""

DUE_S = list(
    takewhile(
        lambda due: due <= RETRIES_FOR.total_seconds(),
        accumulate(LIKE_VONAGE.wait_s(done) for done in count(1)),
    )
)
"""When each retry is due, in seconds after the first attempt: 5, 15, 35, 75 …"""

_EARLY, _LATE = 0.1, 0.3
"""How far off its instant a retry may be, as a part of the wait before it: answers take time."""
_WAITS_S = [LIKE_VONAGE.wait_s(number) for number in range(1, len(DUE_S) + 1)]


def retry_of(since_first_s: float) -> int | None:
    """The number of the retry due so long after the first attempt: 35 s fit #3; None: no retry.

    Of any instants after the first half hour two in five fit: a hint, and no proof.
    """
    if since_first_s < DUE_S[0] - _EARLY * _WAITS_S[0]:
        return None  # as most copies are, where there are many
    last = bisect_right(DUE_S, since_first_s)
    for number in (last, last + 1):
        if 0 < number <= len(DUE_S):
            off = (since_first_s - DUE_S[number - 1]) / _WAITS_S[number - 1]
            if -_EARLY <= off <= _LATE:
                return number
    return None


def copy_of(copies: int, since_first_s: float) -> str:
    """What the `copies`th copy is called: `retry #3 +35 s`, else `duplicate #2 +200 ms`."""
    number = retry_of(since_first_s)
    which = f"duplicate #{copies}" if number is None else f"retry #{number}"
    return f"{which} +{duration(since_first_s)}"
