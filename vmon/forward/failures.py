"""What Vonage does about failures that it is let see: it retries, or (the older rule) cuts off."""

from __future__ import annotations

from collections import OrderedDict, deque
from hashlib import blake2b
from typing import Literal, NamedTuple

from vmon.events.redelivery import LIKE_VONAGE, RETRIES_FOR, RETRIES_FOR_TEXT, SCHEDULE_TEXT
from vmon.humanize import duration

Policy = Literal["retry", "cutoff"]

_GIVES_UP_S = RETRIES_FOR.total_seconds()
CUTOFF, _CUTOFF_S = 50, 1800.0
_REMEMBERED = 1000


class _Failing(NamedTuple):
    since_s: float
    times: int


class FailureCounter:
    """Counts failures let through, on a clock in seconds, and says what follows from one."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._recent: deque[float] = deque(maxlen=CUTOFF + 1)
        self._failing: OrderedDict[bytes, _Failing] = OrderedDict()
        self.failures = 0

    def note(self, body: bytes, now_s: float) -> str:
        """Count a failure of a delivery with this body; what it means, in a sentence."""
        self.failures += 1
        self._recent.append(now_s)
        return self._cutoff(now_s) if self._policy == "cutoff" else self._next(body, now_s)

    def _cutoff(self, now_s: float) -> str:
        recent = sum(1 for at in self._recent if now_s - at <= _CUTOFF_S)
        text = f"{min(recent, CUTOFF)} of {CUTOFF} failures in 30 min"
        return f"{text}: Vonage disables event forwarding" if recent > CUTOFF else text

    def _next(self, body: bytes, now_s: float) -> str:
        """A body that comes again is a retry: it has no id of its own."""
        key = blake2b(body, digest_size=16).digest()
        since, times = self._failing.pop(key, _Failing(now_s, 0))
        self._failing[key] = _Failing(since, times + 1)
        if len(self._failing) > _REMEMBERED:
            self._failing.popitem(last=False)
        left = _GIVES_UP_S - (now_s - since)
        wait = LIKE_VONAGE.wait_s(times + 1)
        if wait > left:
            return f"Vonage stops retrying ({RETRIES_FOR_TEXT} limit)"
        return f"Vonage retries in {duration(wait)} and gives up in {duration(left)}"

    def summary(self) -> str:
        """What a run let through, and Vonage's rules for that; nothing where that was none."""
        if not self.failures:
            return ""
        rule = (
            f"more than {CUTOFF} in 30 min disable event forwarding, switch it on again in the "
            "dashboard"
            if self._policy == "cutoff"
            else f"Vonage retries each {SCHEDULE_TEXT}"
        )
        return f"{self.failures:,}: {rule} (see vmon help register)"
