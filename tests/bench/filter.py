"""`vmon filter` on 1 GB, into a pipe, against ripgrep, jq and DuckDB on the same.

A capture by type (also gzipped), session, id, time and expression; bare bodies by type. ripgrep and
jq must put out the same bytes, DuckDB count as many: that is compared before anything is timed. The
memory is that of the hungriest of our runs.
"""

import gzip
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tests.bench import captures
from tests.bench.table import Row, interleaved, timed

MEGABYTES = 1000
TYPE = "streamCreated"
SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY0"  # the beginning of one in sixteen
ARCHIVE = next(one[:8] for one in captures.ARCHIVES if not one[:8].isdigit())
SINCE = "2026-11-25T14:00:00.000000Z"  # the last twentieth


class _Case(NamedTuple):
    """Options of ours, what others are asked, of which file, and the bound."""

    what: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    bound: float
    rounds: int = 3
    file: str = "capture.jsonl"


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
    _Case(
        "--archive",
        ("--archive", ARCHIVE),
        _jq(f'.type=="archive" and (.body.id|startswith("{ARCHIVE}"))'),
        15.0,
    ),
    _Case("--since", ("--since", SINCE), _jq(f'.received_at>="{SINCE}"'), 15.0),
    _Case(
        "--where",
        ("--where", 'stream.videoType == "camera" && reason != "x"'),
        _jq('.body|(.stream.videoType?=="camera" and has("reason") and .reason!="x")'),
        4.0,
    ),
    _Case(
        "--event, bare bodies",
        ("--event", TYPE),
        _jq(f'.event=="{TYPE}"'),
        12.0,
        file="bodies.jsonl",
    ),
    _Case(
        "--event, .gz",
        ("--event", TYPE),
        ("rg", "-z", "--no-line-number", "--fixed-strings", f'"type":"{TYPE}"'),
        1.0,
        file="capture.jsonl.gz",
    ),
)


_DUCKDB = """
import duckdb
duckdb.sql("SET enable_progress_bar = false")  # it is drawn among the results
print(duckdb.sql("SELECT count(*) FROM read_json({path!r}, format='newline_delimited', "
    "columns={{type: 'VARCHAR'}}) WHERE type = '{type}'").fetchall()[0][0])
"""


def rows() -> Iterator[Row]:
    """The ratios."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder))
        most = 0
        for case in _CASES:
            path = str(Path(folder, case.file))
            if shutil.which(case.theirs[0]):
                most = max(most, _memory([*_OURS, *case.ours, path]))
                yield _row(case, path)
            else:
                print(f"  left out: {case.theirs[0]} is not installed")
        yield Row(
            "vmon filter: peak memory, MB", most / 1e6, 100.0, False, "the hungriest of these"
        )
        yield from _against_duckdb(str(Path(folder, "capture.jsonl")))


def _write(folder: Path) -> None:
    for bare, name in ((False, "capture.jsonl"), (True, "bodies.jsonl")):
        lines = captures.write(folder / name, MEGABYTES, bare=bare)
        print(f"  {name}: {lines:,} lines, {(folder / name).stat().st_size / 1e6:.0f} MB")
    with (
        (folder / "capture.jsonl").open("rb") as plain,
        gzip.open(folder / "capture.jsonl.gz", "wb", compresslevel=1) as packed,
    ):
        shutil.copyfileobj(plain, packed, 1 << 20)


_OURS = (str(Path(sys.executable).with_name("vmon")), "filter")


def _row(case: _Case, path: str) -> Row:
    ours, theirs = [*_OURS, *case.ours, path], [*case.theirs, path]
    assert _digest(ours) == _digest(theirs), f"{case.what}: they do not find the same"
    a, b, ratio = interleaved(partial(timed, ours), partial(timed, theirs), case.rounds)
    other, at_least = case.theirs[0], case.theirs[0] == "jq"
    what = f"vmon filter {case.what}"
    what = f"time of jq / {what}" if at_least else f"{what} / time of ripgrep"
    detail = f"vmon {a * 1000:.0f} ms, {other} {b * 1000:.0f} ms"
    return Row(what, 1 / ratio if at_least else ratio, case.bound, at_least, detail)


def _against_duckdb(path: str) -> Iterator[Row]:
    """Count by type, both from nothing: DuckDB with all processors, as it comes."""
    if find_spec("duckdb") is None:
        print("  left out: duckdb is not installed")
        return
    ours = [*_OURS, "--count", "--event", TYPE, path]
    theirs = [sys.executable, "-c", _DUCKDB.format(path=path, type=TYPE)]
    assert _digest(ours) == _digest(theirs), "DuckDB does not count the same"
    a, b, ratio = interleaved(partial(timed, ours), partial(timed, theirs), 5)
    detail = f"vmon {a * 1000:.0f} ms, duckdb {b * 1000:.0f} ms"
    yield Row("time of DuckDB / vmon filter --count --event", 1 / ratio, 1.0, True, detail)


_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def _memory(argv: list[str]) -> int:
    """The most memory a command had, in bytes; asked of a small process, whose own counts too."""
    argv = [sys.executable, "-c", _PEAK, *argv]
    return int(subprocess.run(argv, check=True, capture_output=True).stdout)


def _digest(argv: list[str]) -> str:
    return hashlib.sha256(subprocess.run(argv, check=True, capture_output=True).stdout).hexdigest()
