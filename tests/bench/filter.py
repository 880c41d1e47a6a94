"""`vmon filter` by type on a capture of 320 MB, into a pipe, against ripgrep and jq on the same.

All three must find the same: their outputs are compared before anything is timed.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench import captures
from tests.bench.table import Row, interleaved, timed

MEGABYTES = 320
TYPE = "streamCreated"


def rows() -> Iterator[Row]:
    """The ratios."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "capture.jsonl")
        lines = captures.write(capture, MEGABYTES)
        vmon = str(Path(sys.executable).with_name("vmon"))
        ours = [vmon, "filter", "--event", TYPE, str(capture)]
        rg = ["rg", "--no-line-number", "--fixed-strings", f'"type":"{TYPE}"', str(capture)]
        jq = ["jq", "-c", f'select(.type=="{TYPE}")', str(capture)]
        print(f"  {lines:,} lines, {capture.stat().st_size / 1e6:.0f} MB")
        for what, theirs, bound, at_least, rounds in (
            ("time of vmon filter --event / time of ripgrep", rg, 2.2, False, 15),
            ("time of jq / time of vmon filter --event", jq, 28.0, True, 3),
        ):
            if not shutil.which(theirs[0]):
                print(f"  left out: {theirs[0]} is not installed")
                continue
            assert _digest(ours) == _digest(theirs), "they do not find the same"
            a, b, ratio = interleaved(partial(timed, ours), partial(timed, theirs), rounds)
            detail = f"vmon {a * 1000:.0f} ms, {theirs[0]} {b * 1000:.0f} ms"
            yield Row(what, 1 / ratio if at_least else ratio, bound, at_least, detail)


def _digest(argv: list[str]) -> str:
    return hashlib.sha256(subprocess.run(argv, check=True, capture_output=True).stdout).hexdigest()
