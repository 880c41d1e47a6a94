"""What is drawn goes out from a thread of its own: a paused terminal delays nobody but itself."""

from __future__ import annotations

import os
import select
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OUT, ERR = 1, 2
_PIN = 0
"""In the place of a descriptor: the batch is the pinned line from now on."""
_ERASE = b"\r\x1b[2K"


class Writer:
    """Writes batches to standard output and error, in one order, from a thread.

    When the reader of standard output is gone, `on_gone` is called (in that thread), and what is
    written there after is thrown away. A line can be pinned under all that is written: it is taken
    away before each batch and put there again, so that nothing of it stays in the scrollback.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._gone: set[int] = set()
        self._pinned = b""
        self._is_pinned = False
        self._batches: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._waiting = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="vmon-writer", daemon=True)
        self._thread.start()

    @property
    def free(self) -> bool:
        """Nothing waits to be written."""
        return self._waiting == 0

    def put(self, fd: int, batch: bytes) -> None:
        """Have a batch written to a descriptor after those before it."""
        if not batch:
            return
        with self._changed:
            self._waiting += 1
        self._batches.put((fd, batch))

    def pin(self, line: bytes) -> None:
        """Have this line, shorter than the terminal is wide, stand last on standard output."""
        with self._changed:
            self._waiting += 1
        self._batches.put((_PIN, line))

    def finish(self, within_s: float) -> bool:
        """Wait until all is written, for so long at most; whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting == 0, within_s)

    def close(self) -> None:
        """End the thread once what waits is written."""
        self._batches.put(None)

    def _run(self) -> None:
        while (item := self._batches.get()) is not None:
            self._put(*item)
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def _put(self, fd: int, batch: bytes) -> None:
        if self._is_pinned:
            self._write(OUT, _ERASE)
        if fd == _PIN:
            self._pinned = batch
        else:
            self._write(fd, batch)
        self._is_pinned = bool(self._pinned)
        if self._is_pinned:
            self._write(OUT, self._pinned)

    def _write(self, fd: int, batch: bytes) -> None:
        if fd in self._gone:
            return
        view = memoryview(batch)
        try:
            while view:
                view = view[_some(fd, view) :]
        except OSError:  # EPIPE: the reader went away; EIO: the terminal did
            self._gone.add(fd)
            if fd == OUT:
                self._on_gone()


def _some(fd: int, view: memoryview) -> int:
    """Write as much as goes at once; how much that was."""
    try:
        return os.write(fd, view)
    except BlockingIOError:  # whoever shares the terminal with us may have made it non-blocking
        select.select([], [fd], [])
        return 0


def say_now(text: str) -> None:
    """Write a line to standard error, unless a terminal that is paused would block."""
    if select.select([], [ERR], [], 0)[1]:
        os.write(ERR, f"{text}\n".encode("utf-8", "backslashreplace"))
