"""Sanitize the output of an engine, for messages on the terminal."""

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


def plain(line: str) -> str:
    """Remove escape sequences, control characters and surrounding whitespace from a line."""
    shown = ESCAPES.sub("", line).replace("\t", " ")
    return "".join(character for character in shown if character.isprintable()).strip()
