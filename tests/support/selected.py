"""Select lines of a stream by a filter, with blocks of a given size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vmon.capture import blocks, inputs
from vmon.search import matching, scan

if TYPE_CHECKING:
    from vmon.search.filter import Filter

BadLines = list[matching.BadLine]


def selected(
    stream: inputs.Readable,
    event_filter: Filter,
    size: int = inputs.BLOCK,
    *,
    entries: bool = True,
) -> tuple[list[bytes], BadLines]:
    """The lines that `select` yields, and the bad lines it reports."""
    bad: BadLines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks.Blocks.__init__, "__defaults__", (size,))
        batches = scan.select(stream, "x.jsonl", event_filter, bad.append, entries=entries)
        return [line for batch in batches for line, _ in batch], bad
