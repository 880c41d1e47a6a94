"""Forwarding in a run of `listen`: deliveries → their targets, and the spool that outlives the run.

With `--ack always` a delivery is answered once it is captured, and forwarded after; the spool says
what is still to be sent, so that not even `kill -9` loses any. With `--ack app` the answer is the
app's; what it did not take is Vonage's to send again, and there is no spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time
from collections import deque
from contextlib import AsyncExitStack
from shlex import quote
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from vmon.capture.folder import default_folder
from vmon.errors import WrongUse
from vmon.events.entry import Entry
from vmon.forward import backlog, leftovers
from vmon.forward import journal as spool
from vmon.forward.backlog import backlog_reader
from vmon.forward.client import Client, ForwardResult
from vmon.forward.failures import FailureCounter
from vmon.forward.leftovers import Left
from vmon.forward.queue import JournalCursor
from vmon.forward.retry import EAGER
from vmon.forward.targets import is_at
from vmon.forward.worker import WIDTH, WIDTH_ASKED, TargetWorker, Throttle, WorkerListener
from vmon.humanize import count, duration
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vmon.capture.writer import CaptureWriter
    from vmon.events.delivery import Delivery
    from vmon.events.redelivery import Schedule
    from vmon.forward.client import Outcome
    from vmon.forward.failures import Policy
    from vmon.forward.targets import Route

_KEEP_S = 0.1
"""How long what was sent may stay unsaid in the journal: after a crash it is sent again."""
_OK, _UNREACHABLE, _LATE = 200, 502, 504


class ForwardOptions(Struct, frozen=True):
    """What is forwarded where; whether Vonage gets 200 at once or what the app answers."""

    aims: tuple[Route, ...]
    ack: Literal["always", "app"] = "always"
    policy: Policy = "retry"
    schedule: Schedule = EAGER


class ForwardListener(NamedTuple):
    """Who is told of outcomes, of sentences worth saying, and of bugs."""

    told: Callable[[ForwardResult], None]
    said: Callable[[str], None]
    bug: Callable[[Exception], None]


class Forwarder:
    """The courses of a run, and its spool; `run` is what its deliveries' ids end in.

    `moved` is called when more was sent, and `sent_upto` may have grown.
    """

    def __init__(
        self,
        onward: ForwardOptions,
        capture: CaptureWriter | None,
        run: str,
        voice: ForwardListener,
    ) -> None:
        self.onward = onward
        self.survives = bool(capture and capture.can_be_read) and onward.ack == "always"
        self.left: list[Left] = []
        self.gauge = FailureCounter(onward.policy)
        self._capture = capture if self.survives else None
        self._run = run
        self._voice = voice
        self._inbox: deque[tuple[Entry, int, int]] = deque()
        self._stack = AsyncExitStack()
        self._own: spool.Journal | None = None
        self._earlier: list[tuple[spool.Journal, list[JournalCursor]]] = []
        self._fed: list[JournalCursor] = []
        self._unsaid: list[tuple[bytes, int]] = []
        self._news = asyncio.Event()
        self._ending = False
        self._keeper: asyncio.Task[None] | None = None
        self._calm = Throttle()
        self.moved: Callable[[], None] = lambda: None
        hearing = WorkerListener(voice.told, voice.said, voice.bug, self._news.set, self._calm)
        self.courses = [
            TargetWorker(aim, onward.schedule, hearing, JournalCursor(to=to))
            for to, aim in enumerate(onward.aims)
        ]

    # Beginning and end.

    async def open(self) -> None:
        """Begin the journal, find what earlier runs left, and send from now on."""
        if self._capture:
            self._begin(self._capture)
        width = WIDTH if self.onward.ack == "always" else WIDTH_ASKED
        for course in self.courses:
            course.waits = self.onward.ack == "always"
            course.work(await self._stack.enter_async_context(Client(width)), width)
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        gc.freeze()  # what is there by now stays: looking through it would delay an answer by 20 ms

    def refuse_itself(self, url: str) -> None:
        """WrongUse when a target is this very receiver, which listens at `url`."""
        for course in self.courses:
            if is_at(course.aim.target, url):
                raise WrongUse(
                    f"cannot forward to {course.aim.target.url}: it is vmon itself",
                    hint="set your app's URL with --forward-to",
                )

    def _begin(self, capture: CaptureWriter) -> None:
        places = tuple(_place(course.aim) for course in self.courses)
        self._own = own = spool.begin(
            capture.path, self._run, places, capture.end, durable=capture.durable
        )
        backlogs = self._backlogs(capture.path)
        for to, course in enumerate(self.courses):
            course.own.spool = own
            course.own.reading = backlog_reader(own.volumes, own.run, own.places[to])
            course.begin(backlogs.get(places[to].url, []), capture.end)

    async def close(self, within_s: float) -> None:
        """Send what can be sent at once, for so long at most; keep the rest in the spool."""
        self._distribute()
        await asyncio.gather(*(course.finish(within_s) for course in self.courses))
        self._ending = True
        self._news.set()
        if self._keeper:
            await self._keeper
        for earlier, sources in self._earlier:
            earlier.close(keep=_has_some(earlier, sources))
        if self._own:
            await self._end(self._own)
        await self._stack.aclose()

    async def _end(self, own: spool.Journal) -> None:
        waiting = any(course.left or course.is_behind for course in self.courses)
        keep = waiting or any(course.own.gave_up for course in self.courses)
        if keep:
            await self._rewrite(own)
        own.close(keep=keep)

    # What earlier runs left.

    def _backlogs(self, capture: Path) -> dict[str, list[_Feed]]:
        found: dict[str, list[_Feed]] = {}
        for path in leftovers.left_in(capture.parent):
            if self._own and path == self._own.path:
                continue
            if (opened := leftovers.reopen(path)) is None:
                continue
            earlier, alive = opened
            if alive:
                earlier.close(keep=True)
            else:
                self._take_up(earlier, found)
        return found

    def _take_up(self, earlier: spool.Journal, found: dict[str, list[_Feed]]) -> None:
        ours = {_place(course.aim).url: course for course in self.courses}
        if not earlier.volumes.is_anywhere():  # and with the capture what was to be sent
            earlier.close(keep=False)
            return
        end, sources = earlier.volumes.end(), []
        known = spool.progress(earlier.path, len(earlier.places))
        for to, (place, far) in enumerate(zip(earlier.places, known, strict=True)):
            source = JournalCursor(
                earlier, to, backlog_reader(earlier.volumes, earlier.run, earlier.places[to])
            )
            source.gave_up = bool(far.failed)
            sources.append(source)
            assert source.reading is not None  # noqa: S101 - said to mypy
            source.unread = sum(1 for _ in backlog.unsent(source.reading, far, end))
            if not source.unread:
                continue
            self.left.append(Left(source.unread, place.url, place.url in ours))
            if place.url in ours:
                feed = backlog.unsent(source.reading, far, end)
                found.setdefault(place.url, []).append((source, feed))
                self._fed.append(source)
        if any(source.unread or source.gave_up for source in sources):
            self._earlier.append((earlier, sources))
        else:
            earlier.close(keep=False)

    # The files.

    def announce(self, line: bytes, at: int) -> None:
        """Before the capture goes on in a file that begins with this line; OSError: it must not."""
        if self._own:
            self._own.announce(line, at)

    def begin(self, line: bytes, at: int) -> None:
        """Go on in a file, beginning `at`, that this line will be the first of."""
        if self._own:
            try:
                self._own.begin(line, at)
            except OSError as error:
                self._unsaid.append((line, at))
                self._trouble(
                    self._own, error, "some deliveries may not be forwarded after a crash"
                )

    @property
    def sent_upto(self) -> int:
        """The place before which all was sent or given up; -1 while an earlier run's is sent."""
        if any(source.left or source.unread > 0 for source in self._fed):
            return -1
        if self._own is None:
            return -1 if self.survives else sys.maxsize
        return min(course.sent_upto for course in self.courses)

    # The answer's path.

    def offer(self, entry: Entry, start: int, size: int) -> None:
        """Have a delivery sent after it is answered; its line stands at `start` in the capture."""
        if not self._inbox:
            asyncio.get_running_loop().call_soon(self._distribute)
        self._inbox.append((entry, start, size))

    def _distribute(self) -> None:
        if self._unsaid:
            self._news.set()
        self._calm.note(len(self._inbox))
        while self._inbox:
            entry, start, size = self._inbox.popleft()
            for course in self.courses:
                try:
                    course.take(entry, start, size)
                except Exception as error:  # noqa: BLE001 - a bug ends this delivery, and not the run
                    self._voice.bug(error)

    async def settle(self, delivery: Delivery, status: int) -> int:
        """What Vonage is answered: with `--ack app` what the app says, of several what is not 2xx.

        What is not answered 200 anyway does not go to the app.
        """
        if status != _OK:
            return status
        entry = Entry(delivery)
        asked = [course for course in self.courses if entry.type in course.aim.types]
        outcomes = await asyncio.gather(*(course.ask(entry) for course in asked))
        for course, outcome in zip(asked, outcomes, strict=True):
            self._voice.told(ForwardResult(entry, course.aim.target.name, outcome))
        told = next((_status(outcome) for outcome in outcomes if not outcome.ok), None)
        if told is None:
            told = next((outcome.status or _OK for outcome in outcomes), _OK)
        if told != _OK:
            said = self.gauge.note(delivery.body, time.monotonic())
            self._voice.said(f"responded {told} to Vonage: {said}")
        return told

    # The spool.

    async def _keep(self) -> None:
        """Write into the journals what was sent, a little later and together."""
        while not self._ending:
            await self._news.wait()
            if not self._ending:
                await asyncio.sleep(_KEEP_S)
            self._news.clear()
            try:
                await self._keep_once()
            except Exception as error:  # noqa: BLE001 - a bug ends this turn, and not the run
                self._voice.bug(error)
        self._write()

    async def _keep_once(self) -> None:
        self._write()
        self.moved()
        if self._own and self._own.grown > spool.GROWN:
            await self._rewrite(self._own)

    def _write(self) -> None:
        if self._own and self._unsaid:
            with contextlib.suppress(OSError):
                while self._unsaid:
                    self._own.announce(*self._unsaid[0])
                    del self._unsaid[0]
        own = [course.own for course in self.courses]
        for journal, sources in (*([(self._own, own)] if self._own else ()), *self._earlier):
            if notes := [note for source in sources for note in source.notes()]:
                self._try(journal, notes)

    def _try(self, journal: spool.Journal, notes: list[spool.JournalLine]) -> None:
        try:
            journal.write(notes)
        except OSError as error:
            self._trouble(journal, error)

    async def _rewrite(self, journal: spool.Journal) -> None:
        where = {to: course.where() for to, course in enumerate(self.courses)}
        try:
            journal.adopt(await asyncio.to_thread(journal.fresh, where, journal.files()))
        except OSError as error:
            journal.grown = 0  # it is tried again when it has grown as much again
            self._trouble(journal, error)

    def _trouble(
        self,
        journal: spool.Journal,
        error: OSError,
        then: str = "some deliveries may be forwarded twice after a restart",
    ) -> None:
        path = disarm(str(journal.path))
        self._voice.said(f"cannot write {path} ({error.strerror}): {then}")

    def summary(self) -> Iterator[tuple[str, str]]:
        """A row for each target: what went there, what did not, how long it took."""
        for course in self.courses:
            yield f"to {course.aim.target.name}", ", ".join(_figures(course))
        if said := self.gauge.summary():
            yield "failures returned to Vonage", said
        if self._capture and any(course.own.gave_up or course.left for course in self.courses):
            folder = self._capture.path.absolute().parent
            named = "" if folder == default_folder() else f" {quote(str(self._capture.path))}"
            yield "resend with", f"vmon replay --failed{named}"


