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
    """What was asked for; `svg` and `html` are files (`-` is standard output)."""

    sources: tuple[str | None, ...]
    chosen: Filter
    svg: str | None = None
    html: str | None = None
    width: int | None = None
    name_of: Callable[[str | None], str | None] = person


def run(asked: Options) -> int:
    """Draw the one session that is chosen; Refused when there is none, WrongUse when several."""
    if asked.svg == asked.html == "-":
        raise WrongUse("--svg - cannot be used with --html -")
    reading, marks = SessionLoader(asked.name_of), dict[str, list[Mark]]()

    def enter(entry: Entry) -> None:
        change = reading.enter(entry)
        if entry.session is not None and (found := list(marks_of(entry, change))):
            marks.setdefault(entry.session, []).extend(found)

    _read(asked, enter)
    laid = _the_one(reading, asked)
    now_ms = max(now_ms_of(asked.sources, reading.last_ms), laid.session.last_ms)
    made = chart(laid, marks.get(laid.session.id, ()), now_ms)
    if asked.svg is None and asked.html is None:
        _draw(asked, laid, made)
    else:
        _write(asked, made)
    return 0


def _read(asked: Options, enter: Callable[[Entry], None]) -> None:
    """Enter what is chosen in the order of its receipt, by which it is late or not."""
    if len(asked.sources) == 1:
        for entry in reader.entries(asked.sources, asked.chosen):
            enter(entry)
        return

    def batches(source: str | None) -> Iterator[list[DecodedLine]]:
        return reader.decoded_batches((source,), asked.chosen)

    for batch in merged(asked.sources, batches, "received"):
        for stored in batch:
            enter(entry_of(stored))


def _the_one(reading: SessionLoader, asked: Options) -> SessionSnapshot:
    found = [one.id for one in reading.book.sessions()]
    if not found:
        raise nothing_found("sessions", asked.sources, asked.chosen)
    session = reading.book.session(found[0])
    if len(found) > 1 or session is None:
        reading.order.settle()
        first = reading.order.first(_MOST_NAMED)
        named = ", ".join(handle(one.session.id, "session") for one in first)
        more = f" and {len(found) - _MOST_NAMED:,} more" if len(found) > _MOST_NAMED else ""
        raise WrongUse(
            f"more than one session ({len(found):,})",
            hint=f"choose one with --session: {named}{more} (see vmon sessions)",
        )
    return snapshot(session)


def _draw(asked: Options, laid: SessionSnapshot, made: Chart) -> None:
    from vmon.render.reports.sessions import head
    from vmon.render.reports.timeline import drawn
    from vmon.render.style import LineStyle, Paint, console, painted

    terminal, is_terminal = console(sys.stdout), sys.stdout.isatty()
    width = asked.width or (terminal.width if is_terminal else _PIPED)
    look_ = LineStyle(Paint(terminal), width)
    sys.stdout.write(painted(head(laid, made.now_ms), look_) + "\n")
    for line in drawn(made, look_, most_marks=_MOST_MARKS if is_terminal else None):
        sys.stdout.write(line + "\n")


def _write(asked: Options, made: Chart) -> None:
    from vmon.render.reports import timeline_svg

    for name, draw in ((asked.svg, timeline_svg.svg), (asked.html, timeline_svg.html)):
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
