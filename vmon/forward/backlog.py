"""What is still to be sent to a target, read from a capture by its journal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from vmon.forward.journal import JournalLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.capture.segments import Segments
    from vmon.forward.journal import Journal, TargetProgress

_BLOCK = 256 << 10

_HEAD = re.compile(
    rb'\{"vmon":1,"type":"([A-Za-z]+)","session":[^\n]*?,"id":"[0-9a-f]+-([0-9a-f]+)"'
)

_REFUSED = b',"refused":true},"id":"'
"""In a verdict: the delivery was turned away. In a string the quotes would be escaped."""


class BacklogReader(Struct, frozen=True):
    """Reads a target's deliveries of a run: from which files, and which lines are meant."""

    segments: Segments
    run: bytes
    types: frozenset[bytes]

    def at(self, start: int) -> bytes:
        """The line that begins there, newline included; empty when it is not there whole."""
        line = bytearray()
        while block := self.segments.read(start + len(line), _BLOCK):
            line += block
            if (end := line.find(b"\n", len(line) - len(block))) >= 0:
                return bytes(line[: end + 1])
        return b""

    def lines(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Where each line that is meant begins, and the line, from `start` to `end`."""
        for at, line in self._all(start, end):
            head = _HEAD.match(line)
            if head and head[2] == self.run and head[1] in self.types and _REFUSED not in head[0]:
                yield at, line

    def _all(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for begin, stop in self.segments.spans():
            yield from self._span(max(start, begin), min(stop, end))

    def _span(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        rest = b""
        while start < end and (block := self.segments.read(start, min(_BLOCK, end - start))):
            begin, rest = start - len(rest), rest + block
            start += len(block)
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield begin, line + b"\n"
                begin += len(line) + 1


def backlog_reader(journal: Journal, target: int) -> BacklogReader:
    """The reader of what a journal's run has for one of its targets."""
    types = frozenset(name.encode() for name in journal.targets[target].types)
    return BacklogReader(journal.segments, journal.run.encode(), types)


def unsent(
    reader: BacklogReader, progress: TargetProgress, end: int
) -> Iterator[tuple[int, bytes]]:
    """What a target has still to get of a run, in its order; not what was given up."""
    for start in sorted(progress.pending):
        if line := reader.at(start):
            yield start, line
    for start, line in reader.lines(progress.upto, end):
        if start not in progress.done:
            yield start, line


class JournalCursor:
    """How far a target's deliveries of one run are: in a capture and its journal, or in memory.

    `queued` are on their way, `unread` those that an earlier run left and nobody has read yet.
    """

    def __init__(
        self, journal: Journal | None = None, target: int = 0, reader: BacklogReader | None = None
    ) -> None:
        self.journal = journal
        self.target = target
        self.reader = reader
        self.done: list[int] = []
        self.failed: list[int] = []
        self.queued = self.unread = 0
        self.gave_up = False

    @property
    def is_pending(self) -> bool:
        """Whether some of its deliveries are still to be sent."""
        return self.queued > 0 or self.unread > 0

    def give_up(self, start: int) -> None:
        """Note that the delivery that begins there is not sent again but by `replay --failed`."""
        self.gave_up = True
        self.failed.append(start)

    def take_lines(self) -> list[JournalLine]:
        """The lines for the journal since they were taken last."""
        if not (self.done or self.failed):
            return []
        line = JournalLine(to=self.target, done=tuple(self.done), failed=tuple(self.failed))
        self.done, self.failed = [], []
        return [line]


Feed: TypeAlias = "tuple[JournalCursor, Iterator[tuple[int, bytes]]]"
"""What a run left for a target: its deliveries' lines, and where each begins."""
