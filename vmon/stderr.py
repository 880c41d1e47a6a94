"""Sentences for a person on standard error: folded at words to the width of a terminal."""

from __future__ import annotations

import os
import sys

from vmon.sanitize import disarm

_NARROWEST = 20


def say(text: str) -> None:
    """Write lines to standard error, disarmed; on a terminal a long one is folded at words."""
    room = _terminal_width()
    lines = [disarm(line) for line in text.split("\n")]
    rows = lines if room is None else [row for line in lines for row in _folded(line, room)]
    sys.stderr.write("\n".join(rows) + "\n")


def _terminal_width() -> int | None:
    """The columns of the terminal that standard error is; None where it is none."""
    if not sys.stderr.isatty():
        return None
    wanted = os.environ.get("COLUMNS", "")
    try:
        columns = int(wanted) if wanted.isdecimal() else 0
        columns = columns or os.get_terminal_size(sys.stderr.fileno()).columns
    except (ValueError, OSError):
        return None
    return max(columns, _NARROWEST) if columns else None


def _folded(line: str, room: int) -> list[str]:
    if len(line) <= room:
        return [line]
    from textwrap import wrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(
        line, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [line]
