"""Read the lines of a stream a block at a time: constant memory, fast search."""

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
    """The whole lines of a stream, a block at a time: `data[start:end]`, preceded by a newline.

    Memory is one block, or the longest line where that is longer. With `ahead`, a thread prefetches
    some blocks: then `close` has to be called.
    """

    def __init__(self, stream: Readable, size: int = BLOCK, *, ahead: bool = False) -> None:
        self.close: Callable[[], None] = lambda: None
        if ahead:
            from vmon.capture.prefetch import Ahead

            reading = Ahead(stream, size)
            self._next, self.close = reading.next, reading.close
        else:
            buffer = Buffer(size)
            self._next = lambda: (buffer, buffer.read(stream))
        self.data, self.view = bytearray(), memoryview(b"")
        self.start = self.end = self._filled = 0
        self.rest = b""

    def fill(self) -> bool:
        """Read the next block; False at the end, when `rest` is the line without a newline."""
        kept = self.data[self.end : self._filled]
        newline = -1
        while newline < 0:
            buffer, count = self._next()
            if not count:
                self.data, self.start, self.end, self._filled = kept, 0, 0, len(kept)
                self.view, self.rest = memoryview(kept), bytes(kept)
                return False
            newline = buffer.data.rfind(b"\n", HEAD, HEAD + count)
            if newline < 0:
                kept += buffer.view[HEAD : HEAD + count]
        self._put(kept, buffer, HEAD + count)
        self.end = newline + 1 + self._filled - (HEAD + count)
        return True

    def _put(self, kept: bytearray, buffer: Buffer, filled: int) -> None:
        """Join the rest of the last block with a new one: in the buffer's head, or a copy."""
        if len(kept) < HEAD:
            self.data, self.view = buffer.data, buffer.view
            self.start, self._filled = HEAD - len(kept), filled
            self.data[self.start - 1 : HEAD] = b"\n" + kept
        else:
            self.data = bytearray(b"\n") + kept + buffer.view[HEAD:filled]
            self.view, self.start, self._filled = memoryview(self.data), 1, len(self.data)

    def begin(self) -> bytes:
        """Return the first bytes of the block."""
        return self.view[self.start : min(self.start + 4096, self._filled)].tobytes()

    def places(self, needle: bytes) -> list[int]:
        """Find the offsets of a needle in the lines, or in the newline before them."""
        return finder(needle)(self.data, self.start - 1, self.end)

    def places_in_lower(self) -> Callable[[bytes], list[int]]:
        """Make a search like `places` in the lines in (ASCII) lower case."""
        before = self.start - 1
        lower = self.view[before : self.end].tobytes().lower()
        return lambda needle: [before + at for at in finder(needle)(lower, 0, len(lower))]

    def has(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether a pattern occurs in the lines."""
        return pattern.search(self.view[self.start : self.end]) is not None

    def lines(self) -> list[bytes]:
        """Return the lines of this block, each with its newline."""
        return BytesIO(self.view[self.start : self.end]).readlines()

    def remaining(self) -> bytes:
        """Read everything from this block to the end of the stream."""
        parts = [self.view[self.start : self.end].tobytes()]
        while self.fill():
            parts.append(self.view[self.start : self.end].tobytes())
        return b"".join((*parts, self.rest))

    def is_capture(self) -> bool:
        """Whether the first and the last line are capture lines: then all of them count as such."""
        last = self.data.rfind(b"\n", self.start - 1, self.end - 1) + 1
        return self.data.startswith(START, self.start) and self.data.startswith(START, last)


@cache
def finder(needle: bytes) -> Find:
    """Make a search for a needle, which is not empty: its offsets in a part of some bytes.

    Occurrences do not overlap, and are in order. The extra `fast` makes it faster.
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
