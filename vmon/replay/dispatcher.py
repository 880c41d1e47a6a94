"""Send stored deliveries to an app: in order within a session, sessions in parallel."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from vmon.errors import VmonError
from vmon.forward.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.forward.client import Outcome
    from vmon.forward.targets import Target
    from vmon.replay.schedule import ScheduledDelivery

_MAX_WAITING = 1000
"""Deliveries that may wait for an earlier one of their session; beyond that, reading waits."""


class Sender:
    """Sends entries to an app when they are due: one at a time per session, `concurrency` in total.

    Each worker takes the next entry; if another worker is sending to its session, the entry is
    queued for that worker. `note` gets each entry with its outcome. `prepare` turns an entry into
    the delivery to send, when it is sent.
    """

    def __init__(
        self,
        target: Target,
        concurrency: int,
        note: Callable[[Entry, Outcome], None],
        prepare: Callable[[Entry], Delivery] = lambda entry: entry.delivery,
    ) -> None:
        self._prepare = prepare
        self._target = target
        self._concurrency = concurrency
        self._note = note
        self._queues: dict[str | None, deque[ScheduledDelivery]] = {}
        self._waiting = 0
        self._room = asyncio.Event()
        self._read_error: VmonError | None = None

    async def send_all(self, deliveries: Iterable[ScheduledDelivery]) -> None:
        """Send everything; returns after the last response.

        If the source cannot be read to its end, that error is raised after the rest was sent.
        An error in `note` stops it at once.
        """
        source = self._until_error(iter(deliveries))
        self._time = asyncio.get_running_loop().time
        self._start = self._time()
        try:
            async with Client(self._concurrency) as client, asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(self._work(client, source))
        except BaseExceptionGroup as group_error:
            if len(group_error.exceptions) > 1:
                raise
            raise group_error.exceptions[0] from None
        if self._read_error:
            raise self._read_error

    def _until_error(self, source: Iterator[ScheduledDelivery]) -> Iterator[ScheduledDelivery]:
        """Read the source; it ends for all workers at an error, which is kept."""
        try:
            yield from source
        except VmonError as error:
            self._read_error = error

    async def _work(self, client: Client, source: Iterator[ScheduledDelivery]) -> None:
        for delivery in source:
            session = delivery.entry.session
            if (queue := self._queues.get(session)) is None:
                await self._send_session(client, session, delivery)
            else:
                queue.append(delivery)
                self._waiting += 1
                await self._wait_for_room()

    async def _send_session(
        self, client: Client, session: str | None, delivery: ScheduledDelivery
    ) -> None:
        """Send an entry, and those of its session that were queued meanwhile."""
        queue = self._queues[session] = deque()
        while True:
            if (wait := self._start + delivery.at_s - self._time()) > 0:
                await asyncio.sleep(wait)
            entry = delivery.entry
            self._note(entry, await client.send(self._prepare(entry), self._target))
            if not queue:
                del self._queues[session]
                return
            delivery = queue.popleft()
            self._waiting -= 1
            self._room.set()

    async def _wait_for_room(self) -> None:
        while self._waiting >= _MAX_WAITING:
            self._room.clear()
            await self._room.wait()
