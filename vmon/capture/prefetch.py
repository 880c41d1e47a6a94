"""Reading a file on a thread, ahead of who looks at it: copying and decompressing cost no time."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from vmon.capture.inputs import Buffer

if TYPE_CHECKING:
    from vmon.capture.inputs import Readable

_ROOMS = 3
"""One is looked at, one is full, one is read into."""


class Ahead:
    """Reads a stream that never blocks for long; what goes wrong is raised by `next`."""

    def __init__(self, stream: Readable, size: int) -> None:
        self._stream = stream
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[Buffer, int | Exception]] = SimpleQueue()
        self._now: tuple[Buffer, int | Exception] | None = None
        for _ in range(_ROOMS):
            self._free.put(Buffer(size))
        self._thread = Thread(target=self._read, name="vmon-ahead", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while room := self._free.get():
            try:
                count: int | Exception = room.read(self._stream)
            except Exception as error:  # noqa: BLE001 - raised again in `next`
                count = error
            self._full.put((room, count))

    def next(self) -> tuple[Buffer, int]:
        """What was read next, and how much; 0 at the end. It stays as it is until the next call."""
        if self._now:
            self._free.put(self._now[0])
        room, count = self._now = self._full.get()
        if isinstance(count, Exception):
            raise count
        return room, count

    def close(self) -> None:
        """Wait until nothing more is read."""
        self._free.put(None)
        self._thread.join()
