"""Scan a stream for the deliveries that a filter selects: captures, bare bodies, documents.

The first and last line of a block decide what it is: a capture, or else lines to decode one by one.
In a capture, a filter by type decodes nothing: it searches for the canonical prefix of a line,
block by block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.capture.blocks import Blocks
from vmon.capture.documents import documents, is_document
from vmon.capture.format import START
from vmon.capture.inputs import Stream
from vmon.search.matching import (
    BadLine,
    LineMatcher,
    StoredLine,
    _entry,
    _lines_with,
    _place,
    _whole_lines,
    _with_prefix,
)
from vmon.search.plan import NUMBER, Plan, plan_of, span_of
from vmon.search.skipped import Skipped
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.capture.inputs import Readable
    from vmon.search.filter import Filter
    from vmon.search.matching import DecodedLine


def say_bad(bad: BadLine) -> None:
    """Warn on standard error of a line without a delivery."""
    say(f"warning: {bad}")


def select(  # noqa: PLR0913 - one for each option of reading
    stream: Readable,
    name: str,
    chosen: Filter,
    bad: Callable[[BadLine], None],
    *,
    only_lines: bool = False,
    entries: bool = True,
) -> Iterator[list[StoredLine]]:
    """Yield the selected lines of a stream in order, a block at a time; `bad` gets bad lines.

    With `only_lines` the stream is never taken for a document. A bad line is reported where every
    line is decoded, and numbered where all lines before it were counted. Without `entries`, bare
    bodies are decoded only as far as the filter needs.
    """
    matcher = LineMatcher(name, chosen, bad)
    blocks = Blocks(stream, ahead=isinstance(stream, Stream) and stream.is_long)
    try:
        yield from _selected(blocks, chosen, matcher, only_lines=only_lines, entries=entries)
    finally:
        blocks.close()
        if isinstance(bad, Skipped) and matcher.found_inside is not None:
            bad.found_inside = (bad.found_inside or 0) + matcher.found_inside


def _selected(
    blocks: Blocks, chosen: Filter, matcher: LineMatcher, *, only_lines: bool, entries: bool
) -> Iterator[list[StoredLine]]:
    whole = plan_of(chosen)
    span = None if chosen.invert else span_of(chosen)
    in_time = plan_of(chosen._replace(since=None, until=None)) if span else whole
    first = not only_lines
    while blocks.fill():
        capture, plan = blocks.is_capture(), whole
        if capture and span and (place := _place(blocks, span)):
            first = False
            if place == "outside":
                matcher.stop_counting()
                continue
            plan = in_time
        if first and not capture and is_document(blocks.begin()):
            break
        select_from = _of_capture if capture else _of_bodies
        yield select_from(blocks, plan, matcher, entries=entries)
        first = False
    if first and (blocks.end > blocks.start or is_document(blocks.rest)):
        yield matcher.all(documents(blocks.remaining()))
    else:
        yield matcher.all([blocks.rest])


def _of_capture(
    blocks: Blocks, plan: Plan, matcher: LineMatcher, *, entries: bool
) -> list[StoredLine]:
    """Select the lines of a block of capture lines."""
    del entries  # capture lines are decoded lazily
    if plan.needles and not (plan.numbers and blocks.has(NUMBER)):
        matcher.stop_counting()
        signed = (line for _, line in _lines_with(blocks, plan.needles, any_case=plan.any_case))
        return matcher.some((line for line in signed if line.startswith(plan.begins)), plan.settled)
    if plan.begins == (START,):
        lines = blocks.lines()
        return matcher.undecoded(lines) if plan.exact else matcher.all(lines)
    if len(plan.begins) > 1 and not plan.exact:
        return matcher.all(blocks.lines(), plan.begins)
    matcher.stop_counting()
    found = _with_prefix(blocks, plan.begins)
    return found if plan.exact else matcher.some((line for line, _ in found), None)


def _of_bodies(
    blocks: Blocks, plan: Plan, matcher: LineMatcher, *, entries: bool
) -> list[StoredLine]:
    """Select the lines of a block of bare bodies."""
    can_search = plan.signs and not (plan.numbers and blocks.has(NUMBER))
    if can_search and (lines := _whole_lines(blocks)):
        signed = _lines_with(blocks, plan.signs, any_case=plan.any_case)
        found = matcher.at_places(signed, blocks, None if entries else plan.types)
        matcher.skip(lines)
        return found
    return matcher.all(blocks.lines())


def with_entries(
    batch: Iterable[StoredLine], name: str, bad: Callable[[BadLine], None]
) -> Iterator[DecodedLine]:
    """Yield the lines with their entries, decoding the lines where it was not done yet.

    A line torn by `kill -9` starts as a capture line does, but has no entry.
    """
    for line, stored in batch:
        if entry := stored or _entry(line, name, bad):
            yield line, entry
