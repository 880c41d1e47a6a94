"""The README's picture, made from real output: `python tests/picture.py` writes .readme/*.svg.

The real command runs on a pseudo-terminal of 100 columns, is sent a story and some trouble, and
what it draws becomes an SVG, on a dark and on a light ground.
"""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, DIMMED_MONOKAI
from rich.text import Text

WIDTH = 100
FOLDER = Path(__file__).parent.parent / ".readme"
TYPES = (
    "sessionCreated",
    "connectionCreated",
    "streamCreated",
    "streamCreated",
    "callCreated",
    "callUpdated",
    "callDestroyed",
    "streamDestroyed",
    "connectionDestroyed",
    "archive",
    "sessionDestroyed",
)
ODD = (
    b'{"sessionId":"2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr","projectId":13112571,'
    b'"event":"streamDestroyed","reason":"networkDisconnected","stream":{"id":"63245362-e00e",'
    b'"name":"\\u001b[2J harmless","videoType":"screen"}}'
)
TORN = b'{"sessionId":"2_MX4xMzEx'


def _record(home: str) -> str:
    """What the command draws, from its banner to its summary."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
    said = bytearray()
    up = threading.Event()

    def read() -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 1 << 16):
                said.extend(piece)
                if b"try it" in said:
                    up.set()

    threading.Thread(target=read, daemon=True).start()
    environment = os.environ | {"HOME": home, "TERM": "xterm-256color", "TZ": "UTC"}
    environment.pop("XDG_DATA_HOME", None)
    with subprocess.Popen(
        [sys.executable, "-m", "vmon", "listen"], stdout=theirs, stderr=theirs, env=environment
    ) as listener:
        assert up.wait(20), "the listener did not come up"
        trigger = [sys.executable, "-m", "vmon", "trigger", "-q", "--interval", "120ms", *TYPES]
        subprocess.run(trigger, check=True)
        for body in (ODD, TORN):
            urllib.request.urlopen("http://127.0.0.1:4680/hook", body).close()
        listener.send_signal(signal.SIGINT)
        listener.wait(20)
    kept = re.sub(r"[^\n]*\r\x1b\[2K", "", said.decode())  # the foot, taken away again
    return kept.replace("\r\n", "\n").replace("\r", "")


def main() -> None:
    """Write the pictures."""
    with tempfile.TemporaryDirectory() as home:
        drawn = Text.from_ansi("$ vmon listen\n" + _record(home))
    FOLDER.mkdir(exist_ok=True)
    for name, theme in (("dark", DIMMED_MONOKAI), ("light", DEFAULT_TERMINAL_THEME)):
        console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115 - it lives as long as this program
        console.print(drawn)
        svg = console.export_svg(title="vmon listen", theme=theme, unique_id=f"vmon-{name}")
        (FOLDER / f"listen-{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
