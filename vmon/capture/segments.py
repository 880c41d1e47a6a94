"""The files that a rotated capture is in: read as one, whatever they are called by now.

A file is known by its `mark`, which is made of its first line; ids make each line another one. So
it is found again after it was put aside, also by a later run, and after it was compressed. Places
in it are counted in bytes over all the files of a run: `at` is where it begins. A file that was
announced and never begun is found nowhere, and the one before it goes on.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import time
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from vmon.capture.folder import closed_segments
from vmon.files import OPEN_FLAGS, read_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_OPEN = 3
"""Files that are held open at most: an app may be away for thousands of them."""
_TRIES = 3
_MISSED_S = 60.0
"""How long a file that was not found is not looked for again: somebody removed it."""
_BLOCK = 64 << 10


class Segment(Struct, frozen=True):
    """A file of a run; `mark` "" is the one that has the capture's name, whatever it is."""

    mark: str
    at: int


def fingerprint_of(line: bytes) -> str:
    """The mark of a file whose first line this is."""
    return blake2b(line, digest_size=8).hexdigest()


def fingerprint_in(path: Path) -> str | None:
    """The mark of a file; None where there is none, or no whole line in it."""
    line = b""
    with contextlib.suppress(OSError, EOFError, zlib.error):
        if path.name.endswith(".gz"):
            with gzip.open(path) as file:
                line = file.readline()
        else:
            with path.open("rb", _BLOCK) as file:
                line = file.readline()
    return fingerprint_of(line) if line.endswith(b"\n") else None


class _Open(Protocol):
    """A file that is open to be read anywhere; `size` is None where only reading would tell."""

    def read(self, offset: int, size: int) -> bytes: ...
    def size(self) -> int | None: ...
    def close(self) -> None: ...


class _Plain:
    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)

    def read(self, offset: int, size: int) -> bytes:
        return read_at(self._fd, size, offset)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        os.close(self._fd)


class _Packed:
    """Onward it is read piece by piece; backward means reading it from its beginning again."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.open(path)  # noqa: SIM115 - closed by close

    def read(self, offset: int, size: int) -> bytes:
        with contextlib.suppress(OSError, EOFError, zlib.error):  # damaged
            self._file.seek(offset)
            return self._file.read(size)
        return b""

    def size(self) -> None:
        return None

    def close(self) -> None:
        self._file.close()


class Segments:
    """The files of a run, oldest first, in the folder of its capture."""

    def __init__(self, capture: Path, known: Iterable[Segment] = ()) -> None:
        self.capture = capture
        self._known = list(known)
        self._paths: dict[str, Path] = {"": capture}
        self._open: dict[str, _Open] = {}
        self._missed_s: dict[str, float] = {}
        self._begun = ""

    def known(self) -> tuple[Segment, ...]:
        """All of them, also those that are not there."""
        return tuple(self._known)

    def begin(self, volume: Segment) -> None:
        """Go on in a file that has the capture's name now."""
        self._known.append(volume)
        self._paths[volume.mark] = self.capture
        self._begun = volume.mark

    def forget(self, before: int) -> None:
        """Forget the files that end before a place: nobody asks for them any more."""
        while len(self._known) > 1 and self._known[1].at <= before:
            gone = self._known.pop(0).mark
            self._paths.pop(gone, None)
            if file := self._open.pop(gone, None):
                file.close()

    def spans(self) -> list[tuple[int, int]]:
        """Where each file that is there begins and where the next does, or no end."""
        starts = [one.at for one in self._there()]
        return list(zip(starts, [*starts[1:], sys.maxsize], strict=False))  # none: none

    def read(self, at: int, size: int) -> bytes:
        """Up to so many bytes from a place, all of one file; none at its end."""
        found = self._file_at(at)
        return found[1].read(at - found[0].at, size) if found else b""

    def has(self, at: int, size: int) -> bool:
        """Whether so many bytes can be had from a place at once, without unpacking."""
        found = self._file_at(at)
        there = found[1].size() if found else None
        return found is not None and there is not None and found[0].at + there >= at + size

    def end(self) -> int:
        """Where the last file ends as it is; no end where only reading would tell."""
        last = next(reversed(self._there()), None)
        if last is None or (file := self._opened(last)) is None:
            return 0
        there = file.size()
        return sys.maxsize if there is None else last.at + there

    def place_of(self, path: Path) -> range:
        """The places that are in a file, by its name; none where it has none of them."""
        mark = fingerprint_in(path)
        for volume, (start, stop) in zip(self._there(), self.spans(), strict=True):
            if volume.mark == mark or (not volume.mark and path == self.capture):
                return range(start, stop)
        return range(0)

    def is_anywhere(self) -> bool:
        """Whether one of them is there."""
        return any(self._opened(one) for one in self._there())

    def close(self) -> None:
        """Close what is open."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _there(self) -> list[Segment]:
        for one in self._known:
            if one.mark not in self._paths:
                self._look_for(one.mark)
        return [one for one in self._known if one.mark in self._paths]

    def _file_at(self, at: int) -> tuple[Segment, _Open] | None:
        volume = next((one for one in reversed(self._there()) if one.at <= at), None)
        file = self._opened(volume) if volume else None
        return (volume, file) if volume and file else None

    def _opened(self, volume: Segment) -> _Open | None:
        if file := self._open.pop(volume.mark, None):
            self._open[volume.mark] = file  # the last one is the last to be closed
            return file
        for _ in range(_TRIES):  # it may be called something else by now, and again
            if (file := self._try(volume.mark)) or not self._look_for(volume.mark):
                break
        if file:
            self._open[volume.mark] = file
            if len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open))).close()
        return file

    def _try(self, mark: str) -> _Open | None:
        """Open a file where it was seen last, and see that it is the one."""
        path = self._paths.get(mark)
        if path is None:
            return None
        try:
            file: _Open = _Packed(path) if path.name.endswith(".gz") else _Plain(path)
        except OSError:
            return None
        if mark and _mark_of(file) != mark:
            file.close()
            return None
        return file

    def _look_for(self, mark: str) -> bool:
        """See which files there are, and whether that one is; unless it was missed just now."""
        now = time.monotonic()
        if not mark or now - self._missed_s.get(mark, -_MISSED_S) < _MISSED_S:
            return False
        is_there = False
        for path in self._candidates():
            if found := fingerprint_in(path):
                self._paths[found] = path
                is_there = is_there or found == mark
            if is_there and path.name.endswith(".gz"):
                break  # to look into all of the compressed ones takes long
        if not is_there and mark != self._begun:  # whose first line may not be on the disk yet
            self._missed_s[mark] = now
            self._paths.pop(mark, None)
        return is_there

    def _candidates(self) -> Iterator[Path]:
        """Where a file may be: under its name, put aside since we looked there, compressed."""
        yield self.capture
        full = closed_segments(self.capture).values()
        yield from sorted(full, key=lambda path: path.name.endswith(".gz"))


def _mark_of(file: _Open) -> str | None:
    line = b""
    while piece := file.read(len(line), _BLOCK):
        head, newline, _ = piece.partition(b"\n")
        line += head + newline
        if newline:
            return fingerprint_of(line)
    return None
