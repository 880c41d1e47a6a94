"""Read stored deliveries: the one loop over sources, in batches, lines or entries."""

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
"""How many entries are decoded at once: one by one, with a request to an app in between, each takes
twice as long, because the processor's caches hold other data by then."""


def batches(  # noqa: PLR0913 - one for each option of reading
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
    *,
    follow: bool = False,
    start: int = 0,
    opened: Callable[[Stream], object] | None = None,
    entries: bool = True,
) -> Iterator[list[StoredLine]]:
    """Yield the selected lines of the sources (None is standard input), a block at a time.

    `bad` is called for lines that hold no delivery; without it, a warning per source counts them.
    `opened` gets each source's stream; a followed source is read from `start` and has no end.
    Without `entries`, bare bodies are decoded only as far as the filter needs. WrongUse where a
    source cannot be read, Unread where the reader of the output is gone while following.
    """
    for source in sources:
        with inputs.open_input(source, follow=follow, start=start) as stream:
            if opened:
                opened(stream)
            name = inputs.source_name(source)
            with _skipped(name, bad, at_once=follow) as report:
                yield from scan.select(stream, name, chosen, report, entries=entries)


@contextmanager
def _skipped(
    name: str, bad: Callable[[BadLine], None] | None, *, at_once: bool
) -> Iterator[Callable[[BadLine], None]]:
    """Yield `bad`, else a collector that prints its warnings at the end of the source."""
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
    """Yield the same batches, each line with its entry; torn lines are reported and left out."""
    for source in sources:
        name = inputs.source_name(source)
        for batch in batches((source,), chosen, bad, follow=follow):
            yield [*scan.with_entries(batch, name, bad or scan.say_bad)]


def lines(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] | None = None,
) -> Iterator[DecodedLine]:
    """Yield the selected lines of the sources one by one, each with its entry."""
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
    """Yield the selected entries of the sources, for commands that read everything and then exit.

    Disables the garbage collector for good: entries are many, and form no cycles.
    """
    gc.disable()
    for _, entry in lines(sources, chosen, bad):
        yield entry
