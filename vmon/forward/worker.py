"""Sends the deliveries of one target: attempts, retries, giving up.

A session's deliveries go one after the other, sessions side by side. One that fails and may be
sent again holds back its session, and nothing else. A target that is down (health.py) is asked by
one delivery at a time until it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from vmon.forward.client import Client, ForwardResult, Outcome
from vmon.forward.health import Prober, TargetHealth
from vmon.forward.queue import TargetQueue
from vmon.forward.retry import again_in_s
from vmon.humanize import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.events.redelivery import Schedule
    from vmon.forward.backlog import JournalCursor
    from vmon.forward.listener import ForwardListener
    from vmon.forward.queued import QueuedDelivery
    from vmon.forward.targets import Route

WIDTH = 16
"""Sessions sent side by side to one target."""
WIDTH_OF_ACK_APP = 64
"""The same where somebody waits for the app's answer."""


class Throttle:
    """How busy a run is with answers: while it is, sending leaves most of the time to them.

    It is shared by all workers. Rates are per second.
    """

    _WINDOW_S = 0.05
    _BUSY = 50.0
    _SENT_WHILE_BUSY = 1000.0

    def __init__(self) -> None:
        self._since_s = time.monotonic()
        self._count = 0
        self._rate = 0.0
        self._free_s = 0.0

    def note(self, number: int) -> None:
        """So many deliveries were answered."""
        self._count += number
        lasted = time.monotonic() - self._since_s
        if lasted > self._WINDOW_S:
            self._rate, self._count = self._count / lasted, 0
            self._since_s += lasted

    async def wait(self) -> None:
        """Wait until something may be sent."""
        now = time.monotonic()
        if self._rate < self._BUSY or now - self._since_s > 2 * self._WINDOW_S:
            return
        self._free_s = max(now, self._free_s) + 1 / self._SENT_WHILE_BUSY
        await asyncio.sleep(self._free_s - now)


