"""Merge several sources into one stream, sorted by time of receipt or by event time.

A source is opened when its first delivery is due, so that a folder of a hundred captures that do
not overlap takes the memory of one.
"""

from __future__ import annotations

import heapq
import re
from typing import TYPE_CHECKING, Literal

from vmon.capture import inputs
from vmon.capture.format import START
from vmon.errors import VmonError
from vmon.humanize import iso
from vmon.search import matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Read = Callable[[str | None], Iterator[Sequence[matching.StoredLine]]]
    _Head = tuple[str, int, matching.StoredLine, Iterator[matching.StoredLine]]


Sort = Literal["received", "event", "none"]

BOUND = 10_000
"""How many deliveries are buffered to sort by event time."""

_BATCH = 512
_RECEIVED = re.compile(rb'","received_at":"([0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z)"')
_HEAD = 4096


def merged(
    sources: Iterable[str | None],
    read: Read,
    order: Sort,
) -> Iterator[list[matching.StoredLine]]:
    """Merge the lines of the sources, in batches; event time is sorted within BOUND deliveries."""
    lines = _by_receipt(sources, read)
    batch: list[matching.StoredLine] = []
    for stored in lines if order == "received" else by_event(lines):
        batch.append(stored)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


def _by_receipt(
    sources: Iterable[str | None],
    read: Callable[[str | None], Iterator[Sequence[matching.StoredLine]]],
) -> Iterator[matching.StoredLine]:
    waiting = sorted(
        ((_begins(source), place, source) for place, source in enumerate(sources)), reverse=True
    )
    heap: list[_Head] = []
    first: dict[int, str] = {}
    while waiting or heap:
        while waiting and (not heap or waiting[-1][0] <= heap[0][0]):
            _, place, source = waiting.pop()
            rest: Iterator[matching.StoredLine] = (one for batch in read(source) for one in batch)
            first[place] = _push(heap, place, rest, first.get(place - 1, ""))
        if heap:
            before, place, stored, rest = heapq.heappop(heap)
            yield stored
            _push(heap, place, rest, before)


def _push(heap: list[_Head], place: int, rest: Iterator[matching.StoredLine], before: str) -> str:
    """Put in the next line of a source; its time, or that of the one before it."""
    for stored in rest:
        at = _received(stored) or before
        heapq.heappush(heap, (at, place, stored, rest))
        return at
    return before


def _received(stored: matching.StoredLine) -> str:
    """Return the time of receipt of a line as text that sorts as time does.

    Empty for a torn line and for a body without a time: they stay after the line before them.
    """
    line, _ = stored
    if line.startswith(START) and (found := _RECEIVED.search(line)):
        return found[1].decode()
    try:
        at = matching.entry_of(stored).delivery.received_or_none
        return iso(at) if at else ""
    except (ValueError, VmonError):
        return ""


def _begins(source: str | None) -> str:
    """Return the time of receipt of a source's first delivery; empty where it is no capture.

    Empty for a pipe, too: what is read here, its reader would miss.
    """
    if not inputs.can_be_read_again(source):
        return ""
    head = memoryview(bytearray(_HEAD))
    with inputs.open_input(source) as stream:
        count = stream.readinto(head) or 0
    line = bytes(head[:count]).partition(b"\n")[0]
    found = _RECEIVED.search(line) if line.startswith(START) else None
    return found[1].decode() if found else ""


def by_event(lines: Iterable[matching.StoredLine]) -> Iterator[matching.DecodedLine]:
    """Sort lines by event time, within BOUND deliveries."""
    heap: list[tuple[int, int, matching.DecodedLine]] = []
    at_ms = 0
    for number, stored in enumerate(lines):
        entry = matching.entry_of(stored)
        at_ms = entry.occurred_ms or at_ms  # what has no time stays behind what it stands behind
        heapq.heappush(heap, (at_ms, number, (stored[0], entry)))
        if len(heap) > BOUND:
            yield heapq.heappop(heap)[2]
    while heap:
        yield heapq.heappop(heap)[2]
