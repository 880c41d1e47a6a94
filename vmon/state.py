"""State kept between runs, in the user's state folder: small, private files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vmon.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def folder() -> Path:
    """Return the state folder; it may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("vmon", appauthor=False)


def remembered(name: str) -> list[str]:
    """Read the lines stored under a name, empty where there are none; WrongUse, unreadable."""
    path = folder() / name
    try:
        return path.read_text("ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise _cannot("read", path, error) from None


def remember(name: str, lines: list[str]) -> None:
    """Store lines under a name, replacing older ones atomically; mode 0600."""
    path = folder() / name
    fresh = path.with_name(f".{name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write("".join(f"{line}\n" for line in lines))
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise _cannot("write", path, error) from None


def made_once(name: str, make: Callable[[], str]) -> str:
    """Read the first line stored under a name; created by `make` where there is none yet."""
    if not (lines := remembered(name)):
        lines = [make()]
        remember(name, lines)
        lines = remembered(name)  # of two runs that start at once, the last writer wins
    return lines[0]


def _cannot(what: str, path: Path, error: Exception) -> WrongUse:
    reason = error.strerror if isinstance(error, OSError) else error
    return WrongUse(f"cannot {what} {path}: {reason}", hint="set XDG_STATE_HOME to another folder")


def state_dir() -> Path:
    """The user's state folder for vmon, on Linux ~/.local/state/vmon; it may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("vmon", appauthor=False)
