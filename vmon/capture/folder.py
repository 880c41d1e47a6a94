"""The captures folder, and the selection of input files."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from vmon.capture.format import CAPTURE_SUFFIXES
from vmon.capture.inputs import source_name, stdin_fd
from vmon.errors import WrongUse, unreadable
from vmon.locks import is_in_use
from vmon.stderr import say

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def default_folder() -> Path:
    """Return the default captures folder."""
    from platformdirs import user_data_path

    return user_data_path("vmon", appauthor=False) / "captures"


def default_path(now: datetime) -> Path:
    """Create the capture file of a run that starts now; runs in one second get different files."""
    stem = now.astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    candidates = (
        default_folder() / f"{stem}{n}.jsonl" for n in ("", *(f"-{i}" for i in range(1, 99)))
    )
    return next(path for path in candidates if _claim(path))


def _claim(path: Path) -> bool:
    """Create a file unless it exists; any other error is reported when it is opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def newest() -> Path | None:
    """Return the most recently written capture in the default folder, or None.

    An empty one counts only while it is being written: a run that ended or was killed before it
    received anything is ignored. WrongUse where the folder cannot be read.
    """
    files = files_in(default_folder(), CAPTURE_SUFFIXES)
    ordered = sorted(files, key=lambda file: file[1].st_mtime_ns, reverse=True)
    return next((path for path, status in ordered if status.st_size or is_in_use(path)), None)


def last_filled(empty: str) -> Path | None:
    """The last capture with deliveries, for an empty one in the default folder.

    None where it is not empty or not there, or where there is no other.
    """
    from pathlib import Path

    path, found = Path(empty), default_folder()
    try:
        if path.parent != found or path.stat().st_size:
            return None
    except OSError:
        return None
    filled = [
        (one.st_mtime_ns, other) for other, one in files_in(found, CAPTURE_SUFFIXES) if one.st_size
    ]
    return max(filled)[1] if filled else None


def files_in(folder: Path, suffixes: str | tuple[str, ...]) -> list[tuple[Path, os.stat_result]]:
    """List the files of a folder with these suffixes, by name; empty where there is no folder.

    WrongUse where the folder, or every one of these files, is inaccessible.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(suffixes))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(str(folder), error) from None
    found, refused = [], None
    for path in (folder / name for name in names):
        try:
            status = path.stat()
        except PermissionError as error:
            refused = unreadable(str(path), error)
        except OSError:  # renamed or removed meanwhile, or a dangling link
            continue
        else:
            if stat.S_ISREG(status.st_mode):
                found.append((path, status))
    if refused and not found:
        raise refused
    return found


def closed_segments(capture: Path) -> dict[int, Path]:
    """Return the closed segments of a capture by number; the plain one where both forms exist."""
    stem = re.escape(capture.name.removesuffix(".jsonl"))
    pattern = re.compile(rf"{stem}\.([0-9]+)\.jsonl(\.gz)?")
    segments = {}
    with contextlib.suppress(FileNotFoundError):
        for path in sorted(capture.parent.iterdir(), reverse=True):
            if match := pattern.fullmatch(path.name):
                segments[int(match[1])] = path
    return segments


def capture_of(path: Path) -> Path:
    """Return the capture that a closed segment belongs to; any other path unchanged."""
    match = re.fullmatch(r"(.+)\.[0-9]+\.jsonl(\.gz)?", path.name)
    return path.with_name(f"{match[1]}.jsonl") if match else path


_PATIENCE_S = 1.0
"""The wait for a first byte: after it a pipe is reported as idle, and a socket is not read."""


def sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """Resolve the named sources (`-` is standard input: None), else choose the default one.

    WrongUse where a source is the file that standard output is appended to.
    """
    sources = _sources_of(files)
    for source in sources:
        if _is_output(source):
            raise WrongUse(
                f"{source_name(source)} is both input and output", hint="write to another file"
            )
    return sources


def _is_output(source: str | None) -> bool:
    """Whether a source is the file of standard output: reading it would never end."""
    try:
        out = os.fstat(1)
        if not stat.S_ISREG(out.st_mode):
            return False
        read = os.fstat(stdin_fd()) if source is None else os.stat(source)  # noqa: PTH116 - pathlib costs 5 ms
    except OSError:
        return False
    return os.path.samestat(out, read)


def _sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """Resolve the sources, without a check.

    The default is standard input where it is a file, a pipe, or a socket with data; where it is a
    terminal, a device such as /dev/null, or closed, it is the newest capture.
    """
    if files:
        return tuple(source for name in files for source in _named(name))
    mode = _mode_of_stdin()
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        _warn_if_idle()
        return (None,)
    is_socket = stat.S_ISSOCK(mode)
    if is_socket and _has_input():
        return (None,)
    found = _newest()
    if is_socket:
        say(f"no data on standard input: reading {found} (use - to wait for data)")
    return (found,)


def _mode_of_stdin() -> int:
    """Return the st_mode of standard input; 0 where there is none."""
    try:
        return os.fstat(stdin_fd()).st_mode
    except OSError:
        return 0


def _has_input() -> bool:
    """Whether standard input has data, or ends, within a moment."""
    import select

    return bool(select.select([stdin_fd()], [], [], _PATIENCE_S)[0])


def _warn_if_idle() -> None:
    """Report on a terminal that vmon is waiting for a pipe, which looks like hanging."""
    if sys.platform == "win32" or not (sys.stderr and sys.stderr.isatty()):
        return  # select takes only sockets there
    if not _has_input():
        say(
            "waiting for standard input\n"
            f"hint: to read the newest capture instead, add <{os.devnull}"
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
    """Resolve a name to sources: standard input, a file, or the captures in a folder."""
    if name == "-":
        return (None,)
    if not os.path.lexists(name):
        _reject_type_or_url(name)
    if not os.path.isdir(name):  # noqa: PTH112 - pathlib costs 5 ms
        return (name,)
    found = captures_in(name)
    if not found:
        raise WrongUse(
            f"no captures in {name}", hint="captures are named *.jsonl, *.jsonl.gz or *.jsonl.zst"
        )
    return tuple(found)


def _reject_type_or_url(name: str) -> None:
    """WrongUse where what is named as a file is an event type, a glob of them, or a URL."""
    from vmon.events.catalogue import NAMES

    if re.match(r"https?://", name):
        raise WrongUse(
            f"{name} is a URL, not a file", hint=f"vmon replay sends to a URL with --to {name}"
        )
    from fnmatch import fnmatchcase

    if any(fnmatchcase(known.lower(), name.lower()) for known in NAMES):
        quoted = f"'{name}'" if "*" in name else name
        raise WrongUse(f"there is no file {name}", hint=f"did you mean --event {quoted}?")


def captures_in(folder: str) -> list[str]:
    """List the captures in a folder, by name; only the plain one where it is compressed as well."""
    try:
        names = {name for name in os.listdir(folder) if name.endswith(CAPTURE_SUFFIXES)}  # noqa: PTH208 - likewise
    except OSError as error:
        raise unreadable(folder, error) from None
    plain = {name for name in names if name.endswith(CAPTURE_SUFFIXES[0])}
    compressed = {name for name in names - plain if name.rpartition(".")[0] not in plain}
    return [os.path.join(folder, name) for name in sorted(plain | compressed)]  # noqa: PTH118 - likewise
