"""Where captures are kept, and which files are meant."""

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

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def default_folder() -> Path:
    """Where captures are kept unless told otherwise."""
    from platformdirs import user_data_path

    return user_data_path("vmon", appauthor=False) / "captures"


def default_path(now: datetime) -> Path:
    """The capture file of a run that starts now, made; no two runs of a second share one."""
    stem = now.astimezone().strftime("%Y-%m-%dT%H-%M-%S")
    candidates = (
        default_folder() / f"{stem}{n}.jsonl" for n in ("", *(f"-{i}" for i in range(1, 99)))
    )
    return next(path for path in candidates if _claim(path))


def _claim(path: Path) -> bool:
    """Make the file, unless it is there; what cannot be made is told when it is opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def newest() -> Path | None:
    """The capture written to last in the default folder, or None.

    An empty one counts while it is being written: a run that received nothing, and is over or was
    killed, hides none. WrongUse where the folder cannot be read.
    """
    found = files_in(default_folder(), CAPTURE_SUFFIXES)
    ordered = sorted(found, key=lambda one: one[1].st_mtime_ns, reverse=True)
    return next((path for path, one in ordered if one.st_size or is_in_use(path)), None)


def last_filled(empty: str) -> Path | None:
    """The capture with deliveries written to last, for one that is in the default folder and empty.

    None where it is not so, or where there is no other.
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
    """The files of a folder whose names end so, by name; none where there is no folder.

    WrongUse where the folder, or all that it has of these, cannot be looked at.
    """
    try:
        names = sorted(one.name for one in folder.iterdir() if one.name.endswith(suffixes))
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
        except OSError:  # put aside or removed meanwhile, or a link to nothing
            continue
        else:
            if stat.S_ISREG(status.st_mode):
                found.append((path, status))
    if refused and not found:
        raise refused
    return found


def closed_segments(capture: Path) -> dict[int, Path]:
    """The full files of a capture by their number; of two twins the plain one."""
    stem = re.escape(capture.name.removesuffix(".jsonl"))
    pattern = re.compile(rf"{stem}\.([0-9]+)\.jsonl(\.gz)?")
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for one in sorted(capture.parent.iterdir(), reverse=True):
            if match := pattern.fullmatch(one.name):
                found[int(match[1])] = one
    return found


def capture_of(path: Path) -> Path:
    """The capture that a full file was put aside from; a capture itself as it is."""
    match = re.fullmatch(r"(.+)\.[0-9]+\.jsonl(\.gz)?", path.name)
    return path.with_name(f"{match[1]}.jsonl") if match else path


_PATIENCE_S = 1.0
"""How long a first byte may take: then a pipe is said to be idle, and a socket is not read."""


def sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """The sources that were named (`-` is standard input: None), else the one that is meant.

    WrongUse where one of them is the file that is written to.
    """
    sources = _sources_of(files)
    for source in sources:
        if _is_output(source):
            raise WrongUse(
                f"{source_name(source)} is both input and output", hint="write to another file"
            )
    return sources


def _is_output(source: str | None) -> bool:
    """Whether a source is the file that standard output goes to: reading it would never end."""
    try:
        out = os.fstat(1)
        if not stat.S_ISREG(out.st_mode):
            return False
        read = os.fstat(stdin_fd()) if source is None else os.stat(source)  # noqa: PTH116 - pathlib costs 5 ms
    except OSError:
        return False
    return os.path.samestat(out, read)


def _sources_of(files: tuple[str, ...]) -> tuple[str | None, ...]:
    """The same, whatever they are.

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
