"""`vmon filter` on 320 MB, into a pipe, against ripgrep and jq on the same.

A capture by type, session, id, time and expression; bare bodies by type. All must find the same:
their outputs are compared before anything is timed.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.bench import captures
from tests.bench.table import Row, interleaved, timed

MEGABYTES = 320
TYPE = "streamCreated"
SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY0"  # the beginning of one in sixteen
SINCE = "2026-11-24T12:00:00.000000Z"  # the last twentieth


class _Case(NamedTuple):
    """Options of ours, what others are asked, on a capture or on bare bodies, and the bound."""

    what: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    bound: float
    rounds: int = 3
    bare: bool = False


def _jq(condition: str) -> tuple[str, ...]:
    return ("jq", "-c", f"select({condition})")


_CASES = (
    _Case(
        "--event",
        ("--event", TYPE),
        ("rg", "--no-line-number", "--fixed-strings", f'"type":"{TYPE}"'),
        2.2,
        15,
    ),
    _Case("--event", ("--event", TYPE), _jq(f'.type=="{TYPE}"'), 28.0),
    _Case("--session", ("--session", SESSION), _jq(f'.session|startswith("{SESSION}")'), 15.0),
    _Case("--archive", ("--archive", "832641bf-"), _jq('.type=="archive"'), 15.0),
    _Case("--since", ("--since", SINCE), _jq(f'.received_at>="{SINCE}"'), 15.0),
    _Case(
        "--where",
        ("--where", 'stream.videoType == "camera" && reason != "x"'),
        _jq('.body|(.stream.videoType?=="camera" and has("reason") and .reason!="x")'),
        4.0,
    ),
    _Case("--event, bare bodies", ("--event", TYPE), _jq(f'.event=="{TYPE}"'), 12.0, bare=True),
)


def rows() -> Iterator[Row]:
    """The ratios."""
    with tempfile.TemporaryDirectory() as folder:
        files = {bare: Path(folder, f"{bare}.jsonl") for bare in (False, True)}
        for bare, path in files.items():
            lines = captures.write(path, MEGABYTES, bare=bare)
            print(f"  {lines:,} lines, {path.stat().st_size / 1e6:.0f} MB, bare bodies: {bare}")
        for case in _CASES:
            if shutil.which(case.theirs[0]):
                yield _row(case, str(files[case.bare]))
            else:
                print(f"  left out: {case.theirs[0]} is not installed")


def _row(case: _Case, path: str) -> Row:
    ours = [sys.executable, "-m", "vmon", "filter", *case.ours, path]
    theirs = [*case.theirs, path]
    assert _digest(ours) == _digest(theirs), f"{case.what}: they do not find the same"
    a, b, ratio = interleaved(partial(timed, ours), partial(timed, theirs), case.rounds)
    other, at_least = case.theirs[0], case.theirs[0] == "jq"
    what = f"vmon filter {case.what}"
    what = f"time of jq / {what}" if at_least else f"{what} / time of ripgrep"
    detail = f"vmon {a * 1000:.0f} ms, {other} {b * 1000:.0f} ms"
    return Row(what, 1 / ratio if at_least else ratio, case.bound, at_least, detail)


def _digest(argv: list[str]) -> str:
    return hashlib.sha256(subprocess.run(argv, check=True, capture_output=True).stdout).hexdigest()
