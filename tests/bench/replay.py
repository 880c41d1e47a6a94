"""`vmon replay --to` at full speed against a bare aiohttp client loop, same server, same width.

vmon reads a capture, keeps the order within each session and counts outcomes; the loop posts
bodies from memory. Only the sending is timed on both sides (start-up has its own suite).
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import captures
from tests.bench.receiver import bare_aiohttp, on_processor
from tests.bench.table import Row, interleaved

HERE = Path(__file__).parent
WIDTH = 16
ROUNDS = 7


def rows() -> Iterator[Row]:
    """The ratio."""
    with tempfile.TemporaryDirectory() as folder, bare_aiohttp() as ready:
        url = re.findall(r"http://[\d.]+:\d+", ready)[0]
        capture, bodies = Path(folder, "capture.jsonl"), Path(folder, "bodies.jsonl")
        lines = captures.write(capture, 20)
        captures.write(bodies, 9, bare=True)
        ours = [sys.executable, "-m", "vmon", "replay", str(capture), "--to", url, "-q"]
        ours += ["--speed", "max", "--concurrency", str(WIDTH)]
        theirs = [sys.executable, str(HERE / "bare_client.py"), url, str(WIDTH), str(bodies)]

        def vmon() -> float:
            done = subprocess.run(on_processor(1, ours), check=True, capture_output=True, text=True)
            return lines / _seconds(str(done.stderr))

        def bare() -> float:
            done = subprocess.run(
                on_processor(1, theirs), check=True, capture_output=True, text=True
            )
            return float(done.stdout)

        a, b, ratio = interleaved(vmon, bare, ROUNDS)
        what = "replay --to, order kept / bare aiohttp client loop"
        yield Row(what, ratio, 0.9, at_least=True, detail=f"{a:,.0f}/s / {b:,.0f}/s")


def _seconds(said: str) -> float:
    number, unit = re.findall(r"in ([\d.]+) (ms|s)\b", said)[0]
    return float(number) / (1000 if unit == "ms" else 1)
