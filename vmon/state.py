"""What vmon remembers between runs, in the user's state folder: small, and for this user alone."""

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
    """Where it is kept; it need not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("vmon", appauthor=False)


def remembered(name: str) -> list[str]:
    """The lines of what is kept under a name, and none when nothing is; WrongUse, unreadable."""
    path = folder() / name
    try:
        return path.read_text("ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeError) as error:
        raise _cannot("read", path, error) from None


def remember(name: str, lines: list[str]) -> None:
    """Keep lines under a name in place of those before, mode 0600; whole or not at all."""
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
    """The first line kept under a name; made now where there is none yet."""
    if not (lines := remembered(name)):
        lines = [make()]
        remember(name, lines)
        lines = remembered(name)  # of two runs that begin at once, the last writer's stands
    return lines[0]


def _cannot(what: str, path: Path, error: Exception) -> WrongUse:
    said = error.strerror if isinstance(error, OSError) else error
    return WrongUse(f"cannot {what} {path}: {said}", hint="set XDG_STATE_HOME to another folder")


def state_dir() -> Path:
    """The user's state folder for vmon, on Linux ~/.local/state/vmon; it may not exist yet."""
    from platformdirs import user_state_path

    return user_state_path("vmon", appauthor=False)
