"""Styles of output lines: rich's styles resolved once into escape sequences, which is fast.

The colours are readable on light and dark backgrounds.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.analysis.oddities.severity import Severity

STYLES = {
    "": "none",
    "created": "color(34)",
    "destroyed": "color(246)",
    "changed": "color(32)",
    "failed": "bold color(160)",
    "warning": "color(172)",
    "dim": "color(245)",
    "name": "bold",
    "key": "color(32)",
    "string": "color(34)",
    "number": "color(133)",
    "constant": "color(133)",
}
"""Each style in rich's syntax."""

HANDLE_COLOURS = ("31", "97", "130", "64", "168", "37", "136", "62", "132", "29", "166", "98")
"""Colours (of the 256) of handles; an ID always has the same one."""

GROUP_STYLES: dict[str, str] = {
    "session": "133", "connection": "32", "stream": "34", "archive": "172", "call": "166",
    "broadcast": "62", "render": "37", "captions": "136",
}  # fmt: skip # one for each group of the catalogue
"""The colours of bars, by the group of an event type."""

_RESET = "\x1b[0m"
_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.EIGHT_BIT,
    "windows": ColorSystem.WINDOWS,
}


class Paint(dict[str, str]):
    """The escape sequence that starts each style on a console; empty without colours."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        # Under NO_COLOR rich still reports a colour system: it drops colours when rendering only.
        name = console.color_system if console and not console.no_color else None
        self._system = _SYSTEMS.get(name or "")
        self.end = _RESET if self._system is not None else ""

    def __missing__(self, style: str) -> str:
        """Resolve a style on first use; a number is one of the 256 colours."""
        start = ""
        if self._system is not None:
            spec = STYLES.get(style) or f"color({style})"
            rendered = Style.parse(spec).render("\0", color_system=self._system)
            start = _RESET + rendered.partition("\0")[0]
        self[style] = start
        return start

    def __call__(self, style: str, text: str) -> str:
        """Format the text in a style, and reset it."""
        return self[style] + text + self.end


@lru_cache(maxsize=8192)
def colour_of(identifier: str) -> str:
    """The style of an ID's handle: the same in every run."""
    return HANDLE_COLOURS[crc32(identifier.encode("utf-8", "surrogatepass")) % len(HANDLE_COLOURS)]


Piece = tuple[str, str]
"""A style, and sanitized text with the space that follows it."""


class LineStyle(NamedTuple):
    """How lines are formatted: styles, columns (None: no limit), with or without date."""

    paint: Paint
    width: int | None = None
    is_dated: bool = False


def format_line(pieces: list[Piece], line_style: LineStyle) -> str:
    """Join pieces into a line, truncated to the style's width in columns."""
    paint, width = line_style.paint, line_style.width
    plain = "".join([text for _, text in pieces]).rstrip()
    narrow = plain.isascii() or _NARROW_TEXT.fullmatch(plain) is not None
    if width is not None and (len(plain) if narrow else cell_len(plain)) > width:
        pieces = (
            _truncate_narrow(pieces, width - 1) if narrow else list(_truncate(pieces, width - 1))
        )
    elif not paint.end:
        return plain
    return "".join([paint[style] + text for style, text in pieces]).rstrip() + paint.end


def columns_of(text: str) -> int:
    """The width of a plain text in columns."""
    return len(text) if text.isascii() else cell_len(text)


_NARROW_TEXT = re.compile("[ -~\xa1-\xac\xae-\u02ff…↩✓‹›]*")
"""Characters of one column each, whatever their neighbours."""


def _truncate_narrow(pieces: list[Piece], room: int) -> list[Piece]:
    """Like `_truncate`, for pieces in which every character takes one column."""
    for index, (style, text) in enumerate(pieces):
        room -= len(text)
        if room < 0:
            return [*pieces[:index], (style, text[:room] + "…")]
    return pieces


def _truncate(pieces: Iterable[Piece], room: int) -> Iterator[Piece]:
    """Truncate pieces to `room` columns, and add an ellipsis."""
    for style, text in pieces:
        columns = columns_of(text)
        if columns > room:
            yield style, set_cell_size(text, room) + "…"
            return
        room -= columns
        yield style, text


def console(stream: object) -> Console:
    """A console that prints text as it is, without markup, highlighting or emoji."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type] # any text stream


SEVERITY_STYLES: dict[Severity, str] = {"info": "dim", "warning": "warning", "error": "failed"}
