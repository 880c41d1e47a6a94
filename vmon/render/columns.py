"""Text in columns: how wide it is, and the rows of words that it goes into."""

from __future__ import annotations

import re
import sys
from textwrap import wrap

from rich.cells import cell_len

from vmon.render.style import Paint, console

_NARROWEST = 20
_PAINT = re.compile(r"\x1b\[[0-9;]*m")


class OutputPage:
    """Standard output as what is drawn on: its colours, and its columns; a pipe has no end."""

    def __init__(self) -> None:
        terminal = console(sys.stdout)
        self.paint = Paint(terminal)
        self.width = terminal.width if sys.stdout.isatty() else None

    def fits(self, columns: int) -> bool:
        """Whether there are so many columns."""
        return self.width is None or columns <= self.width

    def wrapped(
        self, text: str, then: str = "", *, less: int = 0, most: int | None = None
    ) -> list[str]:
        """A sentence in as many rows as it takes; those after the first begin with `then`.

        `less` columns are taken by what stands before each row; `most` is as wide as people read.
        """
        if self.width is None:
            return [text]
        room = (self.width if most is None else min(self.width, most)) - less
        return wrap(text, max(_NARROWEST, room), subsequent_indent=then, break_on_hyphens=False)


def wide(text: str) -> int:
    """How many columns a text takes; colours take none."""
    plain = _PAINT.sub("", text)
    return len(plain) if plain.isascii() else cell_len(plain)


def folded(text: str, room: int) -> list[str]:
    """Rows of so many columns at most, but for a word that is wider by itself: that stays whole."""
    rows = [""]
    for word in text.split(" "):
        if rows[-1] and wide(rows[-1]) + 1 + wide(word) > room:
            rows.append(word)
        else:
            rows[-1] += f" {word}" if rows[-1] else word
    return rows
