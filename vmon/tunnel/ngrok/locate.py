"""The ngrok agent's program: where it is on this machine."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vmon.tunnel.model import CannotTunnel

INSTALL = "run vmon tunnel install, or install ngrok from https://ngrok.com/download"


def find_agent(given: Path | None = None) -> Path:
    """The agent: the given one, else PYNGROK_NGROK_PATH, PATH, the place vmon installs it.

    CannotTunnel if there is none. PATH may hold pyngrok's own script, which is passed over.
    """
    if given is not None:
        if is_agent(given):
            return given.absolute()
        raise CannotTunnel(
            f"{given} is not an ngrok agent", code="NOT_FOUND", hint=INSTALL, fatal=True
        )
    for path in _places():
        if is_agent(path):
            return path.absolute()
    raise CannotTunnel(
        "the ngrok agent is not installed", code="NOT_FOUND", hint=INSTALL, fatal=True
    )


def is_agent(path: Path) -> bool:
    """Whether this can be run and is not the script that `pip install pyngrok` names ngrok."""
    if not path.is_file() or not os.access(path, os.X_OK):
        return False
    try:
        with path.open("rb") as file:
            return b"from pyngrok" not in file.read(1024)
    except OSError:
        return True


def _places() -> Iterator[Path]:
    if told := os.environ.get("PYNGROK_NGROK_PATH"):
        yield Path(told)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if folder:
            yield Path(folder, program())
    yield install_path()


def install_path() -> Path:
    """Where vmon installs the agent: where ngrok's own tools look for their configuration."""
    from pyngrok import installer

    return Path(installer.get_default_ngrok_dir()) / program()


def program() -> str:
    """The agent's name as a file."""
    return "ngrok.exe" if sys.platform == "win32" else "ngrok"
