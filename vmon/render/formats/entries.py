"""How an entry goes out: as a line, with its fields, with its body, or as the capture has it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from msgspec import Struct

from vmon.capture.codec import write_line
from vmon.render.style import console
from vmon.sanitize import disarm_json
from vmon.sessions.tracker import annotate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.render.style import LineStyle
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation, SessionTracker

Kind = Literal["auto", "line", "detail", "json"]


class Draw(Protocol):
    """Turns an entry, its capture line where there is one, and what is known of it into bytes."""

    def __call__(
        self, entry: Entry, line: bytes | None = None, note: Annotation | None = None, /
    ) -> bytes:
        """The entry as it goes out, newline included."""


class Form(Struct, frozen=True):
    """What was asked for: a kind, and how much of it (`-v` once or twice)."""

    kind: Kind = "auto"
    verbosity: int = 0

    @property
    def is_json(self) -> bool:
        """Events go out as capture lines: asked for, or because nobody is looking."""
        return self.kind == "json" or (self.kind == "auto" and not sys.stdout.isatty())


class Drawn:
    """Entries drawn for standard output, as wide as the terminal is now.

    On a terminal the date stands above the first of another day than today; else in each line.
    """

    def __init__(self, form: Form) -> None:
        from vmon.render.line import day_of, line
        from vmon.render.style import LineStyle, Paint

        self.console = console(sys.stdout)
        self._paint = Paint(self.console)
        self._is_terminal = sys.stdout.isatty()
        self._depth = max(form.verbosity, 1 if form.kind == "detail" else 0)
        self._line, self._look, self._day_of = line, LineStyle, day_of
        self._day = day_of(datetime.now(UTC))
        self.look = self.measured()

    def measured(self) -> LineStyle:
        """How lines look at the terminal's width; in a pipe they are as long as they are."""
        width = self.console.width if self._is_terminal else None
        self.look = self._look(self._paint, width, is_dated=not self._is_terminal)
        return self.look

    def __call__(
        self, entry: Entry, _line: bytes | None = None, note: Annotation | None = None
    ) -> bytes:
        """The entry as it is drawn, newline included."""
        drawn = self._above(entry) + self._line(entry, self.look, note) + "\n"
        if self._depth:
            drawn += "\n".join(self._more(entry)) + "\n"
        return drawn.encode()

    def _above(self, entry: Entry) -> str:
        """The date, where it is another one than above."""
        day = self._day_of(entry.delivery.received_at)
        if not self._is_terminal or day == self._day:
            return ""
        self._day = day
        return self._paint("dim", day) + "\n"

    def _more(self, entry: Entry) -> Iterator[str]:
        from vmon.render.detail import fields, whole

        yield from fields(entry, self.look)
        if self._depth > 1:
            yield from whole(entry, self.look)


def as_json(entry: Entry, line: bytes | None = None, _note: Annotation | None = None) -> bytes:
    """The entry as a capture has it: the line itself where there is one."""
    return line or write_line(entry)


def as_shown_json(
    entry: Entry, line: bytes | None = None, _note: Annotation | None = None
) -> bytes:
    """The same for a terminal: escapes stand for what could act on it."""
    return disarm_json(line or write_line(entry))


class Redacted:
    """Entries drawn in whatever way, each redacted first."""

    def __init__(self, draw: Draw, redact: Redactor) -> None:
        self._draw = draw
        self._redact = redact
        self.measured = getattr(draw, "measured", None)

    def __call__(
        self, entry: Entry, _line: bytes | None = None, note: Annotation | None = None
    ) -> bytes:
        """The entry as it is drawn; never the line of the capture, which has all of it."""
        anonymous = note._replace(who=None) if note else None
        return self._draw(self._redact(entry), None, anonymous)


class Knowing:
    """Entries drawn in whatever way, with what is known of each from those before it."""

    def __init__(self, draw: Draw, known: SessionTracker) -> None:
        self._draw = draw
        self._known = known

    def __call__(
        self, entry: Entry, line: bytes | None = None, _note: Annotation | None = None
    ) -> bytes:
        """The entry as it is drawn."""
        return self._draw(entry, line, annotate(entry, self._known.apply(entry)))


def drawing(
    form: Form, redact: Redactor | None = None, known: SessionTracker | None = None
) -> Draw:
    """What turns entries into bytes for standard output; `known` is not asked where it is JSON."""
    draw: Draw = _json_for(sys.stdout) if form.is_json else Drawn(form)
    if redact:
        draw = Redacted(draw, redact)
    return Knowing(draw, known) if known and not form.is_json else draw


def _json_for(stream: TextIO) -> Draw:
    return as_shown_json if stream.isatty() else as_json
