"""Answers that share one fsync."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmon.capture.writer import CaptureWriter
    from vmon.events.delivery import Delivery


class GroupCommit:
    """Answers wait until the disk has what they acknowledge; a wait is shared."""

    def __init__(self, capture: CaptureWriter) -> None:
        self._capture = capture
        self._lock = asyncio.Lock()
        self._written = self._synced = 0

    async def commit(self, _delivery: Delivery, status: int) -> int:
        """The status once the delivery would survive a loss of power; 503 when it would not."""
        self._written += 1
        mine = self._written
        async with self._lock:
            if self._synced >= mine:
                return status
            upto = self._written
            try:
                what = self._capture.unsynced()
                await asyncio.to_thread(what.sync)
            except OSError:
                return 503
            self._capture.synced(what)
            self._synced = upto
        return status
