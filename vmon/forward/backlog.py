"""What is still to be sent, read from a capture by its journal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.capture.segments import Segments
    from vmon.forward.journal import JournalTarget, TargetProgress

_BLOCK = 256 << 10


_HEAD = re.compile(
    rb'\{"vmon":1,"type":"([A-Za-z]+)","session":[^\n]*?,"id":"[0-9a-f]+-([0-9a-f]+)"'
)


_REFUSED = b',"refused":true},"id":"'
"""In a verdict: the delivery was turned away. In a string the quotes would be escaped."""


class BacklogReader(Struct, frozen=True):
    """Where a target's deliveries of a run are read: its files, and which lines are meant."""

    volumes: Segments
    run: bytes
    types: frozenset[bytes]

    def at(self, start: int) -> bytes:
        """The line that begins there, newline included; empty when it is not there whole."""
        pieces = bytearray()
        while piece := self.volumes.read(start + len(pieces), _BLOCK):
            pieces += piece
            if (end := pieces.find(b"\n", len(pieces) - len(piece))) >= 0:
                return bytes(pieces[: end + 1])
        return b""

    def lines(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Where each line that is meant begins, and the line, from `start` to `end`."""
        for at, line in self._all(start, end):
            head = _HEAD.match(line)
            if head and head[2] == self.run and head[1] in self.types and _REFUSED not in head[0]:
                yield at, line

    def _all(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        for begin, stop in self.volumes.spans():
            yield from self._span(max(start, begin), min(stop, end))

    def _span(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        rest = b""
        while start < end and (piece := self.volumes.read(start, min(_BLOCK, end - start))):
            begin, rest = start - len(rest), rest + piece
            start += len(piece)
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield begin, line + b"\n"
                begin += len(line) + 1


def backlog_reader(volumes: Segments, run: str, place: JournalTarget) -> BacklogReader:
    """Where what a run has for a place is read."""
    return BacklogReader(volumes, run.encode(), frozenset(name.encode() for name in place.types))


def unsent(reading: BacklogReader, known: TargetProgress, end: int) -> Iterator[tuple[int, bytes]]:
    """What a target has still to get of a run, in its order; not what was given up."""
    for start in sorted(known.pending):
        if line := reading.at(start):
            yield start, line
    for start, line in reading.lines(known.upto, end):
        if start not in known.done:
            yield start, line
