"""How far a reading run is: told on stderr of somebody who waits for it, and at its end.

A press of Ctrl-C lets the batch be written that is being written, so that no line is torn.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmon.capture.inputs import stdin_fd
from vmon.humanize import count, duration, size
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from vmon.capture.inputs import Stream
    from vmon.render.live.bar import Bar

_PATIENCE_S = 1.0
"""What is done sooner needs no bar."""
_EVERY_S = 0.1


class Progress:
    """Follows the streams a run reads, and what it found in them.

    `total` is how many bytes there are to read, None where nobody knows. Without `shown` nothing is
    drawn; `is_drawn_over` says that what is found goes to the same terminal, where a bar would be
    in its way.
    """

    def __init__(self, total: int | None, *, shown: bool, is_drawn_over: bool = False) -> None:
        self._total = total
        self._shown = shown
        self._drawn_over = is_drawn_over
        self._streams: list[Stream] = []
        self._found = 0
        self._began_s = self._told_s = time.monotonic()
        self._bar: Bar | None = None
        self._writing = self._stopped = False

    def reads(self, stream: Stream) -> Stream:
        """A stream is read from now on."""
        self._streams.append(stream)
        return stream

    @property
    def _done(self) -> int:
        return sum(stream.done for stream in self._streams)

    def found(self, number: int) -> None:
        """So many more were found and written."""
        self._found += number
        now = time.monotonic()
        if self._shown and not self._drawn_over and now - self._told_s >= _EVERY_S:
            self._told_s = now
            self._draw(now)

    def _draw(self, now: float) -> None:
        if self._bar is None:
            if now - self._began_s < _PATIENCE_S:
                return
            from vmon.render.live.bar import Bar

            self._bar = Bar(self._total)
        self._bar.draw(self._done, self._found)

    def end(self, *, interrupted: bool = False) -> None:
        """Take the bar away; say how many were found, in what time."""
        if self._bar:
            self._bar.close()
        took_s = time.monotonic() - self._began_s
        if interrupted:
            total = f" of {size(self._total)}" if self._total is not None else ""
            read = f"{size(self._done)}{total} read"
            say(f"interrupted: {self._counted()} so far, {read}")
        elif self._shown and (took_s >= _PATIENCE_S or self._drawn_over):
            rate = size(int(self._done / max(took_s, 1e-6)))
            told = f" · {size(self._done)} in {duration(took_s)}, {rate}/s" if self._done else ""
            say(f"{self._counted()}{told}")

    def _counted(self) -> str:
        return f"{count(self._found, 'delivery', 'deliveries')} found"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Ctrl-C waits until this is done; a second one does not."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._stopped:
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C ends what is done within, between two batches."""
        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopped or not self._writing:
            raise KeyboardInterrupt
        self._stopped = True


def bytes_of(sources: tuple[str | None, ...]) -> int | None:
    """How many bytes there are in the sources; None where one is no file, or cannot be asked."""
    total = 0
    for source in sources:
        try:
            status = os.stat(source) if source else os.fstat(stdin_fd())  # noqa: PTH116 - pathlib costs 5 ms
        except OSError:
            return None
        if not status.st_size:
            return None
        total += status.st_size
    return total
