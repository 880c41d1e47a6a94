"""The changes of one tunnel, from whoever notices them to the one who reads them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from vmon.tunnel.model import Change, State

LAST = (State.FAILED, State.CLOSED)


class Changes:
    """A tunnel's changes in their order; after the last one nothing more is taken."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Change] = asyncio.Queue()
        self._over = False

    def publish(
        self, state: State, *, url: str | None = None, detail: str = "", code: str | None = None
    ) -> None:
        """Add a change that happens now."""
        if self._over:
            return
        self._over = state in LAST
        self._queue.put_nowait(Change(state, datetime.now(UTC), url, detail, code))

    async def read(self) -> AsyncIterator[Change]:
        """Every change up to the last; waits for those to come."""
        while True:
            change = await self._queue.get()
            yield change
            if change.state in LAST:
                return
