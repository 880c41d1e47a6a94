"""Sanitize untrusted text for a terminal: the one choke point."""

from __future__ import annotations

import re

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
"""Characters that are printable to Python but blank on a terminal: a name of them is invisible."""


_PLAIN_JSON = re.compile(rb"[ -~\t]*\r?\n?")


_MAYBE_ACTS = re.compile(r"\r(?!\n)|[^ -~\t\r\n]")


_MOST_MARKS = 2
"""The most combining marks in a row: more overlap the lines above and below."""


def disarm(text: str) -> str:
    """Sanitize text to one line that cannot control a terminal or deceive a reader.

    Control characters become their Unicode pictures, everything else that is not printable (C1,
    bidirectional overrides, zero-width characters, lone surrogates, unassigned code points) its
    code point, other spaces a space.
    """
    if text.isascii() and text.isprintable():
        return text
    marks = 0
    out = []
    for char in text:
        marks = marks + 1 if _is_mark(char) else 0
        out.append(_safe(char) if marks <= _MOST_MARKS else "")
    return "".join(out)


def disarm_json(line: bytes) -> bytes:
    """Escape what could control a terminal in JSON; it decodes to the same value."""
    if _PLAIN_JSON.fullmatch(line):
        return line
    return _MAYBE_ACTS.sub(_escaped, line.decode("utf-8", "replace")).encode()


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if _safe(char) in {char, " "}:
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _is_mark(char: str) -> bool:
    if char < "\u0300":
        return False
    from unicodedata import category  # loads a shared library, which `--help` does not need

    return category(char) in {"Mn", "Me"}


def _safe(char: str) -> str:
    if char.isprintable() and char not in _FILLERS and not _selects_a_glyph(char):
        return char
    if char < " ":
        return chr(0x2400 + ord(char))
    if char == "\x7f":
        return "\u2421"
    if char not in "\u2028\u2029" and char.isspace() and char > "\x9f":
        return " "
    return f"‹U+{ord(char):04X}›"


def _selects_a_glyph(char: str) -> bool:
    """Whether it is a variation selector, which changes the character before it and its width."""
    return (
        "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
        or "\u180b" <= char <= "\u180f"
    )
