"""Deliveries on their way to an app: one after another within a session, sessions side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from vmon.forward import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmon.entry import Entry
    from vmon.forward import Outcome, Target
    from vmon.pace import Due

_AHEAD = 1000
"""Deliveries read ahead of the app: beyond, reading waits."""


class Sender:
    """Sends entries to an app when they are due: one at a time per session, `width` in all.

    `told` gets each entry with its outcome. Memory is bounded: reading waits for the app.
    """

    def __init__(self, target: Target, width: int, told: Callable[[Entry, Outcome], None]) -> None:
        self._target = target
        self._width = width
        self._told = told
        self._ready: asyncio.Queue[deque[Entry] | None] = asyncio.Queue()
        self._lanes: dict[str | None, deque[Entry]] = {}
        self._room = asyncio.Semaphore(_AHEAD)

    async def send_all(self, dues: Iterable[Due]) -> None:
        """Send everything; returns when the last answer is there."""
        async with Client(self._width) as client, asyncio.TaskGroup() as group:
            for _ in range(self._width):
                group.create_task(self._work(client))
            await self._feed(dues)
            for _ in range(_AHEAD):  # all that was read has been answered
                await self._room.acquire()
            for _ in range(self._width):
                self._ready.put_nowait(None)

    async def _feed(self, dues: Iterable[Due]) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for due in dues:
            await self._room.acquire()
            if (wait := start + due.at_s - loop.time()) > 0:
                await asyncio.sleep(wait)
            session = due.entry.payload.session
            if (lane := self._lanes.get(session)) is None:
                lane = self._lanes[session] = deque()
                self._ready.put_nowait(lane)
            lane.append(due.entry)

    async def _work(self, client: Client) -> None:
        while (lane := await self._ready.get()) is not None:
            entry = lane.popleft()
            outcome = await client.send(entry.delivery, self._target)
            self._told(entry, outcome)
            self._room.release()
            if lane:
                self._ready.put_nowait(lane)
            else:
                del self._lanes[entry.payload.session]
