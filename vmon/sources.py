"""Which files a reading command reads: those named, standard input, or the newest capture."""

from __future__ import annotations

import os
import stat
import sys

from vmon.capture.inputs import stdin_fd
from vmon.capture.writer import CAPTURE_SUFFIXES, default_folder, newest
from vmon.errors import WrongUse, unreadable

_PATIENCE_S = 1.0
"""How long a first byte may take: then a pipe is said to be idle, and a socket is not read."""


def sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """The sources that were named (`-` is standard input: None), else the one that is meant.

    Unnamed, standard input is meant where it is a file, a pipe, or a socket on which something
    comes; where it is a terminal, a device such as /dev/null, or closed, the newest capture is.
    """
    if files:
        return tuple(one for name in files for one in _named(name))
    mode = _mode_of_stdin()
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        _warn_if_idle()
        return (None,)
    is_socket = stat.S_ISSOCK(mode)
    if is_socket and _has_input():
        return (None,)
    found = _newest()
    if is_socket:
        sys.stderr.write(f"no data on standard input: reading {found} (use - to wait for data)\n")
    return (found,)


def _mode_of_stdin() -> int:
    """What kind of file standard input is, as stat has it; 0 where there is none."""
    try:
        return os.fstat(stdin_fd()).st_mode
    except OSError:
        return 0


def _has_input() -> bool:
    """Whether standard input has data, or ends, within a moment."""
    import select

    return bool(select.select([stdin_fd()], [], [], _PATIENCE_S)[0])


def _warn_if_idle() -> None:
    """Say on a terminal that this waits for a pipe: else it would look like hanging."""
    if sys.platform == "win32" or not (sys.stderr and sys.stderr.isatty()):
        return  # there, only sockets can be asked
    if not _has_input():
        sys.stderr.write(
            "waiting for standard input\n"
            f"hint: to read the newest capture instead, add <{os.devnull}\n"
        )


def _newest() -> str:
    found = newest()
    if found is None:
        raise WrongUse(
            f"no captures in {default_folder()}",
            hint="pass a file, or capture events with vmon listen",
        )
    return str(found)


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
    try:
        names = {name for name in os.listdir(folder) if name.endswith(CAPTURE_SUFFIXES)}  # noqa: PTH208 - likewise
    except OSError as error:
        raise unreadable(folder, error) from None
    plain = {name for name in names if name.endswith(CAPTURE_SUFFIXES[0])}
    packed = {name for name in names - plain if name.rpartition(".")[0] not in plain}
    return [os.path.join(folder, name) for name in sorted(plain | packed)]  # noqa: PTH118 - likewise
