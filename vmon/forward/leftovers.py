"""What runs left to be sent: their journals are found, opened and counted here, and only here."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from vmon.capture.folder import capture_of, default_folder, files_in
from vmon.capture.segments import Segment, Segments, fingerprint_in
from vmon.files import OPEN_FLAGS
from vmon.forward.backlog import JournalCursor, backlog_reader, unsent
from vmon.forward.journal import (
    SUFFIX,
    Journal,
    JournalLine,
    head_decoder,
    read_progress,
    read_segments,
)
from vmon.locks import has_name, lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.forward.backlog import Feed


class LeftJournal(NamedTuple):
    """A run's journal, and whether that run goes on: then only what it gave up is ours to send.

    `only` is a file of several that a rotated capture is in: nothing of the others is meant.
    """

    journal: Journal
    is_alive: bool = False
    only: Path | None = None

    def starts(self, target: int) -> list[int]:
        """Where what a target has still to get, or did not take, begins, in its order; OSError."""
        journal = self.journal
        progress = read_progress(journal.path, len(journal.targets))[target]
        starts = set(progress.failed)
        if not self.is_alive:
            reader, end = backlog_reader(journal, target), journal.segments.end()
            starts.update(start for start, _ in unsent(reader, progress, end))
        within = journal.segments.place_of(self.only) if self.only else range(sys.maxsize)
        return sorted(start for start in starts if start in within)


def find_journals(folder: Path) -> list[Path]:
    """The journals in a folder, oldest first: of runs that left something, or that go on.

    WrongUse where the folder cannot be read.
    """
    return sorted((path for path, _ in files_in(folder, SUFFIX)), key=_begun_s)


def _begun_s(path: Path) -> float:
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        return head_decoder.decode(file.readline(1 << 20)).begun_s
    return 0.0


def capture_name(journal: Path) -> str:
    """The name of the capture that a journal stands beside."""
    return journal.name.removesuffix(SUFFIX).rpartition(".")[0]


def open_journal(path: Path, only: Path | None = None) -> LeftJournal | None:
    """A journal of another run; None when it is none (any more)."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | OPEN_FLAGS)
    except OSError:
        return None
    try:
        is_alive = not lock(fd)
        if not is_alive and not has_name(fd, path):  # its run compacted it, or was done with it
            raise ValueError(path)  # noqa: TRY301 - as below: nothing of it is ours
        data = path.read_bytes()
        head = head_decoder.decode(data.partition(b"\n")[0])
        if "/" in head.capture:
            raise ValueError(head.capture)  # noqa: TRY301 - a journal is beside its capture
        if not is_alive and not data.endswith(b"\n"):
            os.write(fd, b"\n")  # after a line that a crash tore
    except (OSError, ValueError):
        os.close(fd)
        return None
    capture = path.with_name(head.capture)
    segments = read_segments(data) or [Segment(fingerprint_in(capture) or "", 0)]
    return LeftJournal(Journal(path, head, fd, Segments(capture, segments)), is_alive, only)


def count_left(path: Path, file: Path) -> int:
    """How many deliveries in a file of a capture a journal has still to send, or has given up."""
    if (left := open_journal(path, file)) is None:
        return 0
    try:
        return sum(len(left.starts(to)) for to in range(len(left.journal.targets)))
    except OSError:  # its capture is gone
        return 0
    finally:
        left.journal.close(keep=True)


def journals_of(file: str | None) -> Iterator[LeftJournal]:
    """The journals of a capture, or of a segment of it; without one all in the default folder."""
    path = Path(file) if file else None
    for journal in find_journals(path.parent if path else default_folder()):
        name, only = capture_name(journal), None
        if path and name != path.name:
            if name != capture_of(path).name:
                continue
            only = path
        if left := open_journal(journal, only):
            yield left


Backlog = Literal["send", "keep", "discard"]
"""What becomes of what earlier runs left for this run's targets."""


class Left(NamedTuple):
    """What earlier runs left for a target: how many deliveries, and what becomes of them.

    `backlog` None: it is no target of this run.
    """

    number: int
    url: str
    backlog: Backlog | None
    runs: int = 1


class Leftovers:
    """What earlier runs left in a folder, for a run that sends to these URLs, or does not.

    `feeds` are the deliveries for each of the URLs, the oldest run's first; `left` is how many
    there are for any target.
    """

    def __init__(self, urls: frozenset[str], backlog: Backlog = "send") -> None:
        self.left: list[Left] = []
        self.feeds: dict[str, list[Feed]] = {}
        self.journals: list[tuple[Journal, list[JournalCursor]]] = []
        self._urls = urls
        self._backlog = backlog
        self._fed: list[JournalCursor] = []

    def take_up(self, folder: Path, own: Path) -> None:
        """Open the journals of runs that have ended, but for this run's own."""
        for path in find_journals(folder):
            if path == own or (left := open_journal(path)) is None:
                continue
            if left.is_alive:
                left.journal.close(keep=True)
            else:
                self._take_up(left.journal)

    def _take_up(self, journal: Journal) -> None:
        if not journal.segments.is_anywhere():  # and with the capture what was to be sent
            journal.close(keep=False)
            return
        cursors = [self._cursor(journal, to) for to in range(len(journal.targets))]
        if any(cursor.unread or cursor.gave_up for cursor in cursors):
            self.journals.append((journal, cursors))
        else:
            journal.close(keep=False)

    def _cursor(self, journal: Journal, target: int) -> JournalCursor:
        url, end = journal.targets[target].url, journal.segments.end()
        progress = read_progress(journal.path, len(journal.targets))[target]
        reader = backlog_reader(journal, target)
        cursor = JournalCursor(journal, target, reader)
        cursor.gave_up = bool(progress.failed)
        cursor.unread = sum(1 for _ in unsent(reader, progress, end))
        if cursor.unread:
            backlog = self._backlog if url in self._urls else None
            self._add(Left(cursor.unread, url, backlog))
            if backlog == "send":
                self.feeds.setdefault(url, []).append((cursor, unsent(reader, progress, end)))
                self._fed.append(cursor)
            elif backlog == "discard":
                failed = tuple(sorted(progress.failed))
                journal.write([JournalLine(to=target, upto=end, failed=failed)])
                cursor.unread = 0
        return cursor

    def _add(self, more: Left) -> None:
        """Add what a run left to what others left for the same target."""
        for at, left in enumerate(self.left):
            if left.url == more.url:
                number, runs = left.number + more.number, left.runs + 1
                self.left[at] = left._replace(number=number, runs=runs)
                return
        self.left.append(more)

    @property
    def is_sent(self) -> bool:
        """Whether all that is for this run's targets was sent or given up."""
        return not any(cursor.is_pending for cursor in self._fed)

    def close(self) -> None:
        """Close the journals; one with nothing more to be sent goes."""
        for journal, cursors in self.journals:
            journal.close(keep=_is_needed(journal, cursors))


def _is_needed(journal: Journal, cursors: list[JournalCursor]) -> bool:
    with contextlib.suppress(OSError):
        progress = read_progress(journal.path, len(journal.targets))
        return any(cursor.is_pending for cursor in cursors) or any(far.failed for far in progress)
    return True
