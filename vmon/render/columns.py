"""Text in columns: its width, and wrapping."""

from __future__ import annotations

import re
import sys
from textwrap import wrap

from rich.cells import cell_len, chop_cells

from vmon.render.style import Paint, console

_MIN_WIDTH = 20
_BELOW = 8
"""How far a text is indented that has no room beside its head."""
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m|\x1b\][^\x07]*\x07")


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


def hanging(head: str, text: str, width: int | None, indent: int) -> list[str]:
    """Fold a text after its head at words, to a width; rows after the first are indented.

    A word is broken only where it alone is wider than a row, as an ID may be; styles may be in it.
    """
    if width is None or wide(head) + wide(text) <= width:
        return [head + text]
    rows: list[str] = []
    room = width - max(indent, wide(head))
    if room < _MIN_WIDTH and head.strip():  # the text is below its head
        rows, head, indent = [head.rstrip()], " " * _BELOW, _BELOW
        room = width - indent
    row = ""
    for part in (part for word in text.split() for part in _parts(word, max(room, 1))):
        if row and wide(row) + 1 + wide(part) > room:
            rows.append(head + row)
            head, row = " " * indent, part
        else:
            row = f"{row} {part}" if row else part
    return [*rows, head + row]


def _parts(word: str, room: int) -> list[str]:
    """Break a word that is wider than a row."""
    if wide(word) <= room or "\x1b" in word:
        return [word]
    return chop_cells(word, room)


def folded(text: str, room: int, indent: int = 0) -> list[str]:
    """Wrap a text to `room` columns, rows after the first indented; a wider word stays whole."""
    rows = [""]
    for word in text.split(" "):
        if rows[-1].strip() and wide(rows[-1]) + 1 + wide(word) > room:
            rows.append(" " * indent + word)
        else:
            rows[-1] += f" {word}" if rows[-1].strip() else word
    return rows


_ROOMY, _LITTLE = 60, 4
"""Columns from which rows are indented as far as the text of the first; else by so many."""
_MARGIN = re.compile(r"[0-9:]{8} [^ ] |warning: ")
"""What stands before the text of a notice."""


def folded_line(line: str, width: int) -> list[str]:
    """Fold a line at words, below its own text: its leading spaces, time and mark stand out."""
    if wide(line) <= width:
        return [line]
    body = line.lstrip(" ")
    lead = len(line) - len(body)
    margin = _MARGIN.match(_ESCAPES.sub("", body))
    indent = lead + (len(margin[0]) if margin else 2 * (not lead))
    if width < _ROOMY:
        indent = min(indent, _LITTLE)
    lead = min(lead, indent)
    return [" " * lead + row for row in folded(body, width - lead, indent - lead)]
