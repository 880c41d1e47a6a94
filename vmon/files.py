"""Reading, renaming and removing open files, also where the system lacks that (Windows)."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from vmon.locks import lock

if TYPE_CHECKING:
    from pathlib import Path

OPEN_FLAGS: int = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags for each `os.open`: not inherited by children, no newlines translated."""
RENAMES_OPEN = os.name == "posix"
"""Whether a file can be renamed or removed while it is open."""
_seeking = threading.Lock()


def read_at(fd: int, size: int, offset: int) -> bytes:
    """Read up to `size` bytes at an offset; none at the end. OSError."""
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    with _seeking:  # a file has one position for all threads
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)


def move_open(fd: int, path: Path, to: Path, *, over: int | None = None) -> None:
    """Rename a file that is open for appending and locked; OSError.

    `over` is the descriptor of the file that is replaced, if that is open, too. Where open files
    cannot be renamed, they are closed meanwhile; the descriptors stay the same numbers.
    """
    if RENAMES_OPEN:
        path.replace(to)
        return
    for one in (fd, over):
        if one is not None:
            _release(one)
    try:
        path.replace(to)
    except OSError:
        _reopen(fd, path)
        if over is not None:
            _reopen(over, to)
        raise
    _reopen(fd, to)


def remove_open(fd: int, path: Path) -> None:
    """Remove an open file; the descriptor is still to be closed. OSError.

    Where open files cannot be removed, the descriptor then leads to the null device.
    """
    if not RENAMES_OPEN:
        _release(fd)
    path.unlink(missing_ok=True)


def _release(fd: int) -> None:
    """Close the file of a descriptor without freeing its number for other threads."""
    nothing = os.open(os.devnull, os.O_RDWR | OPEN_FLAGS)
    os.dup2(nothing, fd, inheritable=False)
    os.close(nothing)


def _reopen(fd: int, path: Path) -> None:
    again = os.open(path, os.O_RDWR | os.O_APPEND | OPEN_FLAGS)
    os.dup2(again, fd, inheritable=False)
    os.close(again)
    lock(fd)
