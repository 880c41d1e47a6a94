"""Read the segments of a rotated capture as one, whatever their current file names.

A segment is identified by its fingerprint, a hash of its first line, which IDs make unique. So it
is found again after it was renamed or compressed, also by a later run. Offsets are counted in bytes
over all segments of a run: `at` is where one begins. A segment that was announced but never begun
is not found, and the one before it continues.
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
"""The most segments held open: an app may be unreachable for thousands of them."""
_TRIES = 3
_MISSED_S = 60.0
"""The delay until a segment that was not found is searched again: it was probably removed."""
_BLOCK = 64 << 10


class Segment(Struct, frozen=True):
    """A segment of a run; fingerprint "" is the file with the capture's name, whatever it holds."""

    fingerprint: str
    at: int


def fingerprint_of(line: bytes) -> str:
    """Return the fingerprint of a segment with this first line."""
    return blake2b(line, digest_size=8).hexdigest()


def fingerprint_in(path: Path) -> str | None:
    """Return the fingerprint of a file; None where it does not exist, or has no complete line."""
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
    """A file open for random access; `size` is None where it is unknown without reading."""

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


class _Compressed:
    """A gzip file: seeking forward is cheap, seeking backward restarts from its beginning."""

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
    """The segments of a run, oldest first, in the folder of its capture."""

    def __init__(self, capture: Path, known: Iterable[Segment] = ()) -> None:
        self.capture = capture
        self._known = list(known)
        self._paths: dict[str, Path] = {"": capture}
        self._open: dict[str, _Open] = {}
        self._missed_s: dict[str, float] = {}
        self._begun = ""

    def known(self) -> tuple[Segment, ...]:
        """Return all segments, including missing ones."""
        return tuple(self._known)

    def begin(self, segment: Segment) -> None:
        """Add the segment that has the capture's name now."""
        self._known.append(segment)
        self._paths[segment.fingerprint] = self.capture
        self._begun = segment.fingerprint

    def forget(self, before: int) -> None:
        """Forget the segments that end before an offset: they are not read any more."""
        while len(self._known) > 1 and self._known[1].at <= before:
            fingerprint = self._known.pop(0).fingerprint
            self._paths.pop(fingerprint, None)
            if file := self._open.pop(fingerprint, None):
                file.close()

    def spans(self) -> list[tuple[int, int]]:
        """Return begin and end of each existing segment: an end is the next begin, or unbounded."""
        starts = [segment.at for segment in self._there()]
        return list(zip(starts, [*starts[1:], sys.maxsize], strict=False))  # none: none

    def read(self, at: int, size: int) -> bytes:
        """Read up to `size` bytes at an offset, from one segment; empty at its end."""
        found = self._file_at(at)
        return found[1].read(at - found[0].at, size) if found else b""

    def has(self, at: int, size: int) -> bool:
        """Whether so many bytes can be read at an offset without decompression."""
        found = self._file_at(at)
        length = found[1].size() if found else None
        return found is not None and length is not None and found[0].at + length >= at + size

    def end(self) -> int:
        """Return the current end of the last segment; unbounded where it is compressed."""
        last = next(reversed(self._there()), None)
        if last is None or (file := self._opened(last)) is None:
            return 0
        length = file.size()
        return sys.maxsize if length is None else last.at + length

    def place_of(self, path: Path) -> range:
        """Return the offsets that a file covers, by its path; empty where it is no segment."""
        fingerprint = fingerprint_in(path)
        for segment, (start, stop) in zip(self._there(), self.spans(), strict=True):
            if segment.fingerprint == fingerprint or (
                not segment.fingerprint and path == self.capture
            ):
                return range(start, stop)
        return range(0)

    def is_anywhere(self) -> bool:
        """Whether any segment exists."""
        return any(self._opened(one) for one in self._there())

    def close(self) -> None:
        """Close all open files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def _there(self) -> list[Segment]:
        for one in self._known:
            if one.fingerprint not in self._paths:
                self._look_for(one.fingerprint)
        return [one for one in self._known if one.fingerprint in self._paths]

    def _file_at(self, at: int) -> tuple[Segment, _Open] | None:
        segment = next((one for one in reversed(self._there()) if one.at <= at), None)
        file = self._opened(segment) if segment else None
        return (segment, file) if segment and file else None

    def _opened(self, segment: Segment) -> _Open | None:
        if file := self._open.pop(segment.fingerprint, None):
            self._open[segment.fingerprint] = file  # least recently used first
            return file
        for _ in range(_TRIES):  # it may be renamed at any moment
            if (file := self._try(segment.fingerprint)) or not self._look_for(segment.fingerprint):
                break
        if file:
            self._open[segment.fingerprint] = file
            if len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open))).close()
        return file

    def _try(self, fingerprint: str) -> _Open | None:
        """Open a segment at its last known path, and verify its fingerprint."""
        path = self._paths.get(fingerprint)
        if path is None:
            return None
        try:
            file: _Open = _Compressed(path) if path.name.endswith(".gz") else _Plain(path)
        except OSError:
            return None
        if fingerprint and _fingerprint_of(file) != fingerprint:
            file.close()
            return None
        return file

    def _look_for(self, fingerprint: str) -> bool:
        """Search the folder for a segment, unless it was missed just now; whether it exists."""
        now = time.monotonic()
        if not fingerprint or now - self._missed_s.get(fingerprint, -_MISSED_S) < _MISSED_S:
            return False
        is_there = False
        for path in self._candidates():
            if found := fingerprint_in(path):
                self._paths[found] = path
                is_there = is_there or found == fingerprint
            if is_there and path.name.endswith(".gz"):
                break  # reading the first line of every compressed one takes long
        if not is_there and fingerprint != self._begun:  # whose first line may not be written yet
            self._missed_s[fingerprint] = now
            self._paths.pop(fingerprint, None)
        return is_there

    def _candidates(self) -> Iterator[Path]:
        """Yield the paths where a segment may be: the capture, closed ones, compressed ones."""
        yield self.capture
        closed = closed_segments(self.capture).values()
        yield from sorted(closed, key=lambda path: path.name.endswith(".gz"))


def _fingerprint_of(file: _Open) -> str | None:
    line = b""
    while piece := file.read(len(line), _BLOCK):
        head, newline, _ = piece.partition(b"\n")
        line += head + newline
        if newline:
            return fingerprint_of(line)
    return None
