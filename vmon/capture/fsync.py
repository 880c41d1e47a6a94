"""Sync a capture to disk: its files, and their names in the folder."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Unsynced(NamedTuple):
    """What may not be on disk yet: closed segments (`full`), the current file, and its name.

    `names` counts the files of the capture so far, `folder` is None where the name is known to be
    on disk.
    """

    full: tuple[int, ...]
    fd: int
    names: int
    folder: Path | None

    def sync(self) -> None:
        """Block until all of it would survive a power failure; callable in any thread; OSError."""
        try:
            for fd in (*self.full, self.fd):
                _sync_data(fd)
        finally:
            os.close(self.fd)
        if self.folder:
            sync_folder(self.folder)


def _sync_data(fd: int) -> None:
    os.fdatasync(fd) if hasattr(os, "fdatasync") else os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Block until the names in a folder would survive a power failure; OSError."""
    if sys.platform == "win32":
        return  # a folder cannot be opened there
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # not supported, and not needed, on some file systems
            raise
    finally:
        os.close(fd)
