"""Read the last deliveries of a file that pass a filter, from its end.

A file is read backwards, in growing pieces; documents, which have no lines, and sources that cannot
be read backwards (pipes, compressed files) are read in full, and only the last lines are kept.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from vmon.capture import documents, inputs
from vmon.capture.encodings import Utf8
from vmon.files import OPEN_FLAGS, read_at
from vmon.search import matching, reader, scan
from vmon.search.skipped import Skipped

if TYPE_CHECKING:
    from vmon.search.filter import Filter

_FIRST = 1 << 18
_MOST = 1 << 24
_STEP = 1 << 16


class _Window:
    """A range of a file as a stream."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd = fd
        self._at = start
        self._end = end

    def readinto(self, buffer: memoryview, /) -> int:
        piece = read_at(self._fd, min(len(buffer), self._end - self._at), self._at)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def last(
    path: str | None, number: int, chosen: Filter, *, whole_lines: bool = False
) -> tuple[list[matching.StoredLine], int]:
    """Return the last `number` selected lines, in order, and the offset at which to read on.

    With `whole_lines`, a last line without a newline yet is left for later.
    """
    name = inputs.source_name(path)
    if path is not None and documents.has_lines(path):
        skipped = Skipped(name, has_numbers=False)
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
        try:
            size = os.fstat(fd).st_size
            end = _line_start(fd, size) if whole_lines else size
            return _backwards(fd, end, number, (name, chosen, skipped)), end
        finally:
            os.close(fd)
            skipped.end()
    kept: deque[matching.StoredLine] = deque(maxlen=number)
    for batch in reader.batches((path,), chosen):
        kept.extend(batch)
    return list(kept), os.path.getsize(path) if path is not None else 0  # noqa: PTH202 - pathlib costs 5 ms


def _backwards(
    fd: int,
    end: int,
    number: int,
    how: tuple[str, Filter, Skipped],
) -> list[matching.StoredLine]:
    name, chosen, skipped = how
    found: list[matching.StoredLine] = []
    size = _FIRST
    while end > 0 and len(found) < number:
        start = _line_start(fd, max(0, end - size))
        before: deque[matching.StoredLine] = deque(maxlen=number - len(found))
        window = _Window(fd, start, end)
        part = window if start else Utf8(window, name)
        for batch in scan.select(part, name, chosen, skipped, only_lines=True):
            before.extend(batch)
        found[:0] = before
        end, size = start, min(size * 2, _MOST)
    return found


def _line_start(fd: int, at: int) -> int:
    """Return the offset at which the line around `at` starts: `at` itself if one starts there."""
    while at > 0:
        step = min(at, _STEP)
        piece = read_at(fd, step, at - step)
        if (newline := piece.rfind(b"\n")) >= 0:
            return at - step + newline + 1
        at -= step
    return 0
