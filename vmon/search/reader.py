"""Stored deliveries → the book of what happened, for the commands that look at it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from vmon.capture import inputs
from vmon.search import matching, scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmon.events.entry import Entry
    from vmon.search.filter import Filter


def entries(
    sources: Iterable[str | None],
    chosen: Filter,
    each: Callable[[Entry], object],
    bad: Callable[[matching.BadLine], None],
) -> None:
    """Give each chosen delivery of the sources (None is standard input) to `each`."""
    gc.disable()  # what is read makes no cycles, and is much
    for source in sources:
        name = inputs.source_name(source)
        with inputs.open_input(source) as stream:
            for batch in scan.select(stream, name, chosen, bad):
                for _, entry in scan.with_entries(batch, name, bad):
                    each(entry)
