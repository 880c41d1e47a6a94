"""The forward journal: which deliveries of a capture still have to be sent, in a file beside it.

The capture has the deliveries; the journal says how far each target has come. A run (the last part
of its deliveries' ids) keeps one in `<capture>.<run>.forward`, line by line in JSON:

    {"vmon_forward":1,"capture":"a.jsonl","run":"5a17c0de","begun_s":1479.2,
     "to":[{"url":…,"exact_path":…,"types":[…]}]}   (this first one on one line too)
    {"file":"9f2c51d0a3b4e687","at":0}                     the run goes on in a file that begins so
    {"to":0,"upto":4711,"pending":[1204],"failed":[801]}   all before 4711 was sent, but for these
    {"to":0,"done":[4711,1204]}                            these were sent
    {"to":0,"failed":[5302]}                               these were given up: `replay --failed`

Numbers are where a delivery's line begins, in bytes, counted over all the segments of the run: a
capture that is rotated is several files, which are found by their fingerprint (capture/segments.py)
whatever they are called by now. A segment is announced before a line is in it, so that no rotation,
no `kill -9` in the middle of one and no later run that rotates the same capture keeps a delivery
from being found. Closed segments are compressed once they were sent (capture/rotation.py); a
compressed one is read all the same.

A crash may lose the last lines of a journal, never the first: what they said was sent is sent twice
then, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct, field

from vmon.capture.format import FRESH
from vmon.capture.segments import Segment, Segments, fingerprint_in, fingerprint_of
from vmon.errors import WrongUse
from vmon.files import OPEN_FLAGS, move_open, remove_open
from vmon.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX = ".forward"
COMPACT_BYTES = 256 << 10
"""Bytes appended after which a journal is worth compacting into one line per target."""
MAX_FAILED = 50_000
"""Deliveries given up that a target's journal remembers: the newest."""


class JournalTarget(Struct, frozen=True):
    """A target as a journal names it: enough to know it again, and nothing secret of it."""

    url: str
    exact_path: bool = False
    types: tuple[str, ...] = ()


class JournalHead(Struct, frozen=True):
    """The first line of a journal."""

    capture: str
    run: str
    begun_s: float
    to: tuple[JournalTarget, ...]
    vmon_forward: int = 1


head_decoder = msgspec.json.Decoder(JournalHead)


class JournalLine(Struct, omit_defaults=True):
    """A line of a journal about the target `to`; with `upto` it stands for all before it."""

    to: int = 0
    done: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    upto: int | None = None
    pending: tuple[int, ...] = ()


class Position(NamedTuple):
    """How far a target is: all before `upto` was sent, but for what is pending."""

    upto: int
    pending: list[int]


class TargetProgress(Struct):
    """How far a target has come: all before `upto` is sent but `pending`; beyond, `done` is."""

    upto: int = 0
    pending: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def apply(self, line: JournalLine) -> None:
        """Go on by a line of the journal."""
        if line.upto is not None:
            self.upto, self.pending, self.failed = line.upto, set(line.pending), set(line.failed)
            self.done = set()
            return
        ended = {*line.done, *line.failed}
        self.pending -= ended
        self.done |= {start for start in ended if start >= self.upto}
        self.failed.difference_update(line.done)
        self.failed.update(line.failed)


class JournalFile(Struct, frozen=True):
    """A line of a journal: the run goes on in a segment with that fingerprint, beginning `at`."""

    file: str
    at: int


