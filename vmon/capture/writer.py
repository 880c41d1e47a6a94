"""The capture file: one delivery per line, header first and canonical, written before the answer.

A line begins `{"vmon":1,"type":"streamCreated","session":` and vmon alone writes it so; a raw
newline cannot occur inside JSON. That is why a filter by type may compare bytes and stay exact.
What a line holds, and how it is written and read, is in line.py.
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
    """An open capture file: appended to with one write per delivery, for this process alone.

    When the file cannot be written, lines wait in memory (`waiting`, at most `bound` bytes) and go
    out first when it can be again. `end` is where the next line will begin, once those that wait
    are written, counted in bytes over all the files that the capture was in since it was opened;
    `begin` is where the one begins that is written now. `trouble` is called with a sentence when
    that begins (and with None when it is over). A `durable` one keeps full files open until they
    are synced.
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
        """Whether nothing was written to the file, nor waits to be."""
        return self.begin == self.end

    def renew(self, aside: Path, ready: Callable[[], None]) -> int:
        """Go on in a new file of the same name: the one before is called `aside` from now on.

        Nothing may wait to be written. The new file is made first, under another name, then `ready`
        is called, and then it is what the names say. Returned is the descriptor of the one before,
        still open and locked. OSError, also of `ready`: the old one is written on.
        """
        fresh = self.path.with_name(self.path.name + FRESH)
        fd = _made(fresh)
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
            if not self.path.exists():  # else somebody else has a file of that name now
                move_open(self._fd, aside, self.path)
            raise

    def retry(self) -> bool:
        """Try to write what waits in memory; True when nothing waits any more."""
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
        # Half a line is in the file: take it out again, so that no reader meets it.
        os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        self._trouble(f"{self.path}: no space left on device")
        return False

    def unsynced(self) -> Unsynced:
        """All that was taken and would not survive a loss of power; OSError while lines wait."""
        if self.waiting:
            raise OSError(errno.ENOSPC, "lines in memory are not written yet")
        is_known = self._names == self._names_synced or not self.can_be_read
        folder = None if is_known else self.path.parent
        return Unsynced(tuple(self._full), os.dup(self._fd), self._names, folder)

    def synced(self, what: Unsynced) -> None:
        """Note that this is on the disk now."""
        self._names_synced = what.names
        for fd in what.full:
            self._full.remove(fd)
            os.close(fd)

    def discard(self) -> bool:
        """Remove the file where it is empty and its name is none that a user gave it."""
        is_ours = self.path.parent == default_folder()
        if not is_ours or self.waiting or os.fstat(self._fd).st_size:
            return False
        with contextlib.suppress(OSError):
            remove_open(self._fd, self.path)
            return True
        return False

    def close(self) -> str | None:
        """Close the file, and with it the lock.

        What still waits is tried once more, then put into a file of its own among the temporary
        ones; returned is a sentence about that, or None when nothing waited.
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
            return _mended(fd, path)
        os.close(fd)  # its writer put it aside, and let it go, before we had it locked
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


def _mended(fd: int, path: Path) -> int:
    try:
        _mend(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _made(fresh: Path) -> int:
    """Make a new file that is empty and locked; OSError. What a killed run left there goes."""
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | OPEN_FLAGS
    fd = os.open(fresh, flags, 0o600)
    lock(fd)
    return fd


def _take_name(fd: int, fresh: Path, path: Path) -> None:
    """Give a file its name, which nobody has; OSError when somebody has it by now."""
    if not files.RENAMES_OPEN and path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if not files.RENAMES_OPEN:
        move_open(fd, fresh, path)
        return
    try:
        os.link(fresh, path)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no links
        fresh.rename(path)
    else:
        fresh.unlink()


def _mend(fd: int, path: Path) -> None:
    """Leave the file ending in a whole line, or refuse it when it is not a capture of ours."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        return
    last, at = _last_line(fd, status.st_size)
    if last.endswith(b"\n") and last.startswith(START):
        return
    if _is_torn(last) and (at == 0 or read_at(fd, len(START), 0) == START):
        os.ftruncate(fd, at)  # never acknowledged: its write did not finish
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
    """The last line of a file (with its newline, if it has one) and where it begins."""
    tail, at = b"", end
    while at > 0 and b"\n" not in tail[:-1]:
        step = min(at, 1 << 16)
        at -= step
        tail = read_at(fd, step, at) + tail
    begin = tail.rfind(b"\n", 0, len(tail) - 1) + 1
    return tail[begin:], at + begin
