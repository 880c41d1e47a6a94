"""Advisory locks on files that are being written, by which processes detect each other."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def lock(fd: int, *, shared: bool = False) -> bool:
    """Lock a file for this process; False when another has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock: avoiding two writers is up to the user there
        return True
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        return True
    return True


def unlock(fd: int) -> None:
    """Release a lock although some descriptors of the file stay open."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_UN)


def has_name(fd: int, path: Path) -> bool:
    """Whether an open file still has this name: it may be renamed before it is locked."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except OSError:
        return False


def is_in_use(path: Path) -> bool:
    """Whether any process has the file locked, as writers of captures and journals do."""
    if not path.is_file():  # a FIFO would wait for a writer
        return False
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return not lock(fd, shared=True)
    finally:
        os.close(fd)
