"""The lines of a stream, a block at a time: memory stays constant, and searching is fast."""

from __future__ import annotations

from functools import cache, partial
from io import BytesIO
from typing import TYPE_CHECKING

from vmon.capture.format import START
from vmon.capture.inputs import BLOCK, HEAD, Buffer, Readable

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    Find = Callable[[bytes | bytearray, int, int], list[int]]


class Blocks:
    """The whole lines of a stream, a block at a time: `data[start:end]`, a newline before them.

    Memory is one block, or the longest line where that is longer. With `ahead`, a thread reads some
    blocks ahead: then `close` has to be called.
    """

    def __init__(self, stream: Readable, size: int = BLOCK, *, ahead: bool = False) -> None:
        self.close: Callable[[], None] = lambda: None
        if ahead:
            from vmon.capture.prefetch import Ahead

            reading = Ahead(stream, size)
            self._next, self.close = reading.next, reading.close
        else:
            room = Buffer(size)
            self._next = lambda: (room, room.read(stream))
        self.data, self.view = bytearray(), memoryview(b"")
        self.start = self.end = self._filled = 0
        self.rest = b""

    def fill(self) -> bool:
        """Read the next block; False at the end, when `rest` is what had no newline."""
        kept = self.data[self.end : self._filled]
        newline = -1
        while newline < 0:
            room, count = self._next()
            if not count:
                self.data, self.start, self.end, self._filled = kept, 0, 0, len(kept)
                self.view, self.rest = memoryview(kept), bytes(kept)
                return False
            newline = room.data.rfind(b"\n", HEAD, HEAD + count)
            if newline < 0:
                kept += room.view[HEAD : HEAD + count]
        self._put(kept, room, HEAD + count)
        self.end = newline + 1 + self._filled - (HEAD + count)
        return True

    def _put(self, kept: bytearray, room: Buffer, filled: int) -> None:
        """Have what was kept before what was read: in its head, or in one place anew."""
        if len(kept) < HEAD:
            self.data, self.view = room.data, room.view
            self.start, self._filled = HEAD - len(kept), filled
            self.data[self.start - 1 : HEAD] = b"\n" + kept
        else:
            self.data = bytearray(b"\n") + kept + room.view[HEAD:filled]
            self.view, self.start, self._filled = memoryview(self.data), 1, len(self.data)

    def begin(self) -> bytes:
        """How the block begins."""
        return self.view[self.start : min(self.start + 4096, self._filled)].tobytes()

    def places(self, needle: bytes) -> list[int]:
        """Where a needle begins in the lines, or in the newline before them."""
        return finder(needle)(self.data, self.start - 1, self.end)

    def places_in_lower(self) -> Callable[[bytes], list[int]]:
        """As `places`, with the lines in (ASCII) lower case."""
        before = self.start - 1
        lower = self.view[before : self.end].tobytes().lower()
        return lambda needle: [before + at for at in finder(needle)(lower, 0, len(lower))]

    def has(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether a pattern stands somewhere in the lines."""
        return pattern.search(self.view[self.start : self.end]) is not None

    def lines(self) -> list[bytes]:
        """The lines of this block, each with its newline."""
        return BytesIO(self.view[self.start : self.end]).readlines()

    def remaining(self) -> bytes:
        """All from this block to the end of the stream."""
        parts = [self.view[self.start : self.end].tobytes()]
        while self.fill():
            parts.append(self.view[self.start : self.end].tobytes())
        return b"".join((*parts, self.rest))

    def is_capture(self) -> bool:
        """Whether the block begins and ends with capture lines: then all of it is taken so."""
        last = self.data.rfind(b"\n", self.start - 1, self.end - 1) + 1
        return self.data.startswith(START, self.start) and self.data.startswith(START, last)


@cache
def finder(needle: bytes) -> Find:
    """What finds where a needle, which is not empty, begins in a part of some bytes.

    Places do not overlap; they are in their order. With the extra `fast` it is some times as fast.
    """
    try:
        from ahocorasick_rs import BytesAhoCorasick
    except ImportError:
        return partial(_find, needle)
    find = BytesAhoCorasick((needle,)).find_matches_as_indexes
    return lambda data, start, end: [start + at for _, at, _ in find(memoryview(data)[start:end])]


def _find(needle: bytes, data: bytes | bytearray, start: int, end: int) -> list[int]:
    places = []
    at = data.find(needle, start, end)
    while at >= 0:
        places.append(at)
        at = data.find(needle, at + len(needle), end)
    return places
