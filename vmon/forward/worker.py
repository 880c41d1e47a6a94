"""One app that deliveries are forwarded to: its queue per session, attempts, health, figures.

A session's deliveries go one after the other, sessions side by side. One that fails and may be
sent again holds back its session, and nothing else. An app that is down is asked by one delivery
at a time until it is back. What finds memory full is read from the capture later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from vmon.capture.codec import read_line
from vmon.events.entry import Entry
from vmon.forward.client import Client, ForwardResult, Outcome
from vmon.forward.queue import JournalCursor, QueuedDelivery
from vmon.forward.retry import again_in_s
from vmon.humanize import duration
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.redelivery import Schedule
    from vmon.forward.targets import Route

WIDTH = 16
"""Sessions sent side by side to one app."""
WIDTH_ASKED = 64
"""The same where somebody waits for the app's answer."""

_MOST_ITEMS = 20_000
_MOST_BYTES = 16 << 20
_MOST_BYTES_ALONE = 64 << 20
"""Of bodies that wait: beyond, they are read from the capture when it is their turn; without a
capture more of them may wait, and then no more are taken."""

_AT_ONCE = 100
"""Deliveries read back between two turns of the event loop."""
_DISK_S = 1.0
"""How long after it was not on the disk yet a delivery is looked for again."""
_STRIKES = 3
"""Connections cut or answers missed in a row, after which an app counts as down."""
_IMPATIENT_S = 1.0
"""A new delivery tries an app that is down again, if the last attempt is that long ago."""


class Throttle:
    """How busy a run is with answers: while it is, sending leaves most of the time to them.

    It is shared by all courses. Rates are per second.
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
    """What a course has come to; `took_s` are the app's last answers, in seconds."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    lost: int = 0
    took_s: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))

    def percentile(self, part: float) -> float | None:
        """The time that so many of the answers took at most."""
        took = sorted(self.took_s)
        return took[min(len(took) - 1, int(len(took) * part))] if took else None


class WorkerListener(NamedTuple):
    """Who is told of outcomes, of health in a sentence, of bugs, and that a journal has news."""

    told: Callable[[ForwardResult], None]
    said: Callable[[str], None]
    bug: Callable[[Exception], None]
    changed: Callable[[], None] = lambda: None
    calm: Throttle | None = None