class Journal:
    """A run's journal, open to be appended to and locked against other processes.

    `segments` are the files that its deliveries are in; a `durable` journal outlives a power loss.
    """

    def __init__(self, path: Path, head: JournalHead, fd: int, segments: Segments) -> None:
        self.path = path
        self.segments = segments
        self.grown = 0
        self.durable = False
        self._head = head
        self._fd = fd
        self._is_torn = False
        self._oldest = 0
        self._announced: Segment | None = None
        self._since: list[bytes] = []

    @property
    def capture(self) -> Path:
        """The capture that its deliveries are in, by the name that it is written under."""
        return self.segments.capture

    @property
    def run(self) -> str:
        """The last part of the ids of its run's deliveries."""
        return self._head.run

    @property
    def targets(self) -> tuple[JournalTarget, ...]:
        """The targets of its run, by their numbers in the journal's lines."""
        return self._head.to

    def announce(self, line: bytes, at: int) -> None:
        """Say that a segment will begin with this line; OSError when it cannot be said.

        Where there will be no such segment after all, that does no harm.
        """
        segment = Segment(fingerprint_of(line), at)
        if segment != self._announced:
            announcement = _encoded([JournalFile(segment.fingerprint, at)])
            self._append(announcement)
            if self.durable:
                os.fsync(self._fd)
            self._announced = segment
            self._since.append(announcement)

    def begin(self, line: bytes, at: int) -> None:
        """Go on in a segment that this line will be the first of; OSError: nobody will find it."""
        self.segments.begin(Segment(fingerprint_of(line), at))
        self.announce(line, at)

    def write(self, lines: Iterable[JournalLine]) -> None:
        """Append lines, in one write; OSError when that cannot be."""
        self._append(_encoded(lines))

    def _append(self, data: bytes) -> None:
        data = b"\n" + data if self._is_torn else data
        self._is_torn = True
        written = os.write(self._fd, data)
        self._is_torn = written < len(data)
        self.grown += written
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def begin_compaction(self) -> tuple[Segment, ...]:
        """The segments for `write_compacted`; `switch_to` adds those announced from now on."""
        self._since = []
        return self.segments.known()

    def write_compacted(self, positions: dict[int, Position], segments: tuple[Segment, ...]) -> int:
        """Rewrite the journal, a line per target, in any thread: the descriptor for `switch_to`.

        What it says of given up deliveries is kept.
        """
        progress = read_progress(self.path, len(self.targets))
        lines = [
            JournalLine(
                to=to,
                upto=upto,
                pending=tuple(pending),
                failed=tuple(sorted(progress[to].failed)[-MAX_FAILED:]),
            )
            for to, (upto, pending) in positions.items()
        ]
        needed = _needed(segments, lines)
        fd = _create(self._fresh_path, self._head)
        try:
            lock(fd)
            _write_all(
                fd, _encoded([*(JournalFile(one.fingerprint, one.at) for one in needed), *lines])
            )
            os.fsync(fd)
        except OSError:
            os.close(fd)
            raise
        self._oldest = needed[0].at if needed else 0
        return fd

    def switch_to(self, fd: int) -> None:
        """Go on in the compacted journal; OSError: the old one is gone on with."""
        try:
            _write_all(fd, b"".join(self._since))
            if self.durable and self._since:
                os.fsync(fd)
            move_open(fd, self._fresh_path, self.path, over=self._fd)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self.grown, self._is_torn = fd, 0, False
        self.segments.forget(self._oldest)

    @property
    def _fresh_path(self) -> Path:
        return self.path.with_name(self.path.name + FRESH)

    def close(self, *, keep: bool) -> None:
        """Close the journal; without anything left to send it need not be kept."""
        if not keep:
            with contextlib.suppress(OSError):
                remove_open(self._fd, self.path)
        os.close(self._fd)
        self.segments.close()


def _needed(segments: tuple[Segment, ...], lines: list[JournalLine]) -> tuple[Segment, ...]:
    """The segments with something still to be sent, or given up, and what comes after."""
    oldest = min(at for line in lines for at in (line.upto or 0, *line.pending, *line.failed))
    before = [number for number, segment in enumerate(segments) if segment.at <= oldest]
    return segments[before[-1] :] if before else segments


def _encoded(lines: Iterable[JournalFile | JournalLine]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def _write_all(fd: int, data: bytes) -> None:
    if os.write(fd, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def create_journal(
    capture: Path, run: str, targets: tuple[JournalTarget, ...], end: int, *, durable: bool = False
) -> Journal:
    """Begin the journal of a run whose first delivery will stand at `end`; it may be WrongUse."""
    path = capture.with_name(f"{capture.name}.{run}{SUFFIX}")
    head = JournalHead(capture.name, run, time.time(), targets)
    segments = Segments(capture, [Segment(fingerprint_in(capture) or "", 0)] if end else [])
    fresh = path.with_name(path.name + FRESH)
    try:
        fd = _create(fresh, head)
        lock(fd)
        journal = Journal(path, head, fd, segments)
        journal.durable = durable
        files = [JournalFile(segment.fingerprint, segment.at) for segment in segments.known()]
        lines = [JournalLine(to=to, upto=end) for to in range(len(targets))]
        _write_all(fd, _encoded([*files, *lines]))
        os.fsync(fd)
        move_open(fd, fresh, path)  # who finds it finds it locked
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise WrongUse(
            f"cannot write {path}: {error.strerror}",
            hint="it records pending deliveries; choose another folder with --capture",
        ) from None
    return journal


def _create(path: Path, head: JournalHead) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | OPEN_FLAGS
    fd = os.open(path, flags, 0o600)
    os.write(fd, msgspec.json.encode(head) + b"\n")
    return fd


def read_progress(path: Path, targets: int) -> list[TargetProgress]:
    """How far each target has come, by the journal's lines; a torn one says nothing."""
    progress = [TargetProgress() for _ in range(targets)]
    for data in path.read_bytes().splitlines()[1:]:
        with contextlib.suppress(ValueError):
            line = msgspec.json.decode(data, type=JournalLine)
            if 0 <= line.to < targets:
                progress[line.to].apply(line)
    return progress


def read_segments(journal: bytes) -> list[Segment]:
    """The segments that a journal with this content names, oldest first."""
    segments = []
    for line in journal.splitlines():
        if line.startswith(b'{"file":'):
            with contextlib.suppress(ValueError):
                file = msgspec.json.decode(line, type=JournalFile)
                segments.append(Segment(file.file, file.at))
    return sorted(segments, key=lambda segment: segment.at)
