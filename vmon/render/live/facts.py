"""Rows of a label and a text on standard error, fitted to the terminal's width."""

from __future__ import annotations

import sys

from vmon.render.columns import folded, folded_line, wide
from vmon.render.style import Paint, console

_PIPED = 200


class Facts:
    """Standard error as a table of facts: its width, its colours, whether it is a terminal."""

    def __init__(self) -> None:
        terminal = console(sys.stderr)
        self.is_terminal = sys.stderr.isatty()
        self.width = terminal.width if self.is_terminal else _PIPED
        self.paint = Paint(terminal)

    def fold(self, text: str) -> str:
        """Fold the lines of a text at words to the terminal's width."""
        if not self.is_terminal:
            return text
        return "\n".join(row for line in text.split("\n") for row in folded_line(line, self.width))

    def rows(self, facts: list[tuple[str, str]]) -> list[str]:
        """The lines of the facts that have a text; a blank label goes on with the one before."""
        shown = [(label, text) for label, text in facts if text]
        labels = max((len(label) for label, _ in shown), default=0)
        return [row for label, text in shown for row in self._row(label, text, labels)]

    def _row(self, label: str, text: str, labels: int) -> list[str]:
        """A fact in a line; on a narrow terminal in several, and no word is broken."""
        room = self.width - labels - 4
        head = f"  {self.paint('dim', label.ljust(labels))}  "
        if not self.is_terminal or wide(text) <= room:
            return [head + text]
        is_command = label.strip() and text.startswith("vmon ")
        rows = [text] if is_command else folded(text, room)  # a command is pasted as one line
        if max(map(wide, rows)) <= room:
            return [head + rows[0], *(" " * (labels + 4) + row for row in rows[1:])]
        below = rows if len(rows) == 1 else folded(text, self.width - 4)
        return [*([head.rstrip()] if label.strip() else []), *("    " + row for row in below)]
