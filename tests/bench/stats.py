"""`vmon stats` on a capture of a million deliveries against DuckDB counting by type on the same.

`vmon stats` tells reasons, lags, peaks and duplicates besides; DuckDB counts, with as many threads
as there are processors. Both must count the same. DuckDB is asked for by `VMON_BENCH_DUCKDB`, a
Python that has it, or is installed beside vmon.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.table import Row, interleaved, timed
from tests.support.busy_day import Day

SESSIONS, EVENTS = 10_000, 1_000_000
ROUNDS = 3
BOUND = 4.0
_QUERY = """
import duckdb, json, sys
duckdb.sql("SET enable_progress_bar = false")
found = duckdb.sql(
    "SELECT type, count(*) FROM read_json(?, format='newline_delimited', "
    "columns={'type': 'VARCHAR'}) GROUP BY type", params=[sys.argv[1]]
).fetchall()
print(json.dumps(dict(found)))
"""


def rows() -> Iterator[Row]:
    """The ratio."""
    python = os.environ.get("VMON_BENCH_DUCKDB", sys.executable)
    if python == sys.executable and importlib.util.find_spec("duckdb") is None:
        print("  left out: duckdb is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder, "day.jsonl")
        with capture.open("wb", buffering=1 << 20) as file:
            file.writelines(Day(SESSIONS, EVENTS).lines())
        print(f"  {capture.stat().st_size / 1e6:.0f} MB", flush=True)
        ours = [sys.executable, "-m", "vmon", "stats", "--format", "json", str(capture)]
        theirs = [python, "-c", _QUERY, str(capture)]
        assert _counted(ours) == json.loads(_output(theirs)), "they do not count the same"
        a, b, ratio = interleaved(partial(timed, ours), partial(timed, theirs), ROUNDS)
        what = "time of vmon stats / time of DuckDB counting by type"
        yield Row(what, ratio, BOUND, at_least=False, detail=f"vmon {a:.1f} s, DuckDB {b:.1f} s")


def _counted(argv: list[str]) -> dict[str, int]:
    said = json.loads(_output(argv))
    return {name: one["deliveries"] for name, one in said["types"].items()}


def _output(argv: list[str]) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True).stdout