_Feed = tuple[JournalCursor, "Iterator[tuple[int, bytes]]"]


def _figures(course: TargetWorker) -> Iterator[str]:
    figures = course.figures
    yield f"{figures.sent:,} sent"
    for number, what in ((figures.failed, "failed"), (figures.retried, "retried")):
        if number:
            yield f"{number:,} {what}"
    if figures.lost:
        yield f"{figures.lost:,} LOST: out of memory"
    if course.left or course.is_behind:
        yield f"{course.left:,}{' and more' * course.is_behind} pending"
    half, most = figures.percentile(0.5), figures.percentile(0.95)
    if half is not None and most is not None:
        yield f"p50 {duration(half)}, p95 {duration(most)}"


def _place(aim: Route) -> spool.JournalTarget:
    return spool.JournalTarget(aim.target.url, aim.target.exact_path, tuple(sorted(aim.types)))


def _has_some(journal: spool.Journal, sources: list[JournalCursor]) -> bool:
    """Whether a journal of an earlier run has to be kept."""
    with contextlib.suppress(OSError):
        known = spool.progress(journal.path, len(journal.places))
        return any(source.left or source.unread for source in sources) or any(
            one.failed for one in known
        )
    return True


def _status(outcome: Outcome) -> int:
    if outcome.status is not None and 200 <= outcome.status < 600:  # noqa: PLR2004 - a final status
        return outcome.status
    return _LATE if outcome.kind == "late" else _UNREACHABLE


def of_left(left: Left) -> str:
    """What is said of what an earlier run left."""
    number = count(left.number, "delivery", "deliveries")
    were = "was" if left.number == 1 else "were"
    them = "it" if left.number == 1 else "them"
    if left.is_sent:
        return (
            f"{number} from an earlier run {were} not forwarded to {left.url}: sending {them} first"
        )
    return (
        f"{number} from an earlier run {were} not forwarded to {left.url}, which is not a target "
        f"now: resend {them} with vmon replay --failed"
    )
