"""Follow a file that another process appends to, across rotation and truncation.

A file that is rotated is read to its end, then its successor is read; a truncated file is read from
its beginning again. A slow reader may find several segments that `listen --rotate` closed
meanwhile, compressed or not: they are read first.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from gzip import GzipFile

_EVERY_S = 0.1
_NEWLINE = 10
_STDOUT = 1


class Unread(Exception):
    """The reader of standard output is gone, as after `head`: waiting for more is pointless.

    Not a BrokenPipeError, which would be attributed to the file that is read.
    """


class Following:
    """The bytes of a growing file; an unfinished line of a rotated file ends with that file."""

    def __init__(self, raw: io.RawIOBase, path: str | None) -> None:
        self._raw: io.RawIOBase | GzipFile = raw
        self._path = path
        self._number = max(_closed_numbers(path), default=0) + 1 if path else 0
        """The number of this segment of a rotated capture, once it is closed."""
        self._is_closed = False
        self._is_between_lines = True
        self._owns = False

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read available bytes, or wait for some; Unread when the reader of the output is gone."""
        while not (count := self._raw.readinto(buffer)):
            if self._path is None or not self._goes_on_elsewhere(self._path):
                if _is_unread(_STDOUT):
                    raise Unread
                time.sleep(_EVERY_S)  # no portable notification of an append
            elif not self._is_between_lines:
                self._is_between_lines = True
                buffer[:1] = b"\n"
                return 1
        self._is_between_lines = buffer[count - 1] == _NEWLINE
        return count

    def _goes_on_elsewhere(self, path: str) -> bool:
        """Switch to the next file if there is one; whether that happened."""
        if self._is_closed:
            return self._replace(path)
        try:
            now = os.stat(path)  # noqa: PTH116 - pathlib costs 5 ms
            mine = os.fstat(self._raw.fileno())
        except OSError:  # between two files there is a moment without one
            return False
        if (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino):
            if now.st_size >= self._raw.tell():
                return False
            self._raw.seek(0)
            return True
        if mine.st_size > self._raw.tell():
            return False  # written to between the last read and its renaming
        return self._replace(path)

    def _replace(self, path: str) -> bool:
        """Continue with the oldest segment closed after this one, else with the file itself."""
        for number in sorted(later for later in _closed_numbers(path) if later > self._number):
            if closed := _open_closed(path, number):
                self._read_now(closed, number, is_closed=True)
                return True
        try:
            fresh = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - see above; closed by close
        except FileNotFoundError:
            return False
        last = max(_closed_numbers(path), default=0)
        if last > self._number:  # rotated just now: the opened file may be the one after it
            fresh.close()
            return self._replace(path)
        self._read_now(fresh, last + 1, is_closed=False)
        return True

    def _read_now(self, raw: io.RawIOBase | GzipFile, number: int, *, is_closed: bool) -> None:
        self.close()
        self._raw, self._number, self._is_closed, self._owns = raw, number, is_closed, True

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._owns:
            self._raw.close()


def _closed_numbers(path: str) -> set[int]:
    """Return the numbers of the closed segments of a capture."""
    folder, name = os.path.split(path)
    stem = re.escape(name.removesuffix(".jsonl"))
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib costs 5 ms
    except OSError:  # a folder may allow reading of its files, but not listing
        return set()
    matches = (re.fullmatch(rf"{stem}\.([0-9]+)\.jsonl(\.gz)?", name) for name in names)
    return {int(match[1]) for match in matches if match}


def _open_closed(path: str, number: int) -> io.RawIOBase | GzipFile | None:
    """Open a closed segment, which may be compressed at any moment; None where it was removed."""
    import gzip

    plain = f"{path.removesuffix('.jsonl')}.{number}.jsonl"
    for attempt in (lambda: open(plain, "rb", buffering=0), lambda: gzip.open(f"{plain}.gz")):  # noqa: PTH123, SIM115 - pathlib costs 5 ms; closed by close
        try:
            return attempt()
        except FileNotFoundError:
            continue
    return None


def _is_unread(fd: int) -> bool:
    """Whether the reader of a pipe or terminal is gone; always False for a file, and on Windows."""
    import select

    if not hasattr(select, "poll"):
        return False
    poller = select.poll()
    poller.register(fd, 0)  # errors and hang-ups are always reported
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poller.poll(0))
