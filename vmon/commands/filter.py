"""One run of `vmon filter`: reads stored deliveries, and puts out those that are asked for."""

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
    """What was asked for; a source of None is standard input, `writing` is another form."""

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


def run(asked: Options) -> int:
    """Put out what is found; 0 when something was, 1 when nothing."""
    gc.disable()  # nothing below makes cycles, and what is read is much
    out = sys.stdout.buffer
    found = 0
    put, prefixes = _putter(asked, out), Prefixes(asked.chosen)
    total = None if asked.follow or asked.tail is not None else bytes_of(asked.sources)
    on_one_terminal = sys.stdout.isatty() and not asked.only_count
    progress = Progress(
        total, shown=sys.stderr.isatty() and not asked.follow, is_drawn_over=on_one_terminal
    )
    try:
        with progress.interruptible(), _document(asked.writing, out):
            for all_ in _all(asked, progress):
                batch = [one for one in all_ if asked.dedupe.line(one)] if asked.dedupe else all_
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
    for path in asked.redact.unmet if asked.redact and found else ():
        sys.stderr.write(f"warning: nothing to redact: no match has a field {path}\n")
    if asked.only_count:
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


def _all(asked: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """What is found in all sources, in the order asked for; the last of all, where the last are."""
    if asked.tail is None or len(asked.sources) == 1:
        return _in_order(asked, progress)
    kept: deque[matching.StoredLine] = deque(maxlen=asked.tail)
    for batch in _in_order(asked, progress):
        kept.extend(batch)
    return iter([list(kept)])


def _in_order(asked: Options, progress: Progress) -> Iterator[Sequence[matching.StoredLine]]:
    """What is found in the sources, in the order asked for: one source is in that of receipt."""
    if asked.sort == "event" or (asked.sort == "received" and len(asked.sources) > 1):
        from vmon.search.sort import merged

        yield from merged(
            asked.sources, lambda source: _batches(asked, source, progress), asked.sort
        )
        return
    for source in asked.sources:
        yield from _batches(asked, source, progress)


def _batches(
    asked: Options, source: str | None, progress: Progress
) -> Iterator[Sequence[matching.StoredLine]]:
    """What is found in a source, some at a time."""
    start, name = 0, inputs.source_name(source)
    if asked.tail is not None:
        from vmon.search.tail import last

        lines, start = last(
            source, asked.tail, asked.chosen, scan.say_bad, whole_lines=asked.follow
        )
        yield _readable(asked, lines, name)
        if not asked.follow:
            return
    try:
        for batch in reader.batches(
            (source,),
            asked.chosen,
            follow=asked.follow,
            start=start,
            opened=progress.reads,
            entries=asked.needs_entries,
        ):
            yield _readable(asked, batch, name)
    except Unread:
        raise BrokenPipeError from None  # it ends as it would at the next line


def _readable(
    asked: Options, batch: Sequence[matching.StoredLine], name: str
) -> Sequence[matching.StoredLine]:
    """Those that can be drawn or sorted, where that is wanted; else all, as they stand there."""
    return [*scan.with_entries(batch, name, scan.say_bad)] if asked.needs_entries else batch


def _putter(asked: Options, out: BinaryIO) -> Callable[[Sequence[matching.StoredLine]], None]:
    """What writes the matches; nothing where they are only counted."""
    if asked.only_count:
        return lambda _batch: None
    formatted = _lines() if asked.unchanged and not asked.writing else _entries(asked)
    at_once = asked.follow or sys.stdout.isatty()

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


def _entries(asked: Options) -> Callable[[Sequence[matching.StoredLine]], bytes]:
    """The matches in any other format."""
    formatter = _formatter(asked)
    return lambda batch: formatter.each([matching.entry_of(stored) for stored in batch])


def _formatter(asked: Options) -> Formatter:
    if asked.writing:
        from vmon.render.formats.protocol import Redacted

        return Redacted(asked.writing, asked.redact) if asked.redact else asked.writing
    from vmon.render.formats.choose import entry_formatter
    from vmon.render.formats.entries import Form
    from vmon.sessions.tracker import SessionTracker

    form = Form(asked.kind, asked.verbosity)
    return entry_formatter(form, asked.redact, SessionTracker(asked.name_of))
