"""List the captures of a folder: contents, usage, and which can be removed.

A capture is counted block by block, by the prefixes of its lines; only other files are decoded.
Journals of forwarding (forward/journal.py) are beside their capture, and removed with it; with a
closed segment goes what they say about that file.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from vmon.capture import inputs
from vmon.capture.blocks import Blocks
from vmon.capture.folder import capture_of, files_in
from vmon.capture.format import ASIDE, CAPTURE_SUFFIXES
from vmon.errors import WrongUse
from vmon.files import OPEN_FLAGS, remove_open
from vmon.forward.leftovers import capture_name, count_left, find_journals
from vmon.locks import is_in_use, lock
from vmon.search import reader
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = re.compile(
    rb'\{"vmon":1,"type":"([^"]+)","session":(null|"(?:[^"\\]|\\.)*")(?:,.*)?', re.DOTALL
)
"""A line up to its `id`; keys such as `verdict` may follow the session."""
_AFTER_HEAD = b',"id":"'
"""Its first occurrence ends the head of a line: in a session its quotes would be escaped."""

_RECEIVED = re.compile(rb'","received_at":"([^"\\]{1,40})"')


class Held(NamedTuple):
    """The contents of a capture; instants are of the first and the last line."""

    types: Counter[str]
    sessions: int
    first_at: datetime | None
    last_at: datetime | None


class Kept(NamedTuple):
    """A capture in its folder. `size` is in bytes, `written_at` in seconds since the epoch."""

    path: Path
    size: int
    written_at: float
    in_use: bool
    journals: tuple[Path, ...]

    @property
    def age_s(self) -> float:
        """Seconds since it was last written."""
        return max(0.0, time.time() - self.written_at)


def kept(folder: Path) -> list[Kept]:
    """List the captures of a folder, last written first; WrongUse where it is unreadable."""
    journals = _journals(folder)
    found = []
    for path, _ in files_in(folder, CAPTURE_SUFFIXES):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            found.append(_kept(path, journals))
    return sorted(found, key=lambda one: (-one.written_at, one.path.name))


def _kept(path: Path, journals: dict[str, list[Path]]) -> Kept:
    status = path.stat()
    own = tuple(sorted(journals.get(path.name, ())))
    users = [path, *own]
    if path.name.endswith(".jsonl"):  # a segment with unsent deliveries is not compressed
        users += journals.get(capture_of(path).name, ())
    in_use = any(is_in_use(one) for one in users)
    return Kept(path, status.st_size, status.st_mtime, in_use, own)


def _journals(folder: Path) -> dict[str, list[Path]]:
    """Group the journals of a folder by the name of their capture."""
    found: dict[str, list[Path]] = {}
    for path in find_journals(folder):
        found.setdefault(capture_name(path), []).append(path)
    return found


def held(path: Path) -> Held:
    """Count the contents of a capture; WrongUse where it cannot be read."""
    with inputs.open_input(str(path)) as stream:
        blocks = Blocks(stream)
        if blocks.fill() and blocks.is_capture():
            return _by_lines(blocks)
    return _by_decoding(path)


def _by_lines(blocks: Blocks) -> Held:
    heads: Counter[bytes] = Counter()
    first = last = _received(blocks.data, blocks.start)
    more = True
    while more:
        lines = blocks.view[blocks.start : blocks.end - 1].tobytes().split(b"\n")
        heads.update([line.partition(_AFTER_HEAD)[0] for line in lines])
        last = _received(blocks.data, blocks.data.rfind(b"\n", 0, blocks.end - 1) + 1) or last
        more = blocks.fill()
    return Held(*_count_heads(heads), first, last)


def _count_heads(heads: Counter[bytes]) -> tuple[Counter[str], int]:
    """Count deliveries by type, and sessions, by the heads of lines."""
    types: Counter[str] = Counter()
    sessions: set[bytes] = set()
    for head, number in heads.items():
        if (found := _HEAD.fullmatch(head)) and not head.startswith(ASIDE):
            types[found[1].decode("utf-8", "replace")] += number
            sessions.add(found[2])
    return types, len(sessions - {b"null"})


def _received(data: bytearray, start: int) -> datetime | None:
    """Return the time of receipt of the line at an offset."""
    found = None if data.startswith(ASIDE, start) else _RECEIVED.search(data, start)
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(found[1].decode()) if found else None
    return None


def _by_decoding(path: Path) -> Held:
    types: Counter[str] = Counter()
    sessions: set[str | None] = set()
    times: list[datetime] = []
    for _, entry in reader.lines((str(path),), Filter(), lambda _bad: None):
        types[entry.type] += 1
        sessions.add(entry.session)
        if (at := entry.delivery.received_or_none) is not None:
            times[1:] = [at] if times else [at, at]
    return Held(types, len(sessions - {None}), *(times or (None, None)))


class Gone(NamedTuple):
    """A capture that can be removed, and how many of its deliveries your app never accepted."""

    capture: Kept
    unsent: int


def old(folder: Path, age_s: float) -> list[Gone]:
    """List the captures not written for so long and not in use, oldest first."""
    journals = _journals(folder)
    found = [one for one in reversed(kept(folder)) if one.age_s >= age_s and not one.in_use]
    return [Gone(one, _unsent_of(one.path, journals)) for one in found]


def _unsent_of(path: Path, journals: dict[str, list[Path]]) -> int:
    names = {path.name, capture_of(path).name}
    return sum(count_left(one, path) for name in names for one in journals.get(name, ()))


def remove(gone: Gone) -> bool:
    """Remove a capture and its journals; False when it came into use meanwhile."""
    path = gone.capture.path
    opened: dict[Path, int] = {}
    with contextlib.ExitStack() as locks:
        for one in (path, *gone.capture.journals):
            try:
                fd = os.open(one, os.O_RDWR | OPEN_FLAGS)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _cannot(one, error) from None
            locks.callback(os.close, fd)
            opened[one] = fd
            if not lock(fd) or (one == path and _was_written(fd, gone.capture)):
                return False
        for one, fd in opened.items():
            try:
                remove_open(fd, one)
            except OSError as error:
                raise _cannot(one, error) from None
    return True


def _was_written(fd: int, known: Kept) -> bool:
    status = os.fstat(fd)
    return (status.st_size, status.st_mtime) != (known.size, known.written_at)


def _cannot(path: Path, error: OSError) -> WrongUse:
    return WrongUse(f"cannot remove {path}: {error.strerror}")
