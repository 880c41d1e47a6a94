"""Forwarding in a run of `listen`: deliveries → their targets, and a journal that outlives the run.

With `--ack always` a delivery is answered once it is captured, and forwarded after; the journal
says what is still to be sent, so that not even `kill -9` loses any. With `--ack app` the answer is
the app's; what it did not take is Vonage's to send again, and there is no journal.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from contextlib import AsyncExitStack
from shlex import quote
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from vmon.capture.folder import default_folder
from vmon.errors import WrongUse
from vmon.events.entry import Entry
from vmon.forward.backlog import JournalCursor, backlog_reader
from vmon.forward.client import Client, ForwardResult
from vmon.forward.failures import FailureCounter
from vmon.forward.journal import JournalTarget, create_journal
from vmon.forward.journal_writer import JournalWriter
from vmon.forward.leftovers import Leftovers
from vmon.forward.retry import EAGER, NEVER
from vmon.forward.targets import is_at
from vmon.forward.worker import (
    WIDTH,
    WIDTH_OF_ACK_APP,
    TargetWorker,
    Throttle,
    WorkerSettings,
)
from vmon.humanize import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.capture.writer import CaptureWriter
    from vmon.events.delivery import Delivery
    from vmon.events.redelivery import Schedule
    from vmon.forward.client import Outcome
    from vmon.forward.failures import Policy
    from vmon.forward.leftovers import Backlog, Left
    from vmon.forward.listener import ForwardListener
    from vmon.forward.targets import Route

_OK, _UNREACHABLE, _LATE = 200, 502, 504


class ForwardOptions(Struct, frozen=True):
    """What is forwarded where; whether Vonage gets 200 at once or what the app answers.

    `backlog` is what becomes of what earlier runs left.
    """

    routes: tuple[Route, ...]
    ack: Literal["always", "app"] = "always"
    policy: Policy = "retry"
    schedule: Schedule = EAGER
    backlog: Backlog = "send"

    @property
    def retries(self) -> bool:
        """Whether vmon sends again what an app did not take."""
        return self.ack == "always" and self.schedule != NEVER


class Forwarder:
    """The workers of a run, and its journal; `run` is what its deliveries' ids end in.

    `moved` is called when more was sent, and `sent_upto` may have grown.
    """

    def __init__(
        self,
        options: ForwardOptions,
        capture: CaptureWriter | None,
        run: str,
        listener: ForwardListener,
    ) -> None:
        self.options = options
        self.survives = bool(capture and capture.can_be_read) and options.ack == "always"
        self.moved: Callable[[], None] = lambda: None
        self._capture = capture if self.survives else None
        self._run = run
        self._listener = listener
        self._failures = FailureCounter(options.policy)
        self._throttle = Throttle()
        self._inbox: deque[tuple[Entry, int, int]] = deque()
        self._stack = AsyncExitStack()
        self._writer: JournalWriter | None = None
        urls = frozenset(route.target.url for route in options.routes)
        self._leftovers = Leftovers(urls, options.backlog)
        settings = WorkerSettings(
            options.schedule, listener, self._wake_writer, self._throttle, options.retries
        )
        self.workers = [
            TargetWorker(route, settings, JournalCursor(target=to))
            for to, route in enumerate(options.routes)
        ]

    # Beginning and end.

    async def open(self) -> None:
        """Begin the journal, find what earlier runs left, and send from now on."""
        if self._capture:
            self._begin_journal(self._capture)
        width = WIDTH if self.options.ack == "always" else WIDTH_OF_ACK_APP
        for worker in self.workers:
            worker.start(await self._stack.enter_async_context(Client(width)), width)
        gc.freeze()  # what is there by now stays: looking through it would delay an answer by 20 ms

    def refuse_itself(self, url: str) -> None:
        """WrongUse when a target is this very receiver, which listens at `url`."""
        for worker in self.workers:
            if is_at(worker.route.target, url):
                raise WrongUse(
                    f"cannot forward to {worker.route.target.url}: it is vmon itself",
                    hint="set your app's URL with --forward-to",
                )

    def _begin_journal(self, capture: CaptureWriter) -> None:
        targets = tuple(_journal_target(worker.route) for worker in self.workers)
        journal = create_journal(
            capture.path, self._run, targets, capture.end, durable=capture.durable
        )
        queues = [worker.queue for worker in self.workers]
        self._writer = JournalWriter(journal, queues, self._leftovers, self._listener, self.moved)
        self._leftovers.take_up(capture.path.parent, journal.path)
        for to, queue in enumerate(queues):
            queue.own.journal, queue.own.reader = journal, backlog_reader(journal, to)
            queue.begin(self._leftovers.feeds.get(targets[to].url, []), capture.end)

    async def close(self, within_s: float) -> None:
        """Send what can be sent at once, for so long at most; keep the rest in the journal."""
        self._distribute()
        await asyncio.gather(*(worker.finish(within_s) for worker in self.workers))
        if self._writer:
            await self._writer.close()
        await self._stack.aclose()

    @property
    def in_flight(self) -> int:
        """Requests to apps that a run's end waits for; those that somebody waits for are his."""
        if self.options.ack == "app":
            return 0
        return sum(worker.in_flight for worker in self.workers)

    def hurry(self) -> None:
        """Have `close` wait for no app any longer."""
        for worker in self.workers:
            worker.hurry()

    # The files.

    @property
    def left(self) -> list[Left]:
        """What earlier runs left."""
        return self._leftovers.left

    def announce(self, line: bytes, at: int) -> None:
        """Before the capture goes on in a segment that begins so; OSError: it must not."""
        if self._writer:
            self._writer.announce(line, at)

    def begin(self, line: bytes, at: int) -> None:
        """Go on in a segment, beginning `at`, that this line will be the first of."""
        if self._writer:
            self._writer.begin(line, at)

    @property
    def sent_upto(self) -> int:
        """The place before which all was sent or given up; -1 while an earlier run's is sent."""
        if not self._leftovers.is_sent:
            return -1
        if self._writer is None:
            return -1 if self.survives else sys.maxsize
        return min(worker.queue.sent_upto for worker in self.workers)

    def _wake_writer(self) -> None:
        if self._writer:
            self._writer.wake()

    # The answer's path.

    def offer(self, entry: Entry, start: int, size: int) -> None:
        """Have a delivery sent after it is answered; its line stands at `start` in the capture."""
        if not self._inbox:
            asyncio.get_running_loop().call_soon(self._distribute)
        self._inbox.append((entry, start, size))

    def _distribute(self) -> None:
        if self._writer:
            self._writer.retry()
        self._throttle.note(len(self._inbox))
        while self._inbox:
            entry, start, size = self._inbox.popleft()
            for worker in self.workers:
                try:
                    worker.take(entry, start, size)
                except Exception as error:  # noqa: BLE001 - a bug ends this delivery, and not the run
                    self._listener.bug(error)

    async def before_answer(self, delivery: Delivery, status: int) -> int:
        """What Vonage is answered: with `--ack app` what the app says, of several what is not 2xx.

        What is not answered 200 anyway does not go to the app.
        """
        if status != _OK:
            return status
        entry = Entry(delivery)
        workers = [worker for worker in self.workers if entry.type in worker.route.types]
        outcomes = await asyncio.gather(*(worker.ask(entry) for worker in workers))
        for worker, outcome in zip(workers, outcomes, strict=True):
            self._listener.forwarded(ForwardResult(entry, worker.route.target.name, outcome))
        answer = _answer_of(outcomes)
        if answer != _OK:
            consequence = self._failures.note(delivery.body, time.monotonic())
            self._listener.notice(f"responded {answer} to Vonage: {consequence}")
        return answer

    def summary(self) -> Iterator[tuple[str, str]]:
        """A row for each target: what went there, what did not, how long it took."""
        for worker in self.workers:
            yield f"to {worker.route.target.name}", ", ".join(_figures(worker))
        if failures := self._failures.summary():
            yield "failures returned to Vonage", failures
        queues = [worker.queue for worker in self.workers]
        if self._capture and any(queue.own.gave_up or queue.sessions.waiting for queue in queues):
            folder = self._capture.path.absolute().parent
            file = "" if folder == default_folder() else f" {quote(str(self._capture.path))}"
            yield "resend with", f"vmon replay --failed{file}"


