"""Deliveries on their way to one target: a queue per session, in memory as far as there is room.

What finds memory full is read from the capture when it is its turn; without a capture it is lost,
and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from vmon.capture.codec import read_line
from vmon.events.entry import Entry
from vmon.forward.journal import Position
from vmon.forward.queued import QueuedDelivery
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.forward.backlog import Feed, JournalCursor
    from vmon.forward.client import Outcome
    from vmon.forward.listener import ForwardListener

_MAX_DELIVERIES = 20_000
_MAX_BYTES = 16 << 20
_MAX_BYTES_WITHOUT_CAPTURE = 64 << 20
"""Of bodies that wait: beyond, they are read from the capture when it is their turn; without a
capture more of them may wait, and then no more are taken."""

_BATCH = 100
"""Deliveries read back between two turns of the event loop."""
_DISK_S = 1.0
"""How long after it was not on the disk yet a delivery is looked for again."""


class SessionQueues:
    """A queue per session, and the sessions whose next delivery may be sent.

    `waiting` deliveries are in the queues, with `size` bytes of bodies in memory.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.size = 0
        self._queues: dict[str | None, deque[QueuedDelivery]] = {}
        self._ready: asyncio.Queue[str | None] = asyncio.Queue()

    @property
    def ready(self) -> int:
        """How many sessions have a next delivery that may be sent."""
        return self._ready.qsize()

    @property
    def has_ready(self) -> bool:
        """Whether the next delivery of some session may be sent."""
        return not self._ready.empty()

    async def next_session(self) -> str | None:
        """Wait for a session whose next delivery may be sent."""
        return await self._ready.get()

    def release(self, session: str | None) -> None:
        """Let the next delivery of a session be sent."""
        self._ready.put_nowait(session)

    def put(self, session: str | None, delivery: QueuedDelivery) -> None:
        """Put a delivery behind those of its session."""
        delivery.cursor.queued += 1
        self.waiting += 1
        self.size += delivery.size
        if self.size > _MAX_BYTES and _is_on_disk(delivery):
            self._forget_body(delivery)
        if (queue := self._queues.get(session)) is None:
            queue = self._queues[session] = deque()
            self.release(session)
        queue.append(delivery)

    def _forget_body(self, delivery: QueuedDelivery) -> None:
        delivery.entry = None
        self.size -= delivery.size
        delivery.size = 0

    def head(self, session: str | None) -> QueuedDelivery | None:
        """The next delivery of a session; None where it has none."""
        queue = self._queues.get(session)
        return queue[0] if queue else None

    def behind_head(self, session: str | None) -> int:
        """How many deliveries of a session wait behind its next."""
        return len(self._queues.get(session, ())) - 1

    def drop_head(self, session: str | None) -> None:
        """Take the next delivery of a session out; the one behind it may be sent."""
        queue = self._queues[session]
        delivery = queue.popleft()
        delivery.cursor.queued -= 1
        self.waiting -= 1
        self.size -= delivery.size
        if queue:
            self.release(session)
        else:
            del self._queues[session]

    def starts(self, cursor: JournalCursor) -> Iterator[int]:
        """Where each delivery of a cursor that is in the queues begins."""
        for queue in self._queues.values():
            yield from (delivery.start for delivery in queue if delivery.cursor is cursor)


def _is_on_disk(delivery: QueuedDelivery) -> bool:
    reader = delivery.cursor.reader
    return reader is not None and reader.segments.has(delivery.start, delivery.size)