class TargetWorker:
    """A target and all that is on its way there; `own` is where this run's deliveries come from.

    Where `waits` is false, somebody waits for each answer, and a delivery is sent but once.
    `inner_path` makes the path that an app gets of the one that was received.
    """

    def __init__(
        self, aim: Route, schedule: Schedule, hearing: WorkerListener, own: JournalCursor
    ) -> None:
        self.aim = aim
        self.own = own
        self.upto = 0
        self.figures = TargetStats()
        self.waits = True
        self.inner_path: Callable[[str], str] | None = None
        self._read_upto = 0
        self._schedule = schedule
        self._hearing = hearing
        self._lanes: dict[str | None, deque[QueuedDelivery]] = {}
        self._ready: asyncio.Queue[str | None] = asyncio.Queue()
        self._held: deque[str | None] = deque()
        self._probing: set[str | None] = set()
        self._feeds: deque[tuple[JournalCursor, Iterator[tuple[int, bytes] | None]]] = deque()
        self._timers: dict[str | None, asyncio.TimerHandle] = {}
        self._probe: asyncio.TimerHandle | None = None
        self._refilling = self._is_unreadable = False
        self._waiting = self._bytes = self._sending = 0
        self._down_since: float | None = None
        self._strikes = self._probes = 0
        self._tried_s = 0.0
        self._workers: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()

    # Beginning and end.

    def begin(
        self, backlog: list[tuple[JournalCursor, Iterator[tuple[int, bytes]]]], end: int
    ) -> None:
        """Begin with what earlier runs left; this run's deliveries stand at `end` and beyond."""
        self.upto = self._read_upto = end
        if backlog:
            self._feeds.extend(backlog)
            self._fall_behind(end)
            self._refill_soon()

    def work(self, client: Client, width: int) -> None:
        """Send, from now on."""
        loop = asyncio.get_running_loop()
        self._workers = [loop.create_task(self._work(client)) for _ in range(width)]

    async def finish(self, within_s: float) -> None:
        """Send what can be sent at once, for so long at most; then no more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._is_going:
                    self._idle.clear()
                    await self._idle.wait()
        for timer in (*self._timers.values(), self._probe):
            if timer:
                timer.cancel()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    @property
    def _is_going(self) -> bool:
        more = bool(self._feeds) and self._down_since is None and not self._timers
        return self._sending > 0 or not self._ready.empty() or more

    @property
    def left(self) -> int:
        """How many are known to be on their way still."""
        return self._waiting

    @property
    def is_behind(self) -> bool:
        """More than that wait in the capture."""
        return bool(self._feeds)

    @property
    def sent_upto(self) -> int:
        """The place before which all of this run's deliveries came to their end."""
        upto = self._read_upto if self._feeds else self.upto
        lanes = self._lanes.values()
        return min((i.start for lane in lanes for i in lane if i.source is self.own), default=upto)

    def where(self) -> tuple[int, list[int]]:
        """How far this run's deliveries are sent: all before a place, but for those."""
        upto = self._read_upto if self._feeds else self.upto
        lanes = self._lanes.values()
        return upto, sorted(i.start for lane in lanes for i in lane if i.source is self.own)

    # What is to be sent.

    def take(self, entry: Entry, start: int, size: int) -> None:
        """Take a delivery of this run; its line stands at `start` in the capture."""
        self.upto = start + size
        if entry.type not in self.aim.types:
            return
        if self._feeds:
            self._refill_soon()
        elif self._waiting < _MOST_ITEMS and (self.own.reading or self._bytes < _MOST_BYTES_ALONE):
            bare = Entry(entry.delivery, told=(entry.type, entry.session))  # without its payload
            self._queue(entry.session, QueuedDelivery(self.own, start, size, bare))
        elif self.own.reading:
            self._fall_behind(start)
        else:
            self.figures.lost += 1
        self._be_impatient()

    async def ask(self, entry: Entry) -> Outcome:
        """Send a delivery after those of its session, once; what the app answers, in its time."""
        item = QueuedDelivery(self.own, 0, len(entry.delivery.body), entry)
        item.answer = asyncio.get_running_loop().create_future()
        self._queue(entry.session, item)
        try:
            async with asyncio.timeout(self.aim.target.timeout_s):
                return await item.answer
        except TimeoutError:
            took = duration(self.aim.target.timeout_s)
            return Outcome(
                None, self.aim.target.timeout_s, f"no response within {took}", kind="late"
            )

    def _queue(self, session: str | None, item: QueuedDelivery) -> None:
        item.source.left += 1
        self._waiting += 1
        self._bytes += item.size
        if self._bytes > _MOST_BYTES and self._is_on_disk(item):
            self._forget_body(item)
        if (lane := self._lanes.get(session)) is None:
            lane = self._lanes[session] = deque()
            self._ready.put_nowait(session)
        lane.append(item)

    def _forget_body(self, item: QueuedDelivery) -> None:
        item.entry = None
        self._bytes -= item.size
        item.size = 0

    def _is_on_disk(self, item: QueuedDelivery) -> bool:
        reading = item.source.reading
        return reading is not None and reading.volumes.has(item.start, item.size)

    def _fall_behind(self, start: int) -> None:
        self._read_upto = start
        self._feeds.append((self.own, self._read_back()))

    def _read_back(self) -> Iterator[tuple[int, bytes] | None]:
        """Lines of this run from `_read_upto` on; None where the next is not on the disk yet."""
        assert self.own.reading is not None  # noqa: S101 - said to mypy
        while self._read_upto < self.upto:
            end = min(self.upto, self.own.reading.volumes.end())
            for start, line in self.own.reading.lines(self._read_upto, end):
                self._read_upto = start + len(line)
                yield start, line
            if self._read_upto < end:
                self._read_upto = end  # what is behind the last line goes to others
            elif end < self.upto:
                yield None

    def _refill(self) -> None:
        """Read back what there is room for, a few at a time."""
        self._refilling = False
        try:
            self._refill_some()
        except OSError as error:
            if not self._is_unreadable:
                why = disarm(error.strerror or str(error))
                self._hearing.said(f"the capture cannot be read: {why}; trying again")
            self._is_unreadable = True
            self._refill_later()
        except Exception as error:  # noqa: BLE001 - a bug ends this turn, and not the run
            self._hearing.bug(error)
            self._refill_later()
        else:
            self._is_unreadable = False

    def _refill_later(self) -> None:
        if self._feeds and self._feeds[0][0] is self.own:
            self._feeds[0] = (
                self.own,
                self._read_back(),
            )  # a generator that has raised is at its end
        asyncio.get_running_loop().call_later(_DISK_S, self._refill_soon)

    def _refill_some(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._feeds or self._waiting >= _MOST_ITEMS // 2 or self._bytes > _MOST_BYTES:
                return
            source, lines = self._feeds[0]
            found = next(lines, False)
            if found is None:
                asyncio.get_running_loop().call_later(_DISK_S, self._refill_soon)
                return
            if isinstance(found, bool):
                self._feeds.popleft()
                self._idle.set()
                continue
            self._take_line(source, *found)
        self._refill_soon()

    def _refill_soon(self) -> None:
        if self._feeds and not self._refilling:
            self._refilling = True
            asyncio.get_running_loop().call_soon(self._refill)

    def _take_line(self, source: JournalCursor, start: int, line: bytes) -> None:
        source.unread -= 1
        try:
            entry = read_line(line)
        except ValueError:  # no line of ours: nothing was acknowledged
            return
        except Exception as error:  # noqa: BLE001 - a bug ends this delivery, and not the run
            self._hearing.bug(error)
            self._give_up(QueuedDelivery(source, start, len(line), None))
            return
        self._queue(entry.session, QueuedDelivery(source, start, len(line), entry))

    # Sending.

    async def _work(self, client: Client) -> None:
        while True:
            session = await self._ready.get()
            lane = self._lanes.get(session)
            item = lane[0] if lane else None
            try:
                await self._send_or_hold(client, session)
            except Exception as error:  # noqa: BLE001 - a bug ends this delivery, and not the run
                self._abandon(session, item, error)
            if not self._is_going:
                self._idle.set()

    async def _send_or_hold(self, client: Client, session: str | None) -> None:
        if self._is_to_be_held(session):
            self._held.append(session)
            self._ask_after(self._schedule.first_s)
            return
        self._sending += 1
        try:
            await self._send_head(client, session)
        finally:
            self._sending -= 1
            self._refill_soon()

    def _abandon(self, session: str | None, item: QueuedDelivery | None, error: Exception) -> None:
        """Give up a delivery that a bug of ours has hit, and go on with those behind it."""
        self._probing.discard(session)
        if item and item.answer and not item.answer.done():
            item.answer.set_exception(error)  # told by who waits for it
        else:
            self._hearing.bug(error)
        lane = self._lanes.get(session)
        comes_again = session in self._timers or session in self._held
        if lane and lane[0] is item and not comes_again:
            self._give_up(item)
            self._drop_head(session)

    def _is_to_be_held(self, session: str | None) -> bool:
        if self._down_since is None or session in self._probing:
            return False
        return self._lanes[session][0].answer is None

    async def _send_head(self, client: Client, session: str | None) -> None:
        item = self._lanes[session][0]
        if item.answer and item.answer.done():  # nobody waits for it any more
            self._drop_head(session)
            return
        entry = item.entry or self._read(item)
        if entry is None:
            self._give_up(item)
            self._drop_head(session)
            return
        if item.answer is None and self._hearing.calm:
            await self._hearing.calm.wait()
        self._tried_s = time.monotonic()
        outcome = await client.send(self._inner(entry).delivery, self.aim.target)
        item.attempts += 1
        self._settle(session, item, entry, outcome)

    def _read(self, item: QueuedDelivery) -> Entry | None:
        if item.source.reading is None:
            return None
        try:
            return read_line(item.source.reading.at(item.start))
        except (ValueError, OSError):  # somebody changed the capture
            return None

    def _inner(self, entry: Entry) -> Entry:
        path = entry.delivery.path
        if self.inner_path is None or (inner := self.inner_path(path)) == path:
            return entry
        return Entry(replace(entry.delivery, path=inner), told=(entry.type, entry.session))

    def _settle(
        self, session: str | None, item: QueuedDelivery, entry: Entry, outcome: Outcome
    ) -> None:
        self._hear(outcome)
        self._probing.discard(session)
        if outcome.status is not None:
            self.figures.took_s.append(outcome.took_s)
        if item.answer:
            self._answer(item, outcome)
            self._drop_head(session)
            return
        again_s = None if outcome.ok else self._again_in_s(item, outcome)
        if again_s is None or (item.attempts == 1 and self._down_since is None):
            told = ForwardResult(entry, self.aim.target.name, outcome, item.attempts, again_s)
            self._hearing.told(told)
        if again_s is None:
            self._end(item, outcome)
            self._drop_head(session)
        else:
            self._send_again(session, again_s)
        if self._down_since is not None and self._held:
            self._ask_after(again_s or self._schedule.first_s)

    def _answer(self, item: QueuedDelivery, outcome: Outcome) -> None:
        self.figures.sent += outcome.ok
        self.figures.failed += not outcome.ok
        if item.answer and not item.answer.done():
            item.answer.set_result(outcome)

    def _again_in_s(self, item: QueuedDelivery, outcome: Outcome) -> float | None:
        now = time.monotonic()
        item.failed_s = item.failed_s or now
        return again_in_s(self._schedule, outcome, item.attempts, now - item.failed_s)

    def _end(self, item: QueuedDelivery, outcome: Outcome) -> None:
        if not outcome.ok:
            self._give_up(item)
            return
        self.figures.sent += 1
        item.source.done.append(item.start)
        self._hearing.changed()

    def _give_up(self, item: QueuedDelivery) -> None:
        self.figures.failed += 1
        item.source.gave_up = True
        item.source.failed.append(item.start)
        self._hearing.changed()

    def _drop_head(self, session: str | None) -> None:
        lane = self._lanes[session]
        item = lane.popleft()
        item.source.left -= 1
        self._waiting -= 1
        self._bytes -= item.size
        if lane:
            self._ready.put_nowait(session)
        else:
            del self._lanes[session]

    def _send_again(self, session: str | None, wait_s: float) -> None:
        self.figures.retried += 1
        if self._down_since is not None:
            self._held.append(session)
            return
        loop = asyncio.get_running_loop()
        self._timers[session] = loop.call_later(wait_s, self._wake, session)

    def _wake(self, session: str | None) -> None:
        self._timers.pop(session, None)
        self._ready.put_nowait(session)

    # Health.

    def _hear(self, outcome: Outcome) -> None:
        if outcome.kind in {"answered", "unsendable", "error"}:
            self._strikes = 0
            if self._down_since is not None and outcome.kind == "answered":
                self._be_back(self._down_since)
            return
        self._strikes += 1
        down = outcome.kind == "unreachable" or self._strikes >= _STRIKES
        if down and self._down_since is None:
            self._down_since, self._probes = time.monotonic(), 0
            where = self.aim.target.name
            why = outcome.problem or ""
            why = why if where in why else f"{where}: {why}"
            self._hearing.said(f"{why}; retrying" if self.waits else why)

    def _be_back(self, since_s: float) -> None:
        self._down_since = None
        if self._probe:
            self._probe.cancel()
            self._probe = None
        while self._held:
            self._ready.put_nowait(self._held.popleft())
        lasted = duration(time.monotonic() - since_s)
        waiting = f"{self._waiting:,}{'+' * self.is_behind} deliveries"
        self._hearing.said(
            f"{self.aim.target.name} is back after {lasted}"
            + (f": sending {waiting}" if self._waiting > 1 else "")
        )

    def _ask_after(self, least_s: float) -> None:
        """Ask an app that is down again, by one delivery, after its own number of attempts."""
        if self._probe is None and not self._probing:
            self._probes += 1
            wait_s = self._schedule.wait_s(self._probes) if self._probes > 1 else least_s
            self._probe = asyncio.get_running_loop().call_later(wait_s, self._ask_again)

    def _ask_again(self) -> None:
        if self._probe:
            self._probe.cancel()
            self._probe = None
        if self._held:
            session = self._held.popleft()
            self._probing.add(session)
            self._ready.put_nowait(session)

    def _be_impatient(self) -> None:
        if self._down_since is None or self._schedule.jitter == 0:
            return
        if self._probe and time.monotonic() - self._tried_s > _IMPATIENT_S:
            self._ask_again()
