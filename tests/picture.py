"""The README's picture, made from real output: `python tests/picture.py` writes .readme/*.svg.

The real `vmon listen` runs on a pseudo-terminal and forwards a small session to an app that fails
once. Once it has reported the session's oddity, what is on the terminal becomes an SVG, for dark
and for light pages. Takes about twenty seconds, and the ports 3000 and 4680.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WIDTH, HEIGHT = 96, 50
ROOT = next(path for path in Path(__file__).parents if (path / "README.md").exists())
FOLDER = ROOT / ".readme"
LISTENER, APP = 4680, 3000
ODDITY = "stream-outlives-connection"
SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
COMMAND = f"vmon listen --forward-to localhost:{APP}/hooks"
DEADLINE_S = 60.0


# The app and the session.


class Hooks(BaseHTTPRequestHandler):
    """An app that fails at the first callback of an archive."""

    failed = False

    def do_POST(self) -> None:
        """Respond 200, but once 500."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fails = body["event"] == "archive" and not Hooks.failed
        Hooks.failed = Hooks.failed or fails
        text = b"KeyError: 'duration'" if fails else b""
        self.send_response(500 if fails else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _bodies() -> Iterator[dict[str, Any]]:
    """Ann and Bob meet; Bob's network breaks off, and the end of his stream is never sent."""
    ann = _connection("5d2451b8", "Ann")
    bob = _connection("e9f8c166", "Bob")
    yield _event("sessionCreated")
    yield _event("connectionCreated", connection=ann)
    yield _event("streamCreated", stream=_stream("63245362", ann, "camera"))
    yield _event("connectionCreated", connection=bob)
    yield _event("streamCreated", stream=_stream("a7f2008d", bob, "screen"))
    yield _archive()
    gone = bob | {"data": ""}
    yield _event("connectionDestroyed", connection=gone, reason="networkDisconnected")


def _now_ms() -> int:
    return int(time.time() * 1000)


def _event(name: str, **more: object) -> dict[str, Any]:
    head = {"sessionId": SESSION, "projectId": "13112571", "event": name, "timestamp": _now_ms()}
    return head | more


def _connection(start: str, name: str) -> dict[str, Any]:
    data = json.dumps({"name": name})
    return {"id": f"{start}-e00e-4834-9dd5-b1a8a4d05c22", "createdAt": _now_ms(), "data": data}


def _stream(start: str, connection: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": f"{start}-2d2e-4ce0-89ff-c2b8e64d6a4b",
        "connection": connection | {"data": ""},
        "createdAt": _now_ms(),
        "name": "",
        "videoType": kind,
    }


def _archive() -> dict[str, Any]:
    return {
        "id": "832641bf-5dbf-41a1-ad94-fea213e59a92",
        "event": "archive",
        "status": "started",
        "name": "Monday's lesson",
        "reason": "",
        "sessionId": SESSION,
        "projectId": 13112571,
        "createdAt": _now_ms(),
        "updatedAt": _now_ms(),
        "duration": 0,
        "size": 0,
        "outputMode": "composed",
        "url": None,
    }


# The recording.


def _wait(what: str, holds: Callable[[], object]) -> None:
    until = time.monotonic() + DEADLINE_S
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"picture.py: {what} within {DEADLINE_S:.0f} s")
        time.sleep(0.05)  # another process: there is nothing to wait on


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def _app() -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", APP), Hooks) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, bytearray]]:
    """A terminal, and what it has shown up to now."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 1 << 16):
                shown.extend(piece)

    threading.Thread(target=read, daemon=True).start()
    yield theirs, shown
    os.close(theirs)


@contextlib.contextmanager
def _listener(home: str, terminal: int) -> Iterator[None]:
    ours = {key: text for key, text in os.environ.items() if not key.startswith(("VMON_", "XDG_"))}
    environment = ours | {"HOME": home, "TERM": "xterm-256color", "TZ": "UTC"}
    environment |= {"PYTHONPATH": str(ROOT), "COLORTERM": "", "LANG": "C.UTF-8"}
    environment.pop("NO_COLOR", None)
    argv = [sys.executable, "-m", "vmon", *COMMAND.split()[1:]]
    with subprocess.Popen(
        argv, cwd=home, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        try:
            _wait("vmon listen did not start", lambda: _is_taken(LISTENER) or _ended(process))
            if _ended(process):
                sys.exit(f"picture.py: vmon listen ended with {process.returncode}")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _ended(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def _record(home: str) -> str:
    """What is on the terminal once the oddity is reported, with its status line."""
    _wait(f"port {LISTENER} did not become free", lambda: not _is_taken(LISTENER))
    _wait(f"port {APP} did not become free", lambda: not _is_taken(APP))
    with _terminal() as (terminal, shown), _app(), _listener(home, terminal):
        for body in _bodies():
            _post(json.dumps(body).encode())
            time.sleep(0.2)  # so that the times of the lines differ
        _wait(f"no oddity {ODDITY} was reported", lambda: ODDITY.encode() in shown)
        time.sleep(1.5)  # the status line is redrawn at least once a second
        text = _screen(bytes(shown))
    for wanted in ("Ann", "Bob", "500", "(attempt 2)", ODDITY):
        if wanted not in text:
            sys.exit(f"picture.py: {wanted!r} is not in the output:\n{text}")
    return text


def _post(body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{LISTENER}/", body, headers)
    urllib.request.urlopen(request, timeout=10).close()


def _screen(shown: bytes) -> str:
    """The text that is left: each line after what erased it."""
    lines = shown.decode().replace("\r\n", "\n").split("\n")
    kept = "\n".join(re.split(r"\r\x1b\[2K", line)[-1].replace("\r", "") for line in lines)
    return re.sub(r"\x1b\[[0-9;?]*[A-Zac-ln-z]", "", kept)  # all but colours


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as home:
        text = Text.from_ansi(f"$ {COMMAND}\n{_record(home)}")
    FOLDER.mkdir(exist_ok=True)
    for name, theme in (("dark", DIMMED_MONOKAI), ("light", DEFAULT_TERMINAL_THEME)):
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        console.print(text)
        svg = console.export_svg(title="vmon listen", theme=theme, unique_id=f"vmon-{name}")
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing is loaded
        (FOLDER / f"listen-{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
