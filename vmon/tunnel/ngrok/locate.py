"""Locate the ngrok agent's program."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vmon.tunnel.model import CannotTunnel

INSTALL = "run vmon tunnel install, or install ngrok from https://ngrok.com/download"


def find_agent(given: Path | None = None) -> Path:
    """Find the agent: the given path, else PYNGROK_NGROK_PATH, PATH, the path vmon installs it to.

    CannotTunnel if there is none. pyngrok's own script on PATH is skipped.
    """
    if given is not None:
        if is_agent(given):
            return given.absolute()
        raise CannotTunnel(
            f"{given} is not an ngrok agent", code="NOT_FOUND", hint=INSTALL, fatal=True
        )
    for path in _candidates():
        if is_agent(path):
            return path.absolute()
    raise CannotTunnel(
        "the ngrok agent is not installed", code="NOT_FOUND", hint=INSTALL, fatal=True
    )


def is_agent(path: Path) -> bool:
    """Whether a path is executable and not the script `ngrok` that `pip install pyngrok` adds."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as file:
            return b"from pyngrok" not in file.read(1024)
    except OSError:
        return True


def _candidates() -> Iterator[Path]:
    if path := os.environ.get("PYNGROK_NGROK_PATH"):
        yield Path(path)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder:
            yield Path(folder, program())
    yield install_path()


def install_path() -> Path:
    """The path vmon installs the agent to: beside ngrok's configuration."""
    from pyngrok import installer

    return Path(installer.get_default_ngrok_dir()) / program()


def program() -> str:
    """The file name of the agent."""
    return "ngrok.exe" if sys.platform == "win32" else "ngrok"
