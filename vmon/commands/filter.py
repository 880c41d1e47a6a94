"""One run of `vmon filter`: reads stored deliveries, and writes those that match."""

from __future__ import annotations

import gc
import sys
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from vmon.capture import inputs
from vmon.capture.follow import Unread
from vmon.render.live.progress import Progress, bytes_of
from vmon.search import matching, reader, scan
from vmon.search.filter import Prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, Literal

    from vmon.render.formats.protocol import Formatter
    from vmon.search.dedupe import Dedupe
    from vmon.search.filter import Filter
    from vmon.search.sort import Sort
    from vmon.security.pseudonyms import Redactor


class Options(NamedTuple):
    """Options of a run; a source of None is standard input, `writing` is another format."""

    sources: tuple[str | None, ...]
    chosen: Filter
    kind: Literal["auto", "line", "detail", "json"] = "auto"
    verbosity: int = 0
    only_count: bool = False
    follow: bool = False
    redact: Redactor | None = None
    writing: Formatter | None = None
    tail: int | None = None
    sort: Sort = "none"
    name_of: Callable[[str | None], str | None] | None = None
    dedupe: Dedupe | None = None

    @property
    def unchanged(self) -> bool:
        """Lines go out as they stand in the file; on a terminal, less what would act on it."""
        as_json = self.kind == "json" or (self.kind == "auto" and not sys.stdout.isatty())
        return as_json and self.redact is None

    @property
    def needs_entries(self) -> bool:
        """What is found is read, and not only put out or counted."""
        as_they_are = self.only_count or (self.unchanged and not self.writing)
        return self.sort == "event" or not as_they_are


def run(options: Options) -> int:
    """Put out what is found; 0 when something was, 1 when nothing."""
    gc.disable()  # nothing below makes cycles, and what is read is much
    out = sys.stdout.buffer
    found = 0
    put, prefixes = _putter(options, out), Prefixes(options.chosen)
    total = None if options.follow or options.tail is not None else bytes_of(options.sources)
    on_one_terminal = sys.stdout.isatty() and not options.only_count
    progress = Progress(
        total, shown=sys.stderr.isatty() and not options.follow, is_drawn_over=on_one_terminal
    )
    try:
        with progress.interruptible(), _document(options.writing, out):
            for all_ in _all(options, progress):
                batch = (
                    [one for one in all_ if options.dedupe.line(one)] if options.dedupe else all_
                )
                found += len(batch)
                with progress.writing():
                    put(batch)
                    progress.found(len(batch))
                prefixes.note(entry for _, entry in batch)
    except KeyboardInterrupt:
        out.flush()
        progress.end(interrupted=True)
        raise
    progress.end()
    for sentence in prefixes.ambiguous():
        sys.stderr.write(f"warning: {sentence}\n")
    for path in options.redact.unmet if options.redact and found else ():
        sys.stderr.write(f"warning: nothing to redact: no match has a field {path}\n")
    if options.only_count:
        out.write(b"%d\n" % found)
    return 0 if found else 1


@contextmanager
def _document(writing: Formatter | None, out: BinaryIO) -> Iterator[None]:
    """What stands around the deliveries in another form; an interrupted document is whole too."""
    if writing:
        out.write(writing.begin())
    try:
        yield
    finally:
        if writing:
            out.write(writing.end())


def _all(options: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """What is found in all sources, in the order of `sort`; the last of all with `tail`."""
    if options.tail is None or len(options.sources) == 1:
        return _in_order(options, progress)
    kept: deque[matching.StoredLine] = deque(maxlen=options.tail)
    for batch in _in_order(options, progress):
        kept.extend(batch)
    return iter([list(kept)])


def _in_order(options: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """What is found in the sources, in the order of `sort`: one source is in that of receipt."""
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
    """What is found in a source, some at a time."""
    start, name = 0, inputs.source_name(source)
    if options.tail is not None:
        from vmon.search.tail import last

        lines, start = last(source, options.tail, options.chosen, whole_lines=options.follow)
        yield _readable(options, lines, name)
        if not options.follow:
            return
    try:
        for batch in reader.batches(
            (source,),
            options.chosen,
            follow=options.follow,
            start=start,
            opened=progress.reads,
            entries=options.needs_entries,
        ):
            yield _readable(options, batch, name)
    except Unread:
        raise BrokenPipeError from None  # it ends as it would at the next line


def _readable(
    options: Options, batch: Sequence[matching.StoredLine], name: str
) -> Sequence[matching.StoredLine]:
    """Those that can be drawn or sorted, where that is wanted; else all, as they stand there."""
    return [*scan.with_entries(batch, name, scan.say_bad)] if options.needs_entries else batch


def _putter(options: Options, out: BinaryIO) -> Callable[[Sequence[matching.StoredLine]], None]:
    """What writes the matches; nothing where they are only counted."""
    if options.only_count:
        return lambda _batch: None
    formatted = _lines() if options.unchanged and not options.writing else _entries(options)
    at_once = options.follow or sys.stdout.isatty()

    def put(batch: Sequence[matching.StoredLine]) -> None:
        out.write(formatted(batch))
        if at_once:
            out.flush()

    return put


def _lines() -> Callable[[Sequence[matching.StoredLine]], bytes]:
    """The matches as they stand in the file: nothing is decoded for it."""
    from vmon.render.formats.json_lines import JsonFormatter

    formatter = JsonFormatter(for_people=sys.stdout.isatty())
    return lambda batch: formatter.lines([line for line, _ in batch])


def _entries(options: Options) -> Callable[[Sequence[matching.StoredLine]], bytes]:
    """The matches in any other format."""
    formatter = _formatter(options)
    return lambda batch: formatter.each([matching.entry_of(stored) for stored in batch])


def _formatter(options: Options) -> Formatter:
    if options.writing:
        from vmon.render.formats.protocol import Redacted

        return Redacted(options.writing, options.redact) if options.redact else options.writing
    from vmon.render.formats.choose import entry_formatter
    from vmon.render.formats.entries import Form
    from vmon.sessions.tracker import SessionTracker

    form = Form(options.kind, options.verbosity)
    return entry_formatter(form, options.redact, SessionTracker(options.name_of))
