"""Which files a reading command reads: those named, standard input, or the newest capture."""

from __future__ import annotations

import os
import sys

from vmon.capture import CAPTURE_SUFFIXES, default_folder, newest
from vmon.errors import WrongUse


def sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """The sources that were named (`-` is standard input: None), else the one that is meant."""
    if files:
        return tuple(one for name in files for one in _named(name))
    if not sys.stdin.isatty():
        return (None,)
    found = newest()
    if found is None:
        raise WrongUse(
            f"no captures in {default_folder()}",
            hint="pass a file, or capture events with vmon listen",
        )
    return (str(found),)


def _named(name: str) -> tuple[str | None, ...]:
    """The sources of a name: standard input, a file, or the captures in a folder."""
    if name == "-":
        return (None,)
    if not os.path.isdir(name):  # noqa: PTH112 - pathlib costs 5 ms
        return (name,)
    found = captures_in(name)
    if not found:
        raise WrongUse(
            f"no captures in {name}", hint="captures are named *.jsonl, *.jsonl.gz or *.jsonl.zst"
        )
    return tuple(found)


def captures_in(folder: str) -> list[str]:
    """The captures in a folder, by name; one that is there plain and compressed is read once."""
    names = {name for name in os.listdir(folder) if name.endswith(CAPTURE_SUFFIXES)}  # noqa: PTH208 - likewise
    plain = {name for name in names if name.endswith(CAPTURE_SUFFIXES[0])}
    packed = {name for name in names - plain if name.rpartition(".")[0] not in plain}
    return [os.path.join(folder, name) for name in sorted(plain | packed)]  # noqa: PTH118 - likewise
