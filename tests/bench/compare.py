"""Compare two checkouts of vmon in one run: `python -m tests.bench.compare CHECKOUT [ROUNDS]`.

CHECKOUT is another one, for instance `git worktree add /tmp/before REVISION`. Both run on this
interpreter, in turn; figures are ratios of processor time, this checkout over the other, medians of
pairs. `listen` is processor time per delivery under load, all threads, drawn on a pseudo-terminal
and with -q.
"""

import os
import pty
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.bench import captures, load

HERE = Path(__file__).parents[2]
MEGABYTES = 60
SECONDS = 2.0
COMMANDS = (
    ("--help",),
    ("listen", "--help"),
    ("filter", "--event", "streamCreated", "EMPTY"),
    ("filter", "--event", "streamCreated", "CAPTURE"),
    ("filter", "--fields", "session,reason", "CAPTURE"),
    ("sessions", "--format", "json", "CAPTURE"),
    ("stats", "--format", "json", "CAPTURE"),
    ("oddities", "--format", "json", "CAPTURE"),
)


def main(other: str, rounds: int) -> None:
    """Print a row for each command, and for `listen`."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"EMPTY": f"{folder}/empty.jsonl", "CAPTURE": f"{folder}/capture.jsonl"}
        Path(files["EMPTY"]).touch()
        captures.write(Path(files["CAPTURE"]), MEGABYTES)
        for words in COMMANDS:
            argv = [files.get(word, word) for word in words]
            small = "CAPTURE" not in words
            _row(
                f"vmon {' '.join(words)}",
                lambda argv=argv: _cpu_s(str(HERE), argv),  # type: ignore[misc] # a default of a lambda has no type
                lambda argv=argv: _cpu_s(other, argv),  # type: ignore[misc] # likewise
                rounds * 4 if small else rounds,
            )
        for name, options in (("listen -q", ["-q"]), ("listen, shown", ["--format", "line"])):
            with ExitStack() as stack:
                ours, theirs = (
                    stack.enter_context(_listener(checkout, f"{folder}/{number}.jsonl", options))
                    for number, checkout in enumerate((str(HERE), other))
                )
                _row(f"{name}, CPU per delivery", ours, theirs, rounds)


def _row(what: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> None:
    ours(), theirs()  # a warm-up
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    a, b = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"{what:<46} {statistics.median(ratios):5.2f}  ({spread})  {a:.4g} / {b:.4g}", flush=True)


def _environment(checkout: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": checkout}


def _cpu_s(checkout: str, argv: list[str]) -> float:
    """Seconds of processor time of a command, its output thrown away through a pipe."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "vmon", *argv]
    folder = tempfile.gettempdir()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder,
        env=_environment(checkout), stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip # one thing a line
        while process.stdout and process.stdout.read(1 << 20):
            pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def _listener(checkout: str, capture: str, options: list[str]) -> Iterator[Callable[[], float]]:
    """What loads a listener: microseconds of its processor time per delivery, all threads."""
    ours, theirs = pty.openpty()
    threading.Thread(target=_read_all, args=(ours,), daemon=True).start()
    argv = [sys.executable, "-m", "vmon", "listen", "--port", "0", "--capture", capture, *options]
    with subprocess.Popen(
        argv, stdout=theirs, stderr=subprocess.PIPE, text=True, env=_environment(checkout)
    ) as process:
        lines = iter(process.stderr or ())
        ready = next(line for line in lines if line.startswith("ready"))
        threading.Thread(target=_read_lines, args=(lines,), daemon=True).start()
        port = re.findall(r"local=http://127\.0\.0\.1:(\d+)", ready)[0]

        def measure() -> float:
            before = _cpu_ns(process.pid)
            rate = load.run("127.0.0.1", int(port), 16, SECONDS)
            time.sleep(1.0)  # what waits to be shown costs too
            return (_cpu_ns(process.pid) - before) / (rate * SECONDS) / 1000

        yield measure
        process.send_signal(signal.SIGINT)
    os.close(theirs)


def _cpu_ns(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())


def _read_lines(lines: Iterator[str]) -> None:
    with suppress(ValueError):  # the process has ended, and its pipe is closed
        for _ in lines:
            pass


def _read_all(fd: int) -> None:
    try:
        while os.read(fd, 1 << 16):
            pass
    except OSError:
        pass


if __name__ == "__main__":
    main(str(Path(sys.argv[1]).resolve()), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
