"""`vmon timeline`: show a session over time, on the terminal, as SVG or HTML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.errors import WrongUse
from vmon.events.names import name_in_data
from vmon.events.timestamps import LATE_AFTER_S
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

_MAX_NAMED = 5
_MAX_MARKS = 12
_PIPE_WIDTH = 100


class Options(Struct, frozen=True):
    """Options of `vmon timeline`; `svg` and `html` are files (`-` is standard output)."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    svg: str | None = None
    html: str | None = None
    width: int | None = None
    name_of: Callable[[str | None], str | None] = name_in_data
    late_after_s: float = LATE_AFTER_S


def run(options: Options) -> int:
    """Show the session that matches; Refused if there is none, WrongUse if there are several."""
    if options.svg == options.html == "-":
        raise WrongUse("--svg - cannot be used with --html -")
    loader, marks = SessionLoader(options.name_of, options.late_after_s), dict[str, list[Mark]]()

    def apply(entry: Entry) -> None:
        change = loader.apply(entry)
        if entry.session is not None and (new := list(marks_of(entry, change))):
            marks.setdefault(entry.session, []).extend(new)

    _read(options, apply)
    selected = _single_session(loader, options)
    now_ms = max(now_ms_of(options.sources, loader.last_ms), selected.session.last_ms)
    drawing = chart(selected, marks.get(selected.session.id, ()), now_ms)
    if options.svg is None and options.html is None:
        _print(options, selected, drawing)
    else:
        _write(options, drawing)
    return 0


def _read(options: Options, apply: Callable[[Entry], None]) -> None:
    """Apply the matches in order of receipt, which decides whether one is late."""
    if len(options.sources) == 1:
        for entry in reader.entries(options.sources, options.event_filter):
            apply(entry)
        return

    def batches(source: str | None) -> Iterator[list[DecodedLine]]:
        return reader.decoded_batches((source,), options.event_filter)

    for batch in merged(options.sources, batches, "received"):
        for stored in batch:
            apply(entry_of(stored))


def _single_session(loader: SessionLoader, options: Options) -> SessionSnapshot:
    ids = [session.id for session in loader.store.sessions()]
    if not ids:
        raise nothing_found("sessions", options.sources, options.event_filter)
    session = loader.store.session(ids[0])
    if len(ids) > 1 or session is None:
        loader.order.settle()
        first = loader.order.first(_MAX_NAMED)
        named = ", ".join(handle(each.session.id, "session") for each in first)
        more = f" and {len(ids) - _MAX_NAMED:,} more" if len(ids) > _MAX_NAMED else ""
        raise WrongUse(
            f"more than one session ({len(ids):,})",
            hint=f"choose one with --session: {named}{more} (see vmon sessions)",
        )
    return snapshot(session)


def _print(options: Options, selected: SessionSnapshot, drawing: Chart) -> None:
    from vmon.render.reports.sessions import head
    from vmon.render.reports.timeline import chart_lines
    from vmon.render.style import LineStyle, Paint, console, format_line

    terminal, is_terminal = console(sys.stdout), sys.stdout.isatty()
    width = options.width or (terminal.width if is_terminal else _PIPE_WIDTH)
    style = LineStyle(Paint(terminal), width)
    sys.stdout.write(format_line(head(selected, drawing.now_ms), style) + "\n")
    for line in chart_lines(drawing, style, max_marks=_MAX_MARKS if is_terminal else None):
        sys.stdout.write(line + "\n")


def _write(options: Options, drawing: Chart) -> None:
    from vmon.render.reports import timeline_svg

    for name, render in ((options.svg, timeline_svg.svg), (options.html, timeline_svg.html)):
        if name == "-":
            sys.stdout.write(render(drawing))
        elif name is not None:
            _save(Path(name), render(drawing))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror or error}") from None
    sys.stderr.write(f"wrote {path}\n")
