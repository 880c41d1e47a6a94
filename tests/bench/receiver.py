"""The whole of `vmon listen` against a bare aiohttp application that reads the body and answers.

vmon captures every delivery before its answer, decodes it and draws it on a pseudo-terminal whose
other end is read all the time. Servers have one processor to themselves, the load the other.
"""

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.table import Row, interleaved

HERE = Path(__file__).parent
SECONDS = 2
ROUNDS = 7


def rows() -> Iterator[Row]:
    """The ratios."""
    with tempfile.TemporaryDirectory() as folder, bare_aiohttp() as bare:
        capture = ["--capture", f"{folder}/capture.jsonl"]
        with _vmon([*capture, "--format", "line"]) as ours:
            yield _row("listen, drawn on a terminal / bare aiohttp", ours, bare, 1.0)
        with _vmon([*capture, "-q"]) as ours:
            yield _row("listen -q (captured) / bare aiohttp", ours, bare, 1.0)


def _row(what: str, ours: str, theirs: str, bound: float) -> Row:
    for url in (ours, theirs):
        _rate(url)  # a warm-up
    a, b, ratio = interleaved(lambda: _rate(ours), lambda: _rate(theirs), ROUNDS)
    return Row(what, ratio, bound, at_least=True, detail=f"{a:,.0f}/s / {b:,.0f}/s")


def _rate(url: str) -> float:
    host, port = re.findall(r"http://([\d.]+):(\d+)", url)[0]
    load = [sys.executable, str(HERE / "load.py"), host, port, "16", str(SECONDS)]
    return float(subprocess.run(on_processor(1, load), check=True, capture_output=True).stdout)


def on_processor(processor: int, argv: list[str]) -> list[str]:
    """The command, on a processor of its own where there are two and that can be asked for."""
    usable = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1
    return ["taskset", "-c", str(processor), *argv] if usable else argv


@contextmanager
def bare_aiohttp() -> Iterator[str]:
    argv = on_processor(0, [sys.executable, str(HERE / "bare_server.py")])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield next(iter(process.stdout or ()))
        process.kill()


@contextmanager
def _vmon(options: list[str]) -> Iterator[str]:
    ours, theirs = pty.openpty()
    threading.Thread(target=_read_all, args=(ours,), daemon=True).start()
    argv = on_processor(0, [sys.executable, "-m", "vmon", "listen", "--port", "0", *options])
    with subprocess.Popen(argv, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
        said = iter(process.stderr or ())
        yield next(line for line in said if line.startswith("ready"))
        process.send_signal(signal.SIGINT)
        told = "".join(said)
        seen, undrawn = (
            re.findall(r"([\d,]+) deliver", told),
            re.findall(r"not shown +([\d,]+)", told),
        )
        print(f"  of {seen[0]} deliveries, not shown: {undrawn[0] if undrawn else 0}")
    os.close(theirs)


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:
        pass
