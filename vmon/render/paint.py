"""Colours: rich's styles resolved once into escape sequences, so that a line costs a join.

The colours are chosen to be read on light and dark grounds alike.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from rich.color import ColorSystem
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    Paint = Callable[[str, str], str]
    """Style name, text → the text in that style."""

STYLES = {
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

_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.EIGHT_BIT,
    "windows": ColorSystem.WINDOWS,
}


def painter(console: Console | None) -> Paint:
    """What paints for a console; without one, or without colours, text stays as it is."""
    system = _SYSTEMS.get(console.color_system or "") if console else None
    if system is None:
        return lambda _style, text: text

    @cache
    def around(style: str) -> tuple[str, str]:
        spec = STYLES.get(style) or f"color({style})"
        before, _, after = Style.parse(spec).render("\0", color_system=system).partition("\0")
        return before, after

    def paint(style: str, text: str) -> str:
        before, after = around(style)
        return f"{before}{text}{after}"

    return paint


@lru_cache(maxsize=8192)
def colour_of(identifier: str) -> str:
    """The style of an id's handle: the same in every run."""
    return HANDLES[crc32(identifier.encode("utf-8", "surrogatepass")) % len(HANDLES)]
