"""Colours: rich's styles resolved once into escape sequences, so that a line costs a join.

The colours are chosen to be read on light and dark grounds alike.
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
"""What each style looks like, in rich's words."""

HANDLES = ("31", "97", "130", "64", "168", "37", "136", "62", "132", "29", "166", "98")
"""Colours (of the 256) of handles: which one an id has is its own, and does not change."""

GROUP_STYLES: dict[str, str] = {
    "session": "133", "connection": "32", "stream": "34", "archive": "172", "call": "166",
    "broadcast": "62", "render": "37", "captions": "136",
}  # fmt: skip # one for each group of the catalogue
"""The colours of bars, by the group of a type."""

_RESET = "\x1b[0m"
_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.EIGHT_BIT,
    "windows": ColorSystem.WINDOWS,
}


class Paint(dict[str, str]):
    """What begins each style on a console, whatever style came before; nothing without colours."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        # Under NO_COLOR rich still names a system: it drops colours only when it renders itself.
        name = console.color_system if console and not console.no_color else None
        self._system = _SYSTEMS.get(name or "")
        self.end = _RESET if self._system is not None else ""

    def __missing__(self, style: str) -> str:
        """Resolve a style when it is first used; a style of its own is a number of a colour."""
        begin = ""
        if self._system is not None:
            spec = STYLES.get(style) or f"color({style})"
            drawn = Style.parse(spec).render("\0", color_system=self._system)
            begin = _RESET + drawn.partition("\0")[0]
        self[style] = begin
        return begin

    def __call__(self, style: str, text: str) -> str:
        """The text in that style, and none after it."""
        return self[style] + text + self.end


@lru_cache(maxsize=8192)
def colour_of(identifier: str) -> str:
    """The style of an id's handle: the same in every run."""
    return HANDLES[crc32(identifier.encode("utf-8", "surrogatepass")) % len(HANDLES)]


Piece = tuple[str, str]
"""A style, and harmless text with the space that follows it."""


class LineStyle(NamedTuple):
    """How lines are drawn: the paint, how many columns there are (None: no end), dated or not."""

    paint: Paint
    width: int | None = None
    is_dated: bool = False


def painted(pieces: list[Piece], look: LineStyle) -> str:
    """Pieces as one line, cut to the look's width."""
    paint, width = look.paint, look.width
    plain = "".join([text for _, text in pieces]).rstrip()
    narrow = plain.isascii() or _ONE_EACH.fullmatch(plain) is not None
    if width is not None and (len(plain) if narrow else cell_len(plain)) > width:
        pieces = _begun(pieces, width - 1) if narrow else list(_cut(pieces, width - 1))
    elif not paint.end:
        return plain
    return "".join([paint[style] + text for style, text in pieces]).rstrip() + paint.end


def _wide(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


_ONE_EACH = re.compile("[ -~\xa1-\xac\xae-\u02ff…↩✓‹›]*")
"""Characters that take one column each, whatever stands beside them."""


def _begun(pieces: list[Piece], room: int) -> list[Piece]:
    """The same as `_cut`, of pieces in which every character takes one column."""
    for number, (style, text) in enumerate(pieces):
        room -= len(text)
        if room < 0:
            return [*pieces[:number], (style, text[:room] + "…")]
    return pieces


def _cut(pieces: Iterable[Piece], room: int) -> Iterator[Piece]:
    """What of the pieces goes into so many columns, and a mark that there was more."""
    for style, text in pieces:
        wide = _wide(text)
        if wide > room:
            yield style, set_cell_size(text, room) + "…"
            return
        room -= wide
        yield style, text


def console(stream: object) -> Console:
    """A console that prints what it is given and reads no meaning into it."""
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type] # any text stream


SEVERITY_STYLES: dict[Severity, str] = {"info": "dim", "warning": "warning", "error": "failed"}
