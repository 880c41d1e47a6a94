"""Which files a reading command reads: those named, standard input, or the newest capture."""

from __future__ import annotations

import sys

from vmon.capture import default_folder, newest
from vmon.errors import WrongUse


def sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """The sources that were named (`-` is standard input: None), else the one that is meant."""
    if files:
        return tuple(None if name == "-" else name for name in files)
    if not sys.stdin.isatty():
        return (None,)
    found = newest()
    if found is None:
        raise WrongUse(
            f"there is no capture in {default_folder()} yet",
            hint="name a file, or make a capture with vmon listen",
        )
    return (str(found),)
