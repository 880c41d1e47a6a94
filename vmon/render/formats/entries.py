"""Entries as lines, with their fields, with headers and body."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from vmon.render.detail import fields, whole
from vmon.render.line import day_of, line
from vmon.render.style import LineStyle, Paint, console
from vmon.sessions.tracker import annotate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation, SessionTracker

Kind = Literal["auto", "line", "detail", "json"]


class Form(Struct, frozen=True):
    """The options `--format` and `-v`: a format, and how much of an entry (`-v` once or twice)."""

    kind: Kind = "auto"
    verbosity: int = 0

    @property
    def shows_all(self) -> bool:
        """Headers and bodies are shown: `-vv`."""
        return self.verbosity > 1

    @property
    def is_json(self) -> bool:
        """Entries are printed as capture lines: by option, or in a pipe without `-v`."""
        in_pipe = self.kind == "auto" and not self.verbosity and not sys.stdout.isatty()
        return self.kind == "json" or in_pipe


class LineFormatter:
    """Formats entries as lines for standard output, as wide as the terminal; with details for `-v`.

    On a terminal the date is above the first line of a day that is not today; else in each line.
    With `redact` an entry is redacted first, with `tracker` annotated from earlier entries.
    """

    def __init__(
        self, form: Form, redact: Redactor | None = None, tracker: SessionTracker | None = None
    ) -> None:
        self._redact = redact
        self._tracker = tracker
        self._console = console(sys.stdout)
        self._paint = Paint(self._console)
        self._is_terminal = sys.stdout.isatty()
        self._detail = max(form.verbosity, 1 if form.kind == "detail" else 0)
        self._day = day_of(datetime.now(UTC))
        self.style = self._line_style()

    def measure(self) -> None:
        """Update the width to the terminal's; in a pipe lines have no limit."""
        self.style = self._line_style()

    def _line_style(self) -> LineStyle:
        width = self._console.width if self._is_terminal else None
        return LineStyle(self._paint, width, is_dated=not self._is_terminal)

    def begin(self) -> bytes:
        """Nothing: there is no header."""
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format entries as lines."""
        return b"".join([self.entry(entry) for entry in entries])

    def entry(
        self, entry: Entry, _line: bytes | None = None, note: Annotation | None = None
    ) -> bytes:
        """Format an entry as a line with its details below, newline included."""
        if self._tracker:
            tracker = self._tracker
            note = annotate(entry, tracker.apply(entry), tracker.known_name)
        if self._redact:
            entry, note = self._redact(entry), note._replace(who=None) if note else None
        text = self._date_line(entry) + line(entry, self.style, note) + "\n"
        return (text + "".join([row + "\n" for row in self._details(entry)])).encode()

    def _date_line(self, entry: Entry) -> str:
        """The line with the date, if it changed."""
        at = entry.delivery.received_or_none
        if not self._is_terminal or at is None or (day := day_of(at)) == self._day:
            return ""
        self._day = day
        return self._paint("dim", day) + "\n"

    def _details(self, entry: Entry) -> Iterator[str]:
        if self._detail:
            yield from fields(entry, self.style)
        if self._detail > 1:
            yield from whole(entry, self.style)

    def end(self) -> bytes:
        """Nothing: there is no footer."""
        return b""
