"""Colours: rich's styles resolved once into escape sequences, so that a line costs a join.

The colours are chosen to be read on light and dark grounds alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from rich.color import ColorSystem
from rich.style import Style

if TYPE_CHECKING:
    from rich.console import Console

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