class TargetStats(Struct):
    """What a target's deliveries have come to; `took_s` are its last answers, in seconds."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))

    def percentile(self, part: float) -> float | None:
        """The time that so many of the answers took at most."""
        took = sorted(self.took_s)
        return took[min(len(took) - 1, int(len(took) * part))] if took else None


class WorkerSettings(NamedTuple):
    """What the workers of a run share; `changed` is called when a journal has news.

    Where `retrying` is false, somebody waits for each answer, and a delivery is sent but once.
    """

    schedule: Schedule
    listener: ForwardListener
    changed: Callable[[], None] = lambda: None
    throttle: Throttle | None = None
    retrying: bool = True


class TargetWorker:
    """Sends to one target what is in its queue; `own` is where this run's deliveries come from.

    `inner_path` makes the path that an app gets of the one that was received.
    """

    def __init__(self, route: Route, settings: WorkerSettings, own: JournalCursor) -> None:
        self.route = route
        self.stats = TargetStats()
        self.queue = TargetQueue(own, settings.listener)
        prober = Prober(settings.schedule, self.queue)
        self.health = TargetHealth(route.target.name, self.queue, prober, settings.listener)
        self.health.retrying = settings.retrying
        self.inner_path: Callable[[str], str] | None = None
        self._settings = settings
        self._timers: dict[str | None, asyncio.TimerHandle] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = 0
        self._is_hurried = False

    # Beginning and end.

    def start(self, client: Client, width: int) -> None:
        """Send, from now on."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work(client)) for _ in range(width)]

    async def finish(self, within_s: float) -> None:
        """Send what can be sent at once, for so long at most; then no more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._is_busy:
                    self.queue.idle.clear()
                    await self.queue.idle.wait()
        for timer in self._timers.values():
            timer.cancel()
        self.health.prober.stop()
        self.queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def in_flight(self) -> int:
        """Deliveries that are being sent, or about to be."""
        return self._sending + self.queue.sessions.ready

    def hurry(self) -> None:
        """Have `finish` wait no longer: what is being sent counts as not sent."""
        self._is_hurried = True
        self.queue.idle.set()

    @property
    def _is_busy(self) -> bool:
        if self._is_hurried or self.in_flight:
            return not self._is_hurried
        return self.queue.is_behind and not self.health.is_down and not self._timers

    # What is to be sent.

    def take(self, entry: Entry, start: int, size: int) -> None:
        """Take a delivery of this run; its line stands at `start` in the capture."""
        if entry.type in self.route.types:
            self.queue.take(entry, start, size)
            self.health.prober.probe_if_late()
        else:
            self.queue.skip(start + size)

    async def ask(self, entry: Entry) -> Outcome:
        """Send a delivery after those of its session, once; what the app answers, in its time."""
        timeout_s = self.route.target.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self.queue.ask(entry)
        except TimeoutError:
            problem = f"no response within {duration(timeout_s)}"
            return Outcome(None, timeout_s, problem, kind="late")

    # Sending.

    async def _work(self, client: Client) -> None:
        while True:
            session = await self.queue.sessions.next_session()
            delivery = self.queue.sessions.head(session)
            try:
                await self._send_or_hold(client, session, delivery)
            except Exception as error:  # noqa: BLE001 - a bug ends this delivery, and not the run
                self._abandon(session, delivery, error)
            if not self._is_busy:
                self.queue.idle.set()

    async def _send_or_hold(
        self, client: Client, session: str | None, delivery: QueuedDelivery | None
    ) -> None:
        if delivery is None:
            return
        if delivery.answer is None and self.health.must_hold(session):
            self.health.prober.hold(session)
            self.health.prober.probe_later()
            return
        self._sending += 1
        try:
            await self._send(client, session, delivery)
        finally:
            self._sending -= 1
            self.queue.refill_soon()

    async def _send(self, client: Client, session: str | None, delivery: QueuedDelivery) -> None:
        if delivery.answer and delivery.answer.done():  # nobody waits for it any more
            self.queue.sessions.drop_head(session)
            return
        entry = delivery.read()
        if entry is None:
            self._give_up(delivery)
            self.queue.sessions.drop_head(session)
            self.health.note_unsent(session)
            return
        if delivery.answer is None and self._settings.throttle:
            await self._settings.throttle.wait()
        self.health.prober.note_attempt()
        outcome = await client.send(self._as_sent(entry.delivery), self.route.target)
        delivery.attempts += 1
        self._note_outcome(session, delivery, entry, outcome)

    def _as_sent(self, delivery: Delivery) -> Delivery:
        path = self.inner_path(delivery.path) if self.inner_path else delivery.path
        return delivery if path == delivery.path else replace(delivery, path=path)

    def _abandon(
        self, session: str | None, delivery: QueuedDelivery | None, error: Exception
    ) -> None:
        """Give up a delivery that a bug of ours has hit, and go on with those behind it."""
        self.health.note_unsent(session)
        if delivery and delivery.answer and not delivery.answer.done():
            delivery.answer.set_exception(error)  # reported by who waits for it
        else:
            self._settings.listener.bug(error)
        comes_again = session in self._timers or self.health.prober.holds(session)
        if delivery and self.queue.sessions.head(session) is delivery and not comes_again:
            self._give_up(delivery)
            self.queue.sessions.drop_head(session)

    # What came of it.

    def _note_outcome(
        self, session: str | None, delivery: QueuedDelivery, entry: Entry, outcome: Outcome
    ) -> None:
        self.health.note_outcome(session, outcome)
        if outcome.status is not None:
            self.stats.took_s.append(outcome.took_s)
        if delivery.answer:
            self._answer(delivery.answer, outcome)
            self.queue.sessions.drop_head(session)
            return
        schedule = self._settings.schedule
        again_s = again_in_s(schedule, outcome, delivery.attempts, delivery.failing_s())
        if again_s is None or (not self.health.is_down and delivery.failed_differently(outcome)):
            target, attempts = self.route.target.name, delivery.attempts
            result = ForwardResult(entry, target, outcome, attempts, again_s)
            self._settings.listener.forwarded(result)
        if again_s is None:
            self._end(delivery, outcome)
            self.queue.sessions.drop_head(session)
        else:
            self.health.note_retry(session, outcome, delivery.attempts)
            self._send_again(session, again_s)
        if self.health.is_down and self.health.prober.is_holding:
            self.health.prober.probe_later(again_s)

    def _answer(self, answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
        self.stats.sent += outcome.ok
        self.stats.failed += not outcome.ok
        if not answer.done():
            answer.set_result(outcome)

    def _end(self, delivery: QueuedDelivery, outcome: Outcome) -> None:
        if not outcome.ok:
            self._give_up(delivery)
            return
        self.stats.sent += 1
        delivery.cursor.done.append(delivery.start)
        self._settings.changed()

    def _give_up(self, delivery: QueuedDelivery) -> None:
        self.stats.failed += 1
        delivery.cursor.give_up(delivery.start)
        self._settings.changed()

    def _send_again(self, session: str | None, wait_s: float) -> None:
        self.stats.retried += 1
        if self.health.is_down:
            self.health.prober.hold(session)
        else:
            loop = asyncio.get_running_loop()
            self._timers[session] = loop.call_later(wait_s, self._wake, session)

    def _wake(self, session: str | None) -> None:
        self._timers.pop(session, None)
        self.queue.sessions.release(session)
