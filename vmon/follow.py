"""A file that another process appends to: what is at its end now is not its end.

A file that is renamed, and begun anew under its name, is read to its end and then its successor; a
file that is cut short is read from its beginning again.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io

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
        self._raw = raw
        self._path = path
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
        self._replace(path)
        return True

    def _replace(self, path: str) -> None:
        fresh = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - see above; closed by close
        self.close()
        self._raw, self._owns = fresh, True

    def close(self) -> None:
        """Close what was opened here."""
        if self._owns:
            self._raw.close()


def _is_unread(fd: int) -> bool:
    """Whether the reader of a pipe or terminal went away; never known of a file, nor on Windows."""
    import select

    if not hasattr(select, "poll"):
        return False
    poller = select.poll()
    poller.register(fd, 0)  # an error or a hang-up is told unasked
    return any(told & (select.POLLERR | select.POLLHUP) for _, told in poller.poll(0))
