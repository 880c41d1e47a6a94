"""Whether a target is up: told when it changes, and asked by one delivery at a time while down."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from vmon.forward.listener import TargetBack, TargetDown
from vmon.humanize import count

if TYPE_CHECKING:
    from vmon.events.redelivery import Schedule
    from vmon.forward.client import Outcome
    from vmon.forward.listener import ForwardListener
    from vmon.forward.queue import TargetQueue

_STRIKES = 3
"""Connections cut or answers missed in a row, after which a target counts as down."""
_PATIENCE = 3
"""Attempts after which a delivery that others wait behind is worth a word."""
_IMPATIENT_S = 1.0
"""A new delivery tries a target that is down again, if the last attempt is that long ago."""


class Prober:
    """Holds back the sessions of a target that is down, and asks it by one delivery at a time."""

    def __init__(self, schedule: Schedule, queue: TargetQueue) -> None:
        self._schedule = schedule
        self._queue = queue
        self._held: deque[str | None] = deque()
        self._probing: set[str | None] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._probes = 0
        self._tried_s = 0.0

    @property
    def is_holding(self) -> bool:
        """Whether sessions are held back."""
        return bool(self._held)

    def begin(self) -> None:
        """Begin with the first probe."""
        self._probes = 0

    def hold(self, session: str | None) -> None:
        """Hold a session back."""
        self._held.append(session)

    def holds(self, session: str | None) -> bool:
        """Whether a session is held back."""
        return session in self._held

    def is_probe(self, session: str | None) -> bool:
        """Whether it is this session's next delivery that asks the target."""
        return session in self._probing

    def note_attempt(self) -> None:
        """Note that a delivery is sent now, whether it is a probe or not."""
        self._tried_s = time.monotonic()

    def note_end(self, session: str | None) -> None:
        """Note that the delivery of a session was sent, whether it was a probe or not."""
        self._probing.discard(session)

    def probe_later(self, first_s: float | None = None) -> None:
        """Ask the target after its own number of attempts; the first time after `first_s`."""
        if self._timer or self._probing:
            return
        self._probes += 1
        first_s = first_s or self._schedule.first_s
        wait_s = self._schedule.wait_s(self._probes) if self._probes > 1 else first_s
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._probe)

    def probe_if_late(self) -> None:
        """Ask a target now that was not tried for long, unless its schedule is Vonage's own."""
        if self._timer is None or self._schedule.jitter == 0:
            return
        if time.monotonic() - self._tried_s > _IMPATIENT_S:
            self._probe()

    def _probe(self) -> None:
        self.stop()
        if self._held:
            session = self._held.popleft()
            self._probing.add(session)
            self._queue.sessions.release(session)

    def release_all(self) -> None:
        """Hold nothing back any more."""
        self.stop()
        while self._held:
            self._queue.sessions.release(self._held.popleft())

    def stop(self) -> None:
        """Take back the time of the next probe."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


class TargetHealth:
    """Whether a target is up, by what came of each attempt; published when it changes."""

    def __init__(
        self, target: str, queue: TargetQueue, prober: Prober, listener: ForwardListener
    ) -> None:
        self.prober = prober
        self.retrying = True
        self._target = target
        self._queue = queue
        self._listener = listener
        self._strikes = 0
        self._has_hinted = False
        self._down_since_s: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether the target is down."""
        return self._down_since_s is not None

    def must_hold(self, session: str | None) -> bool:
        """Whether a session has to wait until the target is up."""
        return self.retrying and self.is_down and not self.prober.is_probe(session)

    def note_outcome(self, session: str | None, outcome: Outcome) -> None:
        """An attempt has ended."""
        if outcome.kind in {"answered", "unsendable", "error"}:
            self._strikes = 0
            if self._down_since_s is not None and outcome.kind == "answered":
                self._be_back(self._down_since_s)
        else:
            self._strikes += 1
            if outcome.kind == "unreachable" or self._strikes >= _STRIKES:
                self._be_down(outcome.problem or "")
        self.prober.note_end(session)

    def note_retry(self, session: str | None, outcome: Outcome, attempts: int) -> None:
        """A delivery is sent again after so many attempts: say once how not to wait for it."""
        behind = self._queue.sessions.behind_head(session)
        if not behind or attempts < _PATIENCE or self.is_down or self._has_hinted:
            return
        self._has_hinted = True
        number = count(behind, "delivery waits", "deliveries wait")
        what = outcome.problem if outcome.status is None else f"{outcome.status}"
        text = f"{self._target}: {number} behind one that fails ({what})"
        self._listener.notice(f"{text}; --retry none goes on without it")

    def note_unsent(self, session: str | None) -> None:
        """The delivery of a session has ended unsent; if it was the probe, the next one is."""
        self.prober.note_end(session)
        if self.is_down and self.prober.is_holding:
            self.prober.probe_later()

    def _be_down(self, problem: str) -> None:
        if self.is_down:
            return
        self._down_since_s = time.monotonic()
        self.prober.begin()
        self._listener.target_down(TargetDown(self._target, problem, self.retrying))

    def _be_back(self, since_s: float) -> None:
        self._down_since_s = None
        self.prober.release_all()
        lasted_s = time.monotonic() - since_s
        waiting, more = self._queue.sessions.waiting, self._queue.is_behind
        self._listener.target_back(TargetBack(self._target, lasted_s, waiting, more))
