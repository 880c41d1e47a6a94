"""Text in columns: its width, and wrapping."""

from __future__ import annotations

import re
import sys
from textwrap import wrap

from rich.cells import cell_len

from vmon.render.style import Paint, console

_MIN_WIDTH = 20
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class OutputPage:
    """Standard output: its styles and its width in columns (None for a pipe: no limit)."""

    def __init__(self) -> None:
        terminal = console(sys.stdout)
        self.paint = Paint(terminal)
        self.width = terminal.width if sys.stdout.isatty() else None

    def fits(self, columns: int) -> bool:
        """Whether standard output has so many columns."""
        return self.width is None or columns <= self.width

    def wrapped(
        self, text: str, then: str = "", *, less: int = 0, most: int | None = None
    ) -> list[str]:
        """Wrap a sentence; rows after the first begin with `then`.

        `less` columns are taken by the text before each row; `most` limits the width.
        """
        if self.width is None:
            return [text]
        room = (self.width if most is None else min(self.width, most)) - less
        return wrap(text, max(_MIN_WIDTH, room), subsequent_indent=then, break_on_hyphens=False)


def wide(text: str) -> int:
    """The width of a text in columns; escape sequences take none."""
    plain = _ESCAPES.sub("", text)
    return len(plain) if plain.isascii() else cell_len(plain)


def folded(text: str, room: int) -> list[str]:
    """Wrap a text to `room` columns; a word that is wider stays whole."""
    rows = [""]
    for word in text.split(" "):
        if rows[-1] and wide(rows[-1]) + 1 + wide(word) > room:
            rows.append(word)
        else:
            rows[-1] += f" {word}" if rows[-1] else word
    return rows
