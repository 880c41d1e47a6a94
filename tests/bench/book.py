"""Deliveries a second into the session book against decoding alone, and what the book takes.

Both read the same lines of a generated busy day; the book enters each of them as well. They take
turns over short pieces of the day, because the machine has other things to do.
"""

import gc
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

from tests.bench.table import Row
from tests.day import Day
from vmon.book import Book
from vmon.line import read_line

SESSIONS, EVENTS = 10_000, 1_000_000
PIECE = 10_000


def rows() -> Iterator[Row]:
    """The ratio, and the memory of a process that has entered the day as `listen` does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.jsonl")
        write(path)
        print(f"  {EVENTS:,} events of {SESSIONS:,} sessions, {path.stat().st_size / 1e6:.0f} MB")
        yield _speed(path)
        argv = [sys.executable, "-m", "tests.bench.book", str(path)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
        detail = "resident at most, all sessions still remembered"
        yield Row("MB of a book of the day", float(done.stdout), 300, at_least=False, detail=detail)


def write(path: Path) -> None:
    """Write the day as a capture; it takes a minute."""
    with path.open("wb", buffering=1 << 20) as file:
        for line in Day(SESSIONS, EVENTS).lines():
            file.write(line)


def _speed(path: Path) -> Row:
    book, decoded, entered, ratios = Book(), 0.0, 0.0, []
    gc.disable()  # as the reading commands do
    with path.open("rb") as file:
        while piece := list(islice(file, PIECE)):
            alone_s, both_s = _decode(piece), _enter(piece, book)
            decoded, entered = decoded + alone_s, entered + both_s
            ratios.append(alone_s / both_s)
    gc.enable()
    lines = len(ratios) * PIECE
    detail = f"{lines / entered:,.0f}/s / {lines / decoded:,.0f}/s"
    what = "deliveries into the book / decoded alone"
    return Row(what, median(ratios), 0.5, at_least=True, detail=detail)


def _decode(lines: list[bytes]) -> float:
    begun = time.perf_counter()
    for line in lines:
        read_line(line).event  # noqa: B018 - it decodes
    return time.perf_counter() - begun


def _enter(lines: list[bytes], book: Book) -> float:
    begun = time.perf_counter()
    for line in lines:
        entry = read_line(line)
        entry.event  # noqa: B018 - copies too, though the book need not
        book.apply(entry)
    return time.perf_counter() - begun


def _megabytes(path: str) -> float:
    book = Book(forgets=True)
    with Path(path).open("rb") as file:
        for line in file:
            book.apply(read_line(line))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    print(_megabytes(sys.argv[1]))
