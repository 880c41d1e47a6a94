"""What is done to open files, also on systems where less can be done to them (Windows)."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from vmon.locks import lock

if TYPE_CHECKING:
    from pathlib import Path

OPEN_FLAGS: int = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""What belongs to each `os.open`: no child gets the file, and no newline is changed in it."""
RENAMES_OPEN = os.name == "posix"
"""Whether a file may get another name, or be removed, while it is open."""
_seeking = threading.Lock()


def read_at(fd: int, size: int, offset: int) -> bytes:
    """Up to so many bytes from a place in a file; none at its end. OSError."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    with _seeking:  # a file has one position, whichever thread asks
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)


def move_open(fd: int, path: Path, to: Path, *, over: int | None = None) -> None:
    """Give a file that is open for appending, and locked, another name; OSError.

    `over` is the descriptor of the file that has the name so far, if that is open, too. Where open
    files keep their names, they are closed for that moment; the descriptors stay what they are.
    """
    if RENAMES_OPEN:
        path.replace(to)
        return
    for one in (fd, over):
        if one is not None:
            _let_go(one)
    try:
        path.replace(to)
    except OSError:
        _take_up(fd, path)
        if over is not None:
            _take_up(over, to)
        raise
    _take_up(fd, to)


def remove_open(fd: int, path: Path) -> None:
    """Remove a file that is open and needed no more; the descriptor is still to be closed. OSError.

    Where that cannot be done to an open file, the descriptor leads nowhere from now on.
    """
    if not RENAMES_OPEN:
        _let_go(fd)
    path.unlink(missing_ok=True)


def _let_go(fd: int) -> None:
    """Close the file of a descriptor, whose number nobody else gets meanwhile."""
    nothing = os.open(os.devnull, os.O_RDWR | OPEN_FLAGS)
    os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


def _take_up(fd: int, path: Path) -> None:
    again = os.open(path, os.O_RDWR | os.O_APPEND | OPEN_FLAGS)
    os.dup2(again, fd, inheritable=False)
    os.close(again)
    lock(fd)
