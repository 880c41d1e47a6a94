"""Prefetch a file on a thread: reading and decompressing overlap with the scan."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from vmon.capture.inputs import Buffer

if TYPE_CHECKING:
    from vmon.capture.inputs import Readable

_BUFFERS = 3
"""One buffer is scanned, one is full, one is read into."""


class Ahead:
    """Reads ahead of a stream that never blocks for long; `next` raises its errors."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream = stream
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[Buffer, int | Exception]] = SimpleQueue()
        self._now: tuple[Buffer, int | Exception] | None = None
        for _ in range(_BUFFERS):
            self._free.put(Buffer(size))
        self._thread = Thread(target=self._read, name="vmon-ahead", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while buffer := self._free.get():
            try:
                count: int | Exception = buffer.read(self._stream)
            except Exception as error:  # noqa: BLE001 - raised again in `next`
                count = error
            self._full.put((buffer, count))

    def next(self) -> tuple[Buffer, int]:
        """Return the next buffer and its length, 0 at the end; valid until the next call."""
        if self._now:
            self._free.put(self._now[0])
        buffer, count = self._now = self._full.get()
        if isinstance(count, Exception):
            raise count
        return buffer, count

    def close(self) -> None:
        """Stop the thread, and wait for it."""
        self._free.put(None)
        self._thread.join()
