"""The apps of `tests/apps` as processes, and what each framework says of its errors."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

APPS = Path(__file__).parents[1] / "apps"
_STARTS_WITHIN_S = 30.0


class Framework(NamedTuple):
    """A framework: what runs its app, and what vmon makes of its answers.

    `slash` is its status for a path that lacks its slash; `missing` and `broken` its error pages.
    """

    file: str
    slash: int
    missing: str
    broken: str


FRAMEWORKS = (
    Framework("flask_app.py", 308, "404 Not Found", "KeyError: 'no such room'"),
    Framework("fastapi_app.py", 307, '{"detail":"Not Found"}', "Internal Server Error"),
    Framework("express_app.js", 200, "Cannot POST /nowhere", "Error: no such room"),
)


class RunningApp(NamedTuple):
    """An app that listens on a port of `localhost`, of whatever family."""

    framework: Framework
    port: int

    def taken(self) -> list[str]:
        """The paths, with their queries, of what it took."""
        with urllib.request.urlopen(f"http://localhost:{self.port}/taken", timeout=10) as answer:
            found: list[str] = json.load(answer)
        return found


@contextmanager
def running(framework: Framework) -> Iterator[RunningApp]:
    """Run an app; where its framework is not installed the test skips, and says so."""
    command = _command(framework.file)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [*command, str(APPS / framework.file), str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(port, process)
            yield RunningApp(framework, port)
        finally:
            process.kill()


def _command(file: str) -> list[str]:
    if file.endswith(".py"):
        return [sys.executable]
    node = shutil.which("node")
    if node is None or not (APPS / "node_modules/express").is_dir():
        pytest.skip("needs node and Express: npm install --no-save --prefix tests/apps express")
    return [node]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        time.sleep(0.02)  # until it listens, which nobody tells us
    raise AssertionError(f"{process.args!r} does not listen on {port}")
