"""Deliveries a second into the session book against decoding alone, and what the book takes.

All read the same lines of a generated busy day, and take turns over short pieces of it; counted is
the time of the processor, which others use too.
"""

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from tests.bench.table import Row
from tests.support.busy_day import Day
from vmon.capture.codec import read_line
from vmon.sessions.store import SessionStore

SESSIONS, EVENTS = 10_000, 1_000_000
PIECE = 10_000


def rows() -> Iterator[Row]:
    """The ratios, and the memory of a process that has entered the day as `listen` does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.jsonl")
        write(path)
        print(f"  {EVENTS:,} events of {SESSIONS:,} sessions, {path.stat().st_size / 1e6:.0f} MB")
        yield from _speeds(path)
        argv = [sys.executable, "-m", "tests.bench.book", str(path)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        detail = "at most resident, with all sessions still remembered"
        yield Row("MB of a book of the day", float(done.stdout), 300, at_least=False, detail=detail)


def write(path: Path) -> None:
    """Write the day as a capture; it takes a minute."""
    with path.open("wb", buffering=1 << 20) as file:
        for line in Day(SESSIONS, EVENTS).lines():
            file.write(line)


def _speeds(path: Path) -> Iterator[Row]:
    book, second, took = SessionStore(), SessionStore(), []
    gc.disable()  # as the reading commands do
    with path.open("rb") as file:
        while piece := list(islice(file, PIECE)):
            took.append((_decode(piece), _enter(piece, book), _decode_and_enter(piece, second)))
    gc.enable()
    for number, more in enumerate(("", ", and decoded in full too"), 1):
        ratio = median(each[0] / each[number] for each in took)
        ours, theirs = (PIECE / median(each[at] for each in took) for at in (number, 0))
        detail = f"{ours:,.0f}/s / {theirs:,.0f}/s"
        what = f"into the book{more} / decoded alone"
        yield Row(what, ratio, 0.5, at_least=True, detail=detail)


def _decode(lines: list[bytes]) -> float:
    begun = time.process_time()
    for line in lines:
        read_line(line).event  # noqa: B018 - it decodes
    return time.process_time() - begun


def _enter(lines: list[bytes], book: SessionStore) -> float:
    begun = time.process_time()
    for line in lines:
        book.apply(read_line(line))
    return time.process_time() - begun


def _decode_and_enter(lines: list[bytes], book: SessionStore) -> float:
    begun = time.process_time()
    for line in lines:
        entry = read_line(line)
        entry.event  # noqa: B018 - as where it is drawn as well
        book.apply(entry)
    return time.process_time() - begun


def _megabytes(path: str) -> float:
    book = SessionStore(on_forgotten=list[str]().append)
    with Path(path).open("rb") as file:
        for line in file:
            book.apply(read_line(line))
    # Not getrusage: its peak is that of the process that started this one, if that was higher.
    said = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in said)
    return int(status["VmHWM"].split()[0]) / 1000


if __name__ == "__main__":
    print(_megabytes(sys.argv[1]))
