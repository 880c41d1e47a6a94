"""What is to be synced to the disk."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Unsynced(NamedTuple):
    """What may not be on the disk yet: full files, the one that is written, and its name.

    `names` counts the files that the capture had so far, `folder` is None where the name is known
    to be on the disk.
    """

    full: tuple[int, ...]
    fd: int
    names: int
    folder: Path | None

    def sync(self) -> None:
        """Wait until all of it would survive a loss of power, in any thread; OSError."""
        try:
            for one in (*self.full, self.fd):
                _sync_data(one)
        finally:
            os.close(self.fd)
        if self.folder:
            sync_folder(self.folder)


def _sync_data(fd: int) -> None:
    os.fdatasync(fd) if hasattr(os, "fdatasync") else os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder would survive a loss of power; OSError."""
    if sys.platform == "win32":
        return  # a folder cannot be opened there
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot, and need not
            raise
    finally:
        os.close(fd)
