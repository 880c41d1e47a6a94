"""The queue of a tunnel's state changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from vmon.tunnel.model import Change, State

LAST = (State.FAILED, State.CLOSED)


class Changes:
    """A tunnel's state changes in order; nothing is added after FAILED or CLOSED."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._ended = False

    def publish(
        self, state: State, *, url: str | None = None, detail: str = "", code: str | None = None
    ) -> None:
        """Add a change that happens now."""
        if self._ended:
            return
        self._ended = state in LAST
        self._queue.put_nowait(Change(state, datetime.now(UTC), url, detail, code))

    async def read(self) -> AsyncIterator[Change]:
        """Yield every change up to the last, waiting for each."""
        while True:
            change = await self._queue.get()
            yield change
            if change.state in LAST:
                return
