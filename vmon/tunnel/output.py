"""Lines that an engine printed, made fit to stand in a message on the user's terminal."""

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


def plain(line: str) -> str:
    """The line without escape sequences and control characters, and without blanks around it."""
    shown = ESCAPES.sub("", line).replace("\t", " ")
    return "".join(character for character in shown if character.isprintable()).strip()
