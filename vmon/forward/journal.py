"""The spool: which deliveries of a capture still have to be sent, in a small file beside it.

The capture has the deliveries; the spool says how far each target has come. A run (the last part
of its deliveries' ids) keeps a journal in `<capture>.<run>.forward`, line by line in JSON:

    {"vmon_forward":1,"capture":"a.jsonl","run":"5a17c0de","begun_s":1479.2,
     "to":[{"url":…,"exact_path":…,"types":[…]}]}   (this first one on one line too)
    {"file":"9f2c51d0a3b4e687","at":0}                     the run goes on in a file that begins so
    {"to":0,"upto":4711,"pending":[1204],"failed":[801]}   all before 4711 was sent, but for these
    {"to":0,"done":[4711,1204]}                            these were sent
    {"to":0,"failed":[5302]}                               these were given up: `replay --failed`

Numbers are where a delivery's line begins, in bytes, counted over all the files of the run: a
capture that is rotated is several, which are found by how they begin (volumes.py), whatever they
are called by now. A file is announced before a line is in it, so that no rotation, no `kill -9` in
the middle of one and no later run that rotates the same capture keeps a delivery from being found.
Full files are compressed once they were sent (rotate.py); a compressed one is read all the same.

A crash may lose the last lines of a journal, never the first: what they said was sent is sent twice
then, and nothing is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from vmon.capture.format import FRESH
from vmon.capture.segments import Segment, Segments, fingerprint_in, fingerprint_of
from vmon.errors import WrongUse
from vmon.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SUFFIX = ".forward"
GROWN = 256 << 10
"""Bytes after which a journal is worth being written anew, as one line per target."""
MOST_FAILED = 50_000
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


class TargetProgress(Struct):
    """How far a target has come: all before `upto` is sent but `pending`; beyond, `done` is."""

    upto: int = 0
    pending: set[int] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)

    def take(self, note: JournalLine) -> None:
        """Go on by a line of the journal."""
        if note.upto is not None:
            self.upto, self.pending, self.failed = note.upto, set(note.pending), set(note.failed)
            self.done = set()
            return
        settled = {*note.done, *note.failed}
        self.pending -= settled
        self.done |= {at for at in settled if at >= self.upto}
        self.failed.difference_update(note.done)
        self.failed.update(note.failed)


class JournalFile(Struct, frozen=True):
    """A line of a journal: the run goes on in a file with that mark, which begins `at`."""

    file: str
    at: int


class Journal:
    """A run's journal, open to be appended to and locked against other processes.

    `volumes` are the files that its deliveries are in; a `durable` journal outlives a power loss.
    """

    def __init__(self, path: Path, head: JournalHead, fd: int, volumes: Segments) -> None:
        self.path = path
        self.capture = volumes.capture
        self.run = head.run
        self.places = head.to
        self.volumes = volumes
        self.grown = 0
        self.durable = False
        self._head = head
        self._fd = fd
        self._is_torn = False
        self._oldest = 0
        self._announced: Segment | None = None
        self._since: list[bytes] = []

    def announce(self, line: bytes, at: int) -> None:
        """Say that a file will begin with this line, `at` a place; OSError when it cannot be said.

        Where there will be no such file after all, that does no harm.
        """
        volume = Segment(fingerprint_of(line), at)
        if volume != self._announced:
            said = msgspec.json.encode(JournalFile(volume.mark, at)) + b"\n"
            self._put(said)
            if self.durable:
                os.fsync(self._fd)
            self._announced = volume
            self._since.append(said)

    def begin(self, line: bytes, at: int) -> None:
        """Go on in a file that this line will be the first of; OSError: nobody will find it."""
        self.volumes.begin(Segment(fingerprint_of(line), at))
        self.announce(line, at)

    def write(self, notes: Iterable[JournalLine]) -> None:
        """Append lines, in one write; OSError when that cannot be."""
        self._put(b"".join(msgspec.json.encode(note) + b"\n" for note in notes))

    def _put(self, lines: bytes) -> None:
        lines = b"\n" + lines if self._is_torn else lines
        self._is_torn = True
        written = os.write(self._fd, lines)
        self._is_torn = written < len(lines)
        self.grown += written
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def rewrite(self, where: dict[int, tuple[int, list[int]]]) -> None:
        """Write the journal anew: for each target how far it is, and what before that is pending.

        What it says of given up deliveries is kept. No note may be written meanwhile.
        """
        self.adopt(self.fresh(where, self.files()))

    def files(self) -> tuple[Segment, ...]:
        """The files as `fresh` is to name them; `adopt` adds those announced from now on."""
        self._since = []
        return self.volumes.known()

    def fresh(self, where: dict[int, tuple[int, list[int]]], files: tuple[Segment, ...]) -> int:
        """Write the new journal, in any thread: the descriptor for `adopt`."""
        known = progress(self.path, len(self.places))
        notes = [
            JournalLine(
                to=to,
                upto=upto,
                pending=tuple(pending),
                failed=tuple(sorted(known[to].failed)[-MOST_FAILED:]),
            )
            for to, (upto, pending) in where.items()
        ]
        fd = _create(self._fresh_path, self._head)
        try:
            lock(fd)
            needed = _needed(files, notes)
            named = [JournalFile(one.mark, one.at) for one in needed]
            _write_all(fd, b"".join(msgspec.json.encode(one) + b"\n" for one in (*named, *notes)))
            os.fsync(fd)
        except OSError:
            os.close(fd)
            raise
        self._oldest = needed[0].at if needed else 0
        return fd

    def adopt(self, fd: int) -> None:
        """Go on in the new journal; OSError: the old one is gone on with."""
        try:
            _write_all(fd, b"".join(self._since))
            if self.durable and self._since:
                os.fsync(fd)
            self._fresh_path.replace(self.path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self.grown, self._is_torn = fd, 0, False
        self.volumes.forget(self._oldest)

    @property
    def _fresh_path(self) -> Path:
        return self.path.with_name(self.path.name + FRESH)

    def close(self, *, keep: bool) -> None:
        """Close the journal; without anything left to send it need not be kept."""
        if not keep:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._fd)
        self.volumes.close()


def _needed(files: tuple[Segment, ...], notes: list[JournalLine]) -> tuple[Segment, ...]:
    """The files in which something is still to be sent, or was given up, and what comes after."""
    least = min(at for one in notes for at in (one.upto or 0, *one.pending, *one.failed))
    before = [number for number, one in enumerate(files) if one.at <= least]
    return files[before[-1] :] if before else files


def _write_all(fd: int, data: bytes) -> None:
    if os.write(fd, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def begin(
    capture: Path, run: str, places: tuple[JournalTarget, ...], end: int, *, durable: bool = False
) -> Journal:
    """Begin the journal of a run whose first delivery will stand at `end`; it may be WrongUse."""
    path = capture.with_name(f"{capture.name}.{run}{SUFFIX}")
    head = JournalHead(capture.name, run, time.time(), places)
    volumes = Segments(capture, [Segment(fingerprint_in(capture) or "", 0)] if end else [])
    fresh = path.with_name(path.name + FRESH)
    try:
        fd = _create(fresh, head)
        lock(fd)
        spool = Journal(path, head, fd, volumes)
        spool.durable = durable
        files = [JournalFile(one.mark, one.at) for one in volumes.known()]
        notes = [JournalLine(to=to, upto=end) for to in range(len(places))]
        _write_all(fd, b"".join(msgspec.json.encode(one) + b"\n" for one in (*files, *notes)))
        os.fsync(fd)
        fresh.replace(path)  # who finds it finds it locked
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise WrongUse(
            f"cannot write {path}: {error.strerror}",
            hint="it records pending deliveries; choose another folder with --capture",
        ) from None
    return spool


def _create(path: Path, head: JournalHead) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    fd = os.open(path, flags, 0o600)
    os.write(fd, msgspec.json.encode(head) + b"\n")
    return fd


def progress(path: Path, places: int) -> list[TargetProgress]:
    """How far each target has come, by the journal's lines; a torn one says nothing."""
    found = [TargetProgress() for _ in range(places)]
    for line in path.read_bytes().splitlines()[1:]:
        with contextlib.suppress(ValueError):
            note = msgspec.json.decode(line, type=JournalLine)
            if 0 <= note.to < places:
                found[note.to].take(note)
    return found
