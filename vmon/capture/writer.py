"""Write the capture file: one delivery per line, canonical, written before the response.

A line starts with `{"vmon":1,"type":"streamCreated","session":`, which only vmon writes so; a raw
newline cannot occur inside JSON. That is why a filter by type may compare bytes and stay exact.
The format of a line is in capture/codec.py.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from typing import TYPE_CHECKING

from vmon import files
from vmon.capture.folder import default_folder
from vmon.capture.format import FRESH, START
from vmon.capture.fsync import Unsynced
from vmon.errors import CannotListen, WrongUse
from vmon.files import OPEN_FLAGS, move_open, read_at, remove_open
from vmon.humanize import count
from vmon.locks import has_name, lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_TRIES = 5


class CaptureWriter:
    """An open capture file: one write per delivery, locked for this process.

    While the file cannot be written, lines wait in memory (`waiting`, at most `bound` bytes) and
    are written first when it can be again. `end` is the offset of the next line, after those that
    wait, in bytes over all segments since the capture was opened; `begin` is the offset of the
    current segment. `trouble` is called with a sentence when writing fails (and with None when it
    works again). A `durable` writer keeps closed segments open until they are synced.
    """

    def __init__(
        self,
        path: Path,
        *,
        bound: int = 64 << 20,
        trouble: Callable[[str | None], None],
        durable: bool = False,
    ) -> None:
        self.path = path
        self.durable = durable
        self.waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._bound = bound
        self._trouble = trouble
        self._fd = _open(path)
        status = os.fstat(self._fd)
        self.can_be_read = stat.S_ISREG(status.st_mode)
        self.begin, self.end = 0, status.st_size
        self._full: list[int] = []
        self._names, self._names_synced = 1, 0

    def append(self, line: bytes) -> bool:
        """Write one line; True when it is in the file or waits in memory, False when neither."""
        if not self.waiting and self._write(line):
            self.end += len(line)
            return True
        if self._waiting_bytes + len(line) > self._bound:
            return False
        self.waiting.append(line)
        self._waiting_bytes += len(line)
        self.end += len(line)
        return True

    @property
    def is_empty(self) -> bool:
        """Whether the current file has no lines, nor do any wait."""
        return self.begin == self.end

    def switch_file(self, aside: Path, ready: Callable[[], None]) -> int:
        """Continue in a new file of the same name; the current one is renamed to `aside`.

        No lines may wait. The new file is created under another name, then `ready` is called, then
        both are renamed. Returns the descriptor of the old file, still open and locked. OSError,
        also of `ready`: writing continues in the old file.
        """
        fresh = self.path.with_name(self.path.name + FRESH)
        fd = _create(fresh)
        try:
            if self.durable and files.RENAMES_OPEN:
                self._full.append(os.dup(self._fd))
            elif self.durable:
                os.fsync(self._fd)  # another descriptor of it would keep its name
            ready()
            self._swap(aside, fresh, fd)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
        before, self._fd, self.begin = self._fd, fd, self.end
        self._names += 1
        return before

    def _swap(self, aside: Path, fresh: Path, fd: int) -> None:
        if not os.path.samestat(os.fstat(self._fd), self.path.stat()):
            raise OSError(errno.ESTALE, f"{self.path} was replaced by another file")
        move_open(self._fd, self.path, aside)
        try:
            _take_name(fd, fresh, self.path)
        except BaseException:
            if not self.path.exists():  # else another process created a file of that name
                move_open(self._fd, aside, self.path)
            raise

    def retry(self) -> bool:
        """Retry the lines that wait in memory; True when none waits any more."""
        while self.waiting and self._write(self.waiting[0]):
            self._waiting_bytes -= len(self.waiting.popleft())
        if not self.waiting:
            self._trouble(None)
        return not self.waiting

    def _write(self, line: bytes) -> bool:
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            self._trouble(f"{self.path}: {error.strerror}")
            return False
        if written == len(line):
            return True
        # A partial line is in the file: remove it, so that no reader finds it.
        os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        self._trouble(f"{self.path}: no space left on device")
        return False

    def unsynced(self) -> Unsynced:
        """Return what would not survive a power failure yet; OSError while lines wait."""
        if self.waiting:
            raise OSError(errno.ENOSPC, "lines in memory are not written yet")
        is_known = self._names == self._names_synced or not self.can_be_read
        folder = None if is_known else self.path.parent
        return Unsynced(tuple(self._full), os.dup(self._fd), self._names, folder)

    def synced(self, what: Unsynced) -> None:
        """Note that this is on disk now."""
        self._names_synced = what.names
        for fd in what.full:
            self._full.remove(fd)
            os.close(fd)

    def discard(self) -> bool:
        """Remove the file if it is empty and not named by the user; whether it was removed."""
        is_ours = self.path.parent == default_folder()
        if not is_ours or self.waiting or os.fstat(self._fd).st_size:
            return False
        with contextlib.suppress(OSError):
            remove_open(self._fd, self.path)
            return True
        return False

    def close(self) -> str | None:
        """Close the file, and release its lock.

        Lines that still wait are retried once, then saved to a temporary file; returns a sentence
        about that, or None when none waited.
        """
        rest = b"" if not self.waiting or self.retry() else b"".join(self.waiting)
        for fd in (self._fd, *self._full):
            os.close(fd)
        return _rescue(rest) if rest else None


def _rescue(rest: bytes) -> str:
    import tempfile

    number = count(rest.count(b"\n"), "delivery", "deliveries")
    try:
        fd, path = tempfile.mkstemp(prefix="vmon-rescued-", suffix=".jsonl")
        with os.fdopen(fd, "wb") as file:
            file.write(rest)
    except OSError as error:
        return f"{number} LOST: cannot write a rescue file either ({error.strerror})"
    return f"{number}, saved to {path}"


def _open(path: Path) -> int:
    for _ in range(_TRIES):
        fd = _locked(path)
        if has_name(fd, path):
            return _repaired(fd, path)
        os.close(fd)  # its writer rotated and released it before it was locked here
    raise _taken(path)


def _locked(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | OPEN_FLAGS, 0o600)
    except OSError as error:
        raise WrongUse(
            f"cannot write the capture {path}: {error.strerror}",
            hint="use another file with --capture FILE, or --no-capture",
        ) from None
    if not lock(fd):
        os.close(fd)
        raise _taken(path)
    return fd


def _taken(path: Path) -> CannotListen:
    return CannotListen(
        f"another vmon is writing to {path}",
        hint="stop it, or use another file with --capture FILE",
    )


def _repaired(fd: int, path: Path) -> int:
    try:
        _repair(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _create(fresh: Path) -> int:
    """Create an empty, locked file, replacing one that a killed run left; OSError."""
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | OPEN_FLAGS
    fd = os.open(fresh, flags, 0o600)
    lock(fd)
    return fd


def _take_name(fd: int, fresh: Path, path: Path) -> None:
    """Rename an open file without overwriting; OSError when the name is taken."""
    if not files.RENAMES_OPEN and path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if not files.RENAMES_OPEN:
        move_open(fd, fresh, path)
        return
    try:
        os.link(fresh, path)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system
        fresh.rename(path)
    else:
        fresh.unlink()


def _repair(fd: int, path: Path) -> None:
    """Remove or complete a torn last line; WrongUse when the file is not a capture."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return
    last, at = _last_line(fd, status.st_size)
    if last.endswith(b"\n") and last.startswith(START):
        return
    if _is_torn(last) and (at == 0 or read_at(fd, len(START), 0) == START):
        os.ftruncate(fd, at)  # never acknowledged: its write was not completed
    elif not (last.startswith(START) and last.endswith(b"}")):
        raise WrongUse(
            f"{path} is not a capture: its last line does not start with {START.decode()}",
            hint="use a new file or an existing capture with --capture FILE",
        )
    else:
        os.write(fd, b"\n")


def _is_torn(last: bytes) -> bool:
    if last.endswith(b"\n"):
        return False
    if len(last) < len(START):
        return START.startswith(last)
    if not last.startswith(START):
        return False
    import json

    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return True
    return False


def _last_line(fd: int, end: int) -> tuple[bytes, int]:
    """Return the last line of a file (with its newline, if it has one) and its offset."""
    tail, at = b"", end
    while at > 0 and b"\n" not in tail[:-1]:
        step = min(at, 1 << 16)
        at -= step
        tail = read_at(fd, step, at) + tail
    begin = tail.rfind(b"\n", 0, len(tail) - 1) + 1
    return tail[begin:], at + begin
