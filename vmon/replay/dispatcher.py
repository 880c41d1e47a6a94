"""Deliveries on their way to an app: one after another within a session, sessions side by side."""

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

_AHEAD = 1000
"""Deliveries that may wait for one of their session to be answered: beyond, reading waits."""


class Sender:
    """Sends entries to an app when they are due: one at a time per session, `width` in all.

    Each worker takes the next entry itself. An entry whose session is being sent by another
    worker is left to that one. `note` gets each entry with its outcome. `prepare` makes of an entry
    what is sent, when it is sent.
    """

    def __init__(
        self,
        target: Target,
        width: int,
        note: Callable[[Entry, Outcome], None],
        prepare: Callable[[Entry], Delivery] = lambda entry: entry.delivery,
    ) -> None:
        self._prepare = prepare
        self._target = target
        self._width = width
        self._note = note
        self._behind: dict[str | None, deque[ScheduledDelivery]] = {}
        self._waiting = 0
        self._room = asyncio.Event()
        self._unreadable: VmonError | None = None

    async def send_all(self, deliveries: Iterable[ScheduledDelivery]) -> None:
        """Send everything; returns when the last answer is there.

        Where the source cannot be read on, that is raised once what was read is sent. What `note`
        raises ends it at once.
        """
        source = self._readable(iter(deliveries))
        self._time = asyncio.get_running_loop().time
        self._start = self._time()
        try:
            async with Client(self._width) as client, asyncio.TaskGroup() as group:
                for _ in range(self._width):
                    group.create_task(self._work(client, source))
        except BaseExceptionGroup as group_error:
            if len(group_error.exceptions) > 1:
                raise
            raise group_error.exceptions[0] from None
        if self._unreadable:
            raise self._unreadable

    def _readable(self, source: Iterator[ScheduledDelivery]) -> Iterator[ScheduledDelivery]:
        """What can be read of the source; the other workers find that it has ended."""
        try:
            yield from source
        except VmonError as error:
            self._unreadable = error

    async def _work(self, client: Client, source: Iterator[ScheduledDelivery]) -> None:
        for delivery in source:
            session = delivery.entry.session
            if (behind := self._behind.get(session)) is None:
                await self._send_session(client, session, delivery)
            else:
                behind.append(delivery)
                self._waiting += 1
                await self._wait_for_room()

    async def _send_session(
        self, client: Client, session: str | None, delivery: ScheduledDelivery
    ) -> None:
        """Send an entry, and those of its session that came up meanwhile."""
        behind = self._behind[session] = deque()
        while True:
            if (wait := self._start + delivery.at_s - self._time()) > 0:
                await asyncio.sleep(wait)
            entry = delivery.entry
            self._note(entry, await client.send(self._prepare(entry), self._target))
            if not behind:
                del self._behind[session]
                return
            delivery = behind.popleft()
            self._waiting -= 1
            self._room.set()

    async def _wait_for_room(self) -> None:
        while self._waiting >= _AHEAD:
            self._room.clear()
            await self._room.wait()