def _figures(worker: TargetWorker) -> Iterator[str]:
    stats, queue = worker.stats, worker.queue
    yield f"{stats.sent:,} sent"
    for number, what in ((stats.failed, "failed"), (stats.retried, "retried")):
        if number:
            yield f"{number:,} {what}"
    if queue.lost:
        yield f"{queue.lost:,} LOST: out of memory"
    if not queue.is_empty:
        yield f"{queue.sessions.waiting:,}{' and more' * queue.is_behind} pending"
    half, most = stats.percentile(0.5), stats.percentile(0.95)
    if half is not None and most is not None:
        yield f"p50 {duration(half)}, p95 {duration(most)}"


def _journal_target(route: Route) -> JournalTarget:
    return JournalTarget(route.target.url, route.target.exact_path, tuple(sorted(route.types)))


def _answer_of(outcomes: list[Outcome]) -> int:
    """The first that is no success, else the first; 200 where the delivery goes nowhere."""
    for outcome in outcomes:
        if not outcome.ok:
            return _status(outcome)
    return next((outcome.status or _OK for outcome in outcomes), _OK)


def _status(outcome: Outcome) -> int:
    if outcome.status is not None and 200 <= outcome.status < 600:  # noqa: PLR2004 - a final status
        return outcome.status
    return _LATE if outcome.kind == "late" else _UNREACHABLE
