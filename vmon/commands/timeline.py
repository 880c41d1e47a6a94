"""A run of `vmon timeline`: one session over time, on the terminal or as a picture to share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.errors import WrongUse
from vmon.events.names import person
from vmon.humanize import handle
from vmon.search import reader
from vmon.search.matching import entry_of
from vmon.search.not_found import nothing_found
from vmon.search.sort import merged
from vmon.sessions.loader import SessionLoader, now_ms_of
from vmon.sessions.snapshot import snapshot
from vmon.sessions.timeline import Mark, chart, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.entry import Entry
    from vmon.search.filter import Filter
    from vmon.search.matching import DecodedLine
    from vmon.sessions.snapshot import SessionSnapshot
    from vmon.sessions.timeline import Chart

_MOST_NAMED = 5
_MOST_MARKS = 12
_PIPED = 100


class Options(Struct, frozen=True):
    """Options of a run; `svg` and `html` are files (`-` is standard output)."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    svg: str | None = None
    html: str | None = None
    width: int | None = None
    name_of: Callable[[str | None], str | None] = person


def run(options: Options) -> int:
    """Draw the one session that is chosen; Refused when there is none, WrongUse when several."""
    if options.svg == options.html == "-":
        raise WrongUse("--svg - cannot be used with --html -")
    loader, marks = SessionLoader(options.name_of), dict[str, list[Mark]]()

    def enter(entry: Entry) -> None:
        change = loader.enter(entry)
        if entry.session is not None and (found := list(marks_of(entry, change))):
            marks.setdefault(entry.session, []).extend(found)

    _read(options, enter)
    laid = _the_one(loader, options)
    now_ms = max(now_ms_of(options.sources, loader.last_ms), laid.session.last_ms)
    made = chart(laid, marks.get(laid.session.id, ()), now_ms)
    if options.svg is None and options.html is None:
        _draw(options, laid, made)
    else:
        _write(options, made)
    return 0


def _read(options: Options, enter: Callable[[Entry], None]) -> None:
    """Enter what is chosen in the order of its receipt, by which it is late or not."""
    if len(options.sources) == 1:
        for entry in reader.entries(options.sources, options.event_filter):
            enter(entry)
        return

    def batches(source: str | None) -> Iterator[list[DecodedLine]]:
        return reader.decoded_batches((source,), options.event_filter)

    for batch in merged(options.sources, batches, "received"):
        for stored in batch:
            enter(entry_of(stored))


def _the_one(loader: SessionLoader, options: Options) -> SessionSnapshot:
    found = [one.id for one in loader.book.sessions()]
    if not found:
        raise nothing_found("sessions", options.sources, options.event_filter)
    session = loader.book.session(found[0])
    if len(found) > 1 or session is None:
        loader.order.settle()
        first = loader.order.first(_MOST_NAMED)
        named = ", ".join(handle(one.session.id, "session") for one in first)
        more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
        raise WrongUse(
            f"more than one session ({len(found):,})",
            hint=f"choose one with --session: {named}{more} (see vmon sessions)",
        )
    return snapshot(session)


def _draw(options: Options, laid: SessionSnapshot, made: Chart) -> None:
    from vmon.render.reports.sessions import head
    from vmon.render.reports.timeline import drawn
    from vmon.render.style import LineStyle, Paint, console, painted

    terminal, is_terminal = console(sys.stdout), sys.stdout.isatty()
    width = options.width or (terminal.width if is_terminal else _PIPED)
    look_ = LineStyle(Paint(terminal), width)
    sys.stdout.write(painted(head(laid, made.now_ms), look_) + "\n")
    for line in drawn(made, look_, most_marks=_MOST_MARKS if is_terminal else None):
        sys.stdout.write(line + "\n")


def _write(options: Options, made: Chart) -> None:
    from vmon.render.reports import timeline_svg

    for name, draw in ((options.svg, timeline_svg.svg), (options.html, timeline_svg.html)):
        if name == "-":
            sys.stdout.write(draw(made))
        elif name is not None:
            _save(Path(name), draw(made))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror or error}") from None
    sys.stderr.write(f"wrote {path}\n")
