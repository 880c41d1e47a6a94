"""Which of Vonage's retries a copy of a delivery is, by when it came.

A heuristic: Vonage says when it sends again (see `retry.LIKE_VONAGE`), and nothing in a retry says
that it is one. How long it waited for an answer that never came is not known either.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, count, takewhile

from vmon.forward.retry import LIKE_VONAGE
from vmon.humanize import duration

_WITHIN_S = LIKE_VONAGE.within_s or 0.0
DUE_S = list(
    takewhile(
        lambda due: due <= _WITHIN_S, accumulate(LIKE_VONAGE.wait_s(done) for done in count(1))
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
