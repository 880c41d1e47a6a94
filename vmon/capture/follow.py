"""A file that another process appends to: what is at its end now is not its end.

A file that is renamed, and begun anew under its name, is read to its end and then its successor; a
file that is cut short is read from its beginning again. Who reads slowly may find several files
that `listen --rotate` put aside meanwhile, compressed or not: they come first.
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
    """Nobody reads standard output any more, as after `head`: no use in waiting for more.

    No BrokenPipeError, which would be taken for one of the file that is read.
    """


class Following:
    """The bytes of a file as they come; a line that a successor breaks off ends there."""

    def __init__(self, raw: io.RawIOBase, path: str | None) -> None:
        self._raw: io.RawIOBase | GzipFile = raw
        self._path = path
        self._number = max(_full_ones(path), default=0) + 1 if path else 0
        """Which of the full files of a rotated capture this is, or will be."""
        self._is_full = False
        self._is_between_lines = True
        self._owns = False

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read what there is, or wait for it; Unread when nobody is left to wait for it."""
        while not (count := self._raw.readinto(buffer)):
            if self._path is None or not self._goes_on_elsewhere(self._path):
                if _is_unread(_STDOUT):
                    raise Unread
                time.sleep(_EVERY_S)  # no portable way to be told of an append
            elif not self._is_between_lines:
                self._is_between_lines = True
                buffer[:1] = b"\n"
                return 1
        self._is_between_lines = buffer[count - 1] == _NEWLINE
        return count

    def _goes_on_elsewhere(self, path: str) -> bool:
        """Whether what comes next is the beginning of a file; then that is read from now on."""
        if self._is_full:
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
            return False  # written to after we looked, before it was renamed
        return self._replace(path)

    def _replace(self, path: str) -> bool:
        """Go on in the oldest file that was put aside after this one, else in that of the name."""
        for number in sorted(one for one in _full_ones(path) if one > self._number):
            if full := _opened_full(path, number):
                self._read_now(full, number, is_full=True)
                return True
        try:
            fresh = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - see above; closed by close
        except FileNotFoundError:
            return False
        last = max(_full_ones(path), default=0)
        if last > self._number:  # put aside just now: what was opened may come after it
            fresh.close()
            return self._replace(path)
        self._read_now(fresh, last + 1, is_full=False)
        return True

    def _read_now(self, raw: io.RawIOBase | GzipFile, number: int, *, is_full: bool) -> None:
        self.close()
        self._raw, self._number, self._is_full, self._owns = raw, number, is_full, True

    def close(self) -> None:
        """Close what was opened here."""
        if self._owns:
            self._raw.close()


def _full_ones(path: str) -> set[int]:
    """The numbers of the full files of a capture that `listen --rotate` put aside."""
    folder, name = os.path.split(path)
    stem = re.escape(name.removesuffix(".jsonl"))
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib costs 5 ms
    except OSError:  # a folder may let its files be read, and not be listed
        return set()
    found = (re.fullmatch(rf"{stem}\.([0-9]+)\.jsonl(\.gz)?", one) for one in names)
    return {int(one[1]) for one in found if one}


def _opened_full(path: str, number: int) -> io.RawIOBase | GzipFile | None:
    """A full file, which may be compressed at any moment; None where it was removed."""
    import gzip

    full = f"{path.removesuffix('.jsonl')}.{number}.jsonl"
    for opened in (lambda: open(full, "rb", buffering=0), lambda: gzip.open(f"{full}.gz")):  # noqa: PTH123, SIM115 - pathlib costs 5 ms; closed by close
        try:
            return opened()
        except FileNotFoundError:
            continue
    return None


def _is_unread(fd: int) -> bool:
    """Whether the reader of a pipe or terminal went away; never known of a file, nor on Windows."""
    import select

    if not hasattr(select, "poll"):
        return False
    poller = select.poll()
    poller.register(fd, 0)  # an error or a hang-up is told unasked
    return any(told & (select.POLLERR | select.POLLHUP) for _, told in poller.poll(0))