class CaptureBacklog:
    """What waits in captures: what earlier runs left, then what of this run found memory full.

    All of this run's deliveries before `taken_upto` were taken.
    """

    def __init__(self, own: JournalCursor) -> None:
        self.taken_upto = 0
        self._own = own
        self._read_upto = 0
        self._feeds: deque[tuple[JournalCursor, Iterator[tuple[int, bytes] | None]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._feeds)

    def begin(self, earlier: Iterable[Feed], end: int) -> None:
        """Begin with what earlier runs left; this run's deliveries stand at `end` and beyond."""
        self.taken_upto = self._read_upto = end
        self._feeds.extend(earlier)
        if self._feeds:
            self.fall_behind(end)

    @property
    def known_upto(self) -> int:
        """The place before which all of this run's deliveries are in memory, or were."""
        return self._read_upto if self._feeds else self.taken_upto

    def fall_behind(self, start: int) -> None:
        """Read this run's deliveries back from a place on."""
        self._read_upto = start
        self._feeds.append((self._own, self._read_back()))

    def read_line(self) -> tuple[JournalCursor, int, bytes] | None:
        """The next line and where it begins; None where it is not on the disk yet.

        StopIteration where nothing is left of a run, and OSError.
        """
        cursor, lines = self._feeds[0]
        line = next(lines)
        return line and (cursor, *line)

    def end_run(self) -> None:
        """Go on with what the next run left."""
        self._feeds.popleft()

    def begin_again(self) -> None:
        """Go on with this run's deliveries where reading them failed: their generator has ended."""
        if self._feeds and self._feeds[0][0] is self._own:
            self._feeds[0] = (self._own, self._read_back())

    def _read_back(self) -> Iterator[tuple[int, bytes] | None]:
        """Lines of this run from `_read_upto` on; None where the next is not on the disk yet."""
        reader = self._own.reader
        assert reader is not None  # noqa: S101 - said to mypy
        while self._read_upto < self.taken_upto:
            end = min(self.taken_upto, reader.segments.end())
            for start, line in reader.lines(self._read_upto, end):
                self._read_upto = start + len(line)
                yield start, line
            if self._read_upto < end:
                self._read_upto = end  # what is behind the last line goes to others
            elif end < self.taken_upto:
                yield None


class TargetQueue:
    """All that is to be sent to one target: in memory, and behind that in the capture.

    `own` is how far this run's deliveries are, `lost` how many found no room. `idle` is set when
    there may be nothing left to do.
    """

    def __init__(self, own: JournalCursor, listener: ForwardListener) -> None:
        self.own = own
        self.sessions = SessionQueues()
        self.lost = 0
        self.idle = asyncio.Event()
        self._listener = listener
        self._backlog = CaptureBacklog(own)
        self._is_refilling = self._is_unreadable = self._is_closed = False
        self._disk: asyncio.TimerHandle | None = None

    def begin(self, earlier: Iterable[Feed], end: int) -> None:
        """Begin with what earlier runs left; this run's deliveries stand at `end` and beyond."""
        self._backlog.begin(earlier, end)
        self.refill_soon()

    @property
    def is_behind(self) -> bool:
        """More deliveries than are in memory wait in the capture."""
        return bool(self._backlog)

    @property
    def is_empty(self) -> bool:
        """Nothing is to be sent."""
        return not self.sessions.waiting and not self._backlog

    @property
    def sent_upto(self) -> int:
        """The place before which all of this run's deliveries came to their end."""
        return min(self.sessions.starts(self.own), default=self._backlog.known_upto)

    def position(self) -> Position:
        """How far this run's deliveries are sent."""
        return Position(self._backlog.known_upto, sorted(self.sessions.starts(self.own)))

    # What comes in.

    def skip(self, end: int) -> None:
        """Pass over a delivery that is not for this target, which ends there in the capture."""
        self._backlog.taken_upto = end

    def take(self, entry: Entry, start: int, size: int) -> None:
        """Take a delivery of this run; its line stands at `start` in the capture."""
        self._backlog.taken_upto = start + size
        if self._backlog:
            self.refill_soon()
        elif self._has_room:
            bare = Entry(entry.delivery, stated=(entry.type, entry.session))  # without its payload
            self.sessions.put(entry.session, QueuedDelivery(self.own, start, size, bare))
        elif self.own.reader:
            self._backlog.fall_behind(start)
        else:
            self.lost += 1

    @property
    def _has_room(self) -> bool:
        if self.sessions.waiting >= _MAX_DELIVERIES:
            return False
        return self.own.reader is not None or self.sessions.size < _MAX_BYTES_WITHOUT_CAPTURE

    def ask(self, entry: Entry) -> asyncio.Future[Outcome]:
        """Queue a delivery that somebody waits for: what the app will answer to it."""
        delivery = QueuedDelivery(self.own, 0, len(entry.delivery.body), entry)
        delivery.answer = asyncio.get_running_loop().create_future()
        self.sessions.put(entry.session, delivery)
        return delivery.answer

    # Reading back.

    def refill_soon(self) -> None:
        """Read back, in the next turn of the event loop, what there is room for."""
        if self._backlog and not self._is_refilling and not self._is_closed:
            self._is_refilling = True
            asyncio.get_running_loop().call_soon(self._refill)

    def close(self) -> None:
        """Read nothing more back: the files are about to be closed."""
        self._is_closed = True
        if self._disk:
            self._disk.cancel()

    def _refill(self) -> None:
        self._is_refilling = False
        if self._is_closed:
            return
        try:
            self._refill_batch()
        except OSError as error:
            if not self._is_unreadable:
                reason = disarm(error.strerror or str(error))
                self._listener.notice(f"the capture cannot be read: {reason}; trying again")
            self._is_unreadable = True
            self._read_again_later()
        except Exception as error:  # noqa: BLE001 - a bug ends this turn, and not the run
            self._listener.bug(error)
            self._read_again_later()
        else:
            self._is_unreadable = False

    def _read_again_later(self) -> None:
        self._backlog.begin_again()
        self._refill_later()

    def _refill_later(self) -> None:
        if self._disk:
            self._disk.cancel()  # there is one, however many deliveries ask for it
        self._disk = asyncio.get_running_loop().call_later(_DISK_S, self.refill_soon)

    def _refill_batch(self) -> None:
        for _ in range(_BATCH):
            if not self._backlog or not self._may_refill:
                return
            try:
                line = self._backlog.read_line()
            except StopIteration:
                self._backlog.end_run()
                self.idle.set()
                continue
            if line is None:
                self._refill_later()
                return
            self._take_line(*line)
        self.refill_soon()

    @property
    def _may_refill(self) -> bool:
        return self.sessions.waiting < _MAX_DELIVERIES // 2 and self.sessions.size <= _MAX_BYTES

    def _take_line(self, cursor: JournalCursor, start: int, line: bytes) -> None:
        cursor.unread -= 1
        try:
            entry = read_line(line)
        except ValueError:  # no line of ours: nothing was acknowledged
            return
        except Exception:  # noqa: BLE001 - a bug, which is reported when it is this one's turn
            self.sessions.put(None, QueuedDelivery(cursor, start, 0, None))
        else:
            self.sessions.put(entry.session, QueuedDelivery(cursor, start, len(line), entry))
