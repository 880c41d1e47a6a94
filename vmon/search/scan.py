"""Choosing among stored deliveries: captures and bare bodies, whatever stream they come from.

What a file holds is told by how it begins and ends: capture lines make it a capture, anything
else is decoded line by line. In a capture a filter by type decodes nothing: it looks for the
canonical beginning of a line, block by block.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.capture.blocks import Blocks
from vmon.capture.documents import documents, is_document
from vmon.capture.format import START
from vmon.capture.inputs import Stream
from vmon.search.matching import (
    BadLine,
    LineMatcher,
    StoredLine,
    _begun,
    _entry,
    _looks_whole,
    _place,
    _signed,
)
from vmon.search.plan import NUMBER, Plan, plan_of, span_of
from vmon.search.skipped import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.capture.inputs import Readable
    from vmon.search.filter import Filter
    from vmon.search.matching import DecodedLine


def say_bad(bad: BadLine) -> None:
    """Warn of a line that holds nothing, on standard error."""
    sys.stderr.write(f"warning: {bad}\n")


def select(  # noqa: PLR0913 - one for each thing that can be asked of reading
    stream: Readable,
    name: str,
    chosen: Filter,
    bad: Callable[[BadLine], None],
    *,
    only_lines: bool = False,
    entries: bool = True,
) -> Iterator[list[StoredLine]]:
    """The chosen lines of a stream in their order, a block at a time; `bad` is told of bad lines.

    With `only_lines` it is taken for lines, however it begins. A bad line is told of where every
    line is looked at, and has its number where all before it are counted. Without `entries` no bare
    body is read for more than what the filter asks.
    """
    judge = LineMatcher(name, chosen, bad)
    blocks = Blocks(stream, ahead=isinstance(stream, Stream) and stream.is_long)
    try:
        yield from _chosen(blocks, chosen, judge, only_lines=only_lines, entries=entries)
    finally:
        blocks.close()
        if isinstance(bad, Skipped) and judge.found_inside is not None:
            bad.found_inside = (bad.found_inside or 0) + judge.found_inside


def _chosen(
    blocks: Blocks, chosen: Filter, judge: LineMatcher, *, only_lines: bool, entries: bool
) -> Iterator[list[StoredLine]]:
    whole = plan_of(chosen)
    span = None if chosen.invert else span_of(chosen)
    in_time = plan_of(chosen._replace(since=None, until=None)) if span else whole
    first = not only_lines
    while blocks.fill():
        capture, plan = blocks.is_capture(), whole
        if capture and span and (placed := _place(blocks, span)):
            first = False
            if placed == "outside":
                judge.lose_count()
                continue
            plan = in_time
        if first and not capture and is_document(blocks.begin()):
            break
        chosen_of = _of_capture if capture else _of_bodies
        yield chosen_of(blocks, plan, judge, entries=entries)
        first = False
    if first and (blocks.end > blocks.start or is_document(blocks.rest)):
        yield judge.all(documents(blocks.remaining()))
    else:
        yield judge.all([blocks.rest])


def _of_capture(
    blocks: Blocks, plan: Plan, judge: LineMatcher, *, entries: bool
) -> list[StoredLine]:
    """The chosen lines of a block of capture lines."""
    del entries  # they are read when they are wanted
    if plan.needles and not (plan.numbers and blocks.has(NUMBER)):
        judge.lose_count()
        signed = (line for _, line in _signed(blocks, plan.needles, any_case=plan.any_case))
        return judge.some((line for line in signed if line.startswith(plan.begins)), plan.settled)
    if plan.begins == (START,):
        lines = blocks.lines()
        return judge.as_they_are(lines) if plan.exact else judge.all(lines)
    if len(plan.begins) > 1 and not plan.exact:
        return judge.all(blocks.lines(), plan.begins)
    judge.lose_count()
    begun = _begun(blocks, plan.begins)
    return begun if plan.exact else judge.some((line for line, _ in begun), None)


def _of_bodies(
    blocks: Blocks, plan: Plan, judge: LineMatcher, *, entries: bool
) -> list[StoredLine]:
    """The chosen lines of a block of bare bodies."""
    holds = plan.signs and not (plan.numbers and blocks.has(NUMBER))
    if holds and (lines := _looks_whole(blocks)):
        signed = _signed(blocks, plan.signs, any_case=plan.any_case)
        found = judge.placed(signed, blocks, None if entries else plan.types)
        judge.pass_over(lines)
        return found
    return judge.all(blocks.lines())


def with_entries(
    batch: Iterable[StoredLine], name: str, bad: Callable[[BadLine], None]
) -> Iterator[DecodedLine]:
    """The lines that hold something, each with its entry: nobody may have looked at them yet.

    One torn by `kill -9` begins as a capture line does, and holds nothing.
    """
    for line, stored in batch:
        if entry := stored or _entry(line, name, bad):
            yield line, entry
