"""Reading stored deliveries: the one loop over sources, their batches, lines and entries."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmon.capture import inputs
from vmon.search import scan
from vmon.search.skipped import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.capture.inputs import Stream
    from vmon.events.entry import Entry
    from vmon.search.filter import Filter
    from vmon.search.matching import BadLine, DecodedLine, StoredLine

_TOGETHER = 64
"""So many entries are decoded in one go: one by one, with an app to be sent something in between,
each takes twice as long, for by then the processor's caches hold other things."""


def batches(  # noqa: PLR0913 - one for each thing that can be asked of reading
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
    *,
    follow: bool = False,
    start: int = 0,
    opened: Callable[[Stream], object] | None = None,
    entries: bool = True,
) -> Iterator[list[StoredLine]]:
    """The chosen lines of the sources (None is standard input), a block at a time, as they stand.

    `bad` is told of lines that hold nothing; without it, a warning sums them up for each source.
    `opened` gets each source's stream; a source that is followed is read from `start` and has no
    end. Without `entries` no bare body is decoded for more than what the filter asks. WrongUse
    where a source cannot be read, Unread where nobody reads on while it is followed.
    """
    for source in sources:
        with inputs.open_input(source, follow=follow, start=start) as stream:
            if opened:
                opened(stream)
            name = inputs.source_name(source)
            with _skipped(name, bad, at_once=follow) as noted:
                yield from scan.select(stream, name, chosen, noted, entries=entries)


@contextmanager
def _skipped(
    name: str, bad: Callable[[BadLine], None] | None, *, at_once: bool
) -> Iterator[Callable[[BadLine], None]]:
    """What is told of bad lines: `bad`, else what warns of them at the end of the source."""
    if bad is not None:
        yield bad
        return
    skipped = Skipped(name, at_once=at_once)
    try:
        yield skipped
    finally:
        skipped.end()


def decoded_batches(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
    *,
    follow: bool = False,
) -> Iterator[list[DecodedLine]]:
    """The same, each line with its entry; a torn line is reported to `bad` and left out."""
    for source in sources:
        name = inputs.source_name(source)
        for batch in batches((source,), chosen, bad, follow=follow):
            yield [*scan.with_entries(batch, name, bad or scan.say_bad)]


def lines(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
) -> Iterator[DecodedLine]:
    """The chosen lines of the sources one by one, each with its entry."""
    for source in sources:
        name = inputs.source_name(source)
        for batch in batches((source,), chosen, bad):
            for at in range(0, len(batch), _TOGETHER):
                part = batch[at : at + _TOGETHER]
                yield from [*scan.with_entries(part, name, bad or scan.say_bad)]


def entries(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
) -> Iterator[Entry]:
    """The chosen entries of the sources one by one, for commands that read all and then end.

    From then on the process collects no garbage: what is read makes no cycles, and is much.
    """
    gc.disable()
    for _, entry in lines(sources, chosen, bad):
        yield entry
