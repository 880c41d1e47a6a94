"""`vmon filter`: read stored deliveries and print those that match."""

from __future__ import annotations

import gc
import sys
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from vmon.capture import inputs
from vmon.capture.follow import Unread
from vmon.events.timestamps import LATE_AFTER_S
from vmon.render.live.progress import Progress, bytes_of
from vmon.search import matching, reader, scan
from vmon.search.filter import Prefixes
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, Literal

    from vmon.render.formats.protocol import Formatter
    from vmon.search.dedupe import Dedupe
    from vmon.search.filter import Filter
    from vmon.search.sort import Sort
    from vmon.security.pseudonyms import Redactor


class Options(NamedTuple):
    """Options of `vmon filter`; a source of None is standard input.

    `formatter` None is the formatter of `output_format`.
    """

    sources: tuple[str | None, ...]
    event_filter: Filter
    output_format: Literal["auto", "line", "detail", "json"] = "auto"
    verbosity: int = 0
    only_count: bool = False
    follow: bool = False
    redact: Redactor | None = None
    formatter: Formatter | None = None
    tail: int | None = None
    sort: Sort = "none"
    name_of: Callable[[str | None], str | None] | None = None
    late_after_s: float = LATE_AFTER_S
    dedupe: Dedupe | None = None

    @property
    def unchanged(self) -> bool:
        """Lines are printed unchanged from the file; on a terminal without control characters."""
        in_pipe = self.output_format == "auto" and not self.verbosity and not sys.stdout.isatty()
        return (self.output_format == "json" or in_pipe) and self.redact is None

    @property
    def needs_entries(self) -> bool:
        """Matches have to be decoded, not only printed unchanged or counted."""
        undecoded = self.only_count or (self.unchanged and not self.formatter)
        return self.sort == "event" or not undecoded


def run(options: Options) -> int:
    """Print the matches; 0 if there are any, 1 if not."""
    gc.disable()  # nothing below makes cycles, and the input may be large
    out = sys.stdout.buffer
    matches = 0
    write, prefixes = _batch_writer(options, out), Prefixes(options.event_filter)
    total = None if options.follow or options.tail is not None else bytes_of(options.sources)
    on_one_terminal = sys.stdout.isatty() and not options.only_count
    progress = Progress(
        total, shown=sys.stderr.isatty() and not options.follow, is_drawn_over=on_one_terminal
    )
    try:
        with progress.interruptible(), _document(options.formatter, out):
            for found in _matches(options, progress):
                batch = _unique(found, options.dedupe)
                matches += len(batch)
                with progress.writing():
                    write(batch)
                    progress.found(len(batch))
                prefixes.note(entry for _, entry in batch)
    except KeyboardInterrupt:
        out.flush()
        progress.end(interrupted=True)
        raise
    progress.end()
    for sentence in _warnings(options, prefixes, matches):
        say(f"warning: {sentence}")
    if options.only_count:
        out.write(b"%d\n" % matches)
    return 0 if matches else 1


def _warnings(options: Options, prefixes: Prefixes, matches: int) -> Iterator[str]:
    """Yield the warnings at the end of a run."""
    where = options.event_filter.where
    if where and where.failed and (matches or options.only_count):  # else the error says it
        yield where.failed
    yield from prefixes.ambiguous()
    for path in options.redact.unmet if options.redact and matches else ():
        yield f"nothing to redact: no match has a field {path}"


def _unique(
    lines: Sequence[matching.StoredLine], dedupe: Dedupe | None
) -> Sequence[matching.StoredLine]:
    """The lines without duplicates, if those are to be left out."""
    return [line for line in lines if dedupe.line(line)] if dedupe else lines


@contextmanager
def _document(formatter: Formatter | None, out: BinaryIO) -> Iterator[None]:
    """Write a format's begin and end around the deliveries, also if interrupted."""
    if formatter:
        out.write(formatter.begin())
    try:
        yield
    finally:
        if formatter:
            out.write(formatter.end())


def _matches(options: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """The matches of all sources, in the order of `sort`; with `tail` the last of all sources."""
    if options.tail is None or len(options.sources) == 1:
        return _in_order(options, progress)
    last: deque[matching.StoredLine] = deque(maxlen=options.tail)
    for batch in _in_order(options, progress):
        last.extend(batch)
    return iter([list(last)])


def _in_order(options: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """The matches of the sources in the order of `sort`; a single source is in that of receipt."""
    if options.sort == "event" or (options.sort == "received" and len(options.sources) > 1):
        from vmon.search.sort import merged

        yield from merged(
            options.sources, lambda source: _batches(options, source, progress), options.sort
        )
        return
    for source in options.sources:
        yield from _batches(options, source, progress)


def _batches(
    options: Options, source: str | None, progress: Progress
) -> Iterator[Sequence[matching.StoredLine]]:
    """The matches of a source, in batches."""
    start, name = 0, inputs.source_name(source)
    if options.tail is not None:
        from vmon.search.tail import last

        lines, start = last(source, options.tail, options.event_filter, whole_lines=options.follow)
        yield _decoded_if_needed(options, lines, name)
        if not options.follow:
            return
    try:
        for batch in reader.batches(
            (source,),
            options.event_filter,
            follow=options.follow,
            start=start,
            opened=progress.reads,
            entries=options.needs_entries,
        ):
            yield _decoded_if_needed(options, batch, name)
    except Unread:
        raise BrokenPipeError from None  # ends as it would at the next line


def _decoded_if_needed(
    options: Options, batch: Sequence[matching.StoredLine], name: str
) -> Sequence[matching.StoredLine]:
    """Decode the lines and drop those that cannot be, if that is needed; else return all lines."""
    return [*scan.with_entries(batch, name, scan.say_bad)] if options.needs_entries else batch


def _batch_writer(
    options: Options, out: BinaryIO
) -> Callable[[Sequence[matching.StoredLine]], None]:
    """The function that writes a batch of matches; it does nothing if they are only counted."""
    if options.only_count:
        return lambda _batch: None
    format_batch = (
        _line_formatter()
        if options.unchanged and not options.formatter
        else _entry_formatter(options)
    )
    flushes = options.follow or sys.stdout.isatty()

    def write(batch: Sequence[matching.StoredLine]) -> None:
        out.write(format_batch(batch))
        if flushes:
            out.flush()

    return write


def _line_formatter() -> Callable[[Sequence[matching.StoredLine]], bytes]:
    """A formatter of lines that are not decoded."""
    from vmon.render.formats.json_lines import JsonFormatter

    formatter = JsonFormatter(for_people=sys.stdout.isatty())
    return lambda batch: formatter.lines([line for line, _ in batch])


def _entry_formatter(options: Options) -> Callable[[Sequence[matching.StoredLine]], bytes]:
    """A formatter of decoded lines, in any format."""
    formatter = _formatter(options)
    return lambda batch: formatter.each([matching.entry_of(stored) for stored in batch])


def _formatter(options: Options) -> Formatter:
    if options.formatter:
        from vmon.render.formats.protocol import Redacted

        return Redacted(options.formatter, options.redact) if options.redact else options.formatter
    from vmon.commands.names import known_names
    from vmon.render.formats.choose import entry_formatter
    from vmon.render.formats.entries import Form
    from vmon.sessions.tracker import SessionTracker

    form = Form(options.output_format, options.verbosity)
    known = known_names(options.sources, options.event_filter, options.name_of)
    tracker = SessionTracker(options.name_of, late_after_s=options.late_after_s, known_name=known)
    return entry_formatter(form, options.redact, tracker)
