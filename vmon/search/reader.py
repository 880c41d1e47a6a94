"""Read stored deliveries: the one loop over sources, in batches, lines or entries."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from vmon.capture import inputs
from vmon.search import scan

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
    bad: Callable[[BadLine], None] = scan.say_bad,
    *,
    follow: bool = False,
    start: int = 0,
    opened: Callable[[Stream], object] | None = None,
    entries: bool = True,
) -> Iterator[list[StoredLine]]:
    """Yield the selected lines of the sources (None is standard input), a block at a time.

    `opened` gets each source's stream; a followed source is read from `start` and has no end.
    Without `entries`, bare bodies are decoded only as far as the filter needs. WrongUse where a
    source cannot be read, Unread where the reader of the output is gone while following.
    """
    for source in sources:
        with inputs.open_input(source, follow=follow, start=start) as stream:
            if opened:
                opened(stream)
            name = inputs.source_name(source)
            yield from scan.select(stream, name, chosen, bad, entries=entries)


def decoded_batches(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] = scan.say_bad,
    *,
    follow: bool = False,
) -> Iterator[list[DecodedLine]]:
    """Yield the same batches, each line with its entry; torn lines are reported and left out."""
    for source in sources:
        name = inputs.source_name(source)
        for batch in batches((source,), chosen, bad, follow=follow):
            yield [*scan.with_entries(batch, name, bad)]


def lines(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] = scan.say_bad,
) -> Iterator[DecodedLine]:
    """Yield the selected lines of the sources one by one, each with its entry."""
    for source in sources:
        name = inputs.source_name(source)
        for batch in batches((source,), chosen, bad):
            for at in range(0, len(batch), _TOGETHER):
                yield from [*scan.with_entries(batch[at : at + _TOGETHER], name, bad)]


def entries(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[BadLine], None] = scan.say_bad,
) -> Iterator[Entry]:
    """Yield the selected entries of the sources, for commands that read everything and then exit.

    Disables the garbage collector for good: entries are many, and form no cycles.
    """
    gc.disable()
    for _, entry in lines(sources, chosen, bad):
        yield entry
