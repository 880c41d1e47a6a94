"""Text in columns: how wide it is, and rows of whole words that it goes into."""

from __future__ import annotations

import re

from rich.cells import cell_len

_PAINT = re.compile(r"\x1b\[[0-9;]*m")


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
