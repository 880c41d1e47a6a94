"""What `vmon help capture` says that other tools make of a capture, in the versions it names."""

import json
import shutil
import subprocess
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

import vmon
from tests.support.factories import make_line
from vmon.search import reader
from vmon.search.filter import Filter

CAPTURE = (Path(str(vmon.__file__)).parent / "docs" / "capture.md").read_text("utf-8")


def named(version: str, tool: str) -> None:
    """Skip where another version is installed than the page names."""
    if f"{tool} {version}" not in CAPTURE:
        pytest.skip(f"{tool} {version} is installed; vmon help capture is about another version")


def by_jq(path: Path) -> list[Any]:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    version = subprocess.run(["jq", "--version"], capture_output=True, text=True, check=True)
    named(version.stdout.strip().removeprefix("jq-"), "jq")
    ran = subprocess.run(
        ["jq", "-c", ".body", path], capture_output=True, text=True, check=True, timeout=30
    )
    return ran.stdout.splitlines()


def by_duckdb(path: Path) -> list[Any]:
    duckdb: Any = pytest.importorskip("duckdb")
    named(duckdb.__version__, "DuckDB")
    rows = duckdb.connect().execute(f"select body from read_json_auto('{path}')").fetchall()
    return [body for (body,) in rows]


def by_polars(path: Path) -> list[Any]:
    polars: Any = pytest.importorskip("polars")
    named(polars.__version__, "Polars")
    return list(polars.read_ndjson(path)["body"].to_list())


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., Path]:
    def write(*bodies: bytes) -> Path:
        path = tmp_path / "a.jsonl"
        path.write_bytes(b"".join(map(make_line, bodies)))
        return path

    return write


ROWS: dict[str, tuple[bytes, str, Any, Any]] = {
    "beyond 2^53": (
        b'{"n":9007199254740993}', '{"n":9007199254740992}',
        {"n": 9007199254740993}, {"n": 9007199254740993},
    ),
    "beyond 2^127": (
        b'{"n":%d}' % 10**41, '{"n":1e+41}', {"n": 1e41}, "ComputeError",
    ),
    "fraction": (b'{"n":1.10,"e":1e3}', '{"n":1.1,"e":1000}', *2 * ({"n": 1.1, "e": 1000.0},)),
    "1E400": (b'{"n":1E400}', '{"n":1.7976931348623157e+308}', {"n": inf}, "ComputeError"),
    "duplicate key": (b'{"a":1,"a":2}', '{"a":2}', "InvalidInputException", "DuplicateError"),
    "escapes": (b'{"a":"\\u00e9 \\/"}', '{"a":"\xe9 /"}', *2 * ({"a": "\xe9 /"},)),
}  # fmt: skip # one thing a line


@pytest.mark.parametrize("column", [0, 1, 2], ids=["jq", "DuckDB", "Polars"])
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_tool_changes_the_values_that_the_page_says_it_changes(
    column: int, row: tuple[bytes, str, Any, Any], capture: Callable[..., Path]
) -> None:
    body, *expected = row
    tool, wanted = (by_jq, by_duckdb, by_polars)[column], expected[column]
    try:
        (found,) = tool(capture(body))
    except Exception as error:  # noqa: BLE001 - its own kind of each tool
        found = type(error).__name__
    assert found == wanted


@pytest.mark.parametrize(("tool", "converts"), [(by_duckdb, True), (by_polars, False)])
def test_only_duckdb_makes_dates_and_uuids_of_text(
    tool: Callable[[Path], list[Any]], *, converts: bool, capture: Callable[..., Path]
) -> None:
    body = {"id": "b40ef09b-3811-4726-b508-e41a0f96c68f", "day": "2016-08-03"}
    (found,) = tool(capture(json.dumps(body).encode()))
    assert all((type(value) is str) is not converts for value in found.values())


def test_bodies_can_be_had_as_text_in_duckdb_and_polars(capture: Callable[..., Path]) -> None:
    path = capture(b'{"a":9007199254740993,"d":"2016-08-03"}', b"[1]", b"\xff")
    duckdb, polars = (pytest.importorskip(name) for name in ("duckdb", "polars"))
    named(duckdb.__version__, "DuckDB")
    named(polars.__version__, "Polars")
    columns = "columns={type: 'VARCHAR', body: 'JSON'}"
    rows = duckdb.connect().execute(f"select body from read_json('{path}', {columns})").fetchall()
    schema = {"type": polars.String, "body": polars.String}
    texts = polars.read_ndjson(path, schema=schema)["body"].to_list()
    for found in ([body for (body,) in rows], texts):
        assert json.loads(found[0]) == {"a": 9007199254740993, "d": "2016-08-03"}
        assert (json.loads(found[1]), found[2]) == ([1], None)


def test_what_jq_wrote_is_a_capture_again(capture: Callable[..., Path], tmp_path: Path) -> None:
    path = capture(b'{"event":"archive","size":1}', b'{"event":"render"}')
    by_jq(path)
    chosen = subprocess.run(
        ["jq", "-c", 'select(.type == "archive")', path], capture_output=True, check=True
    )
    (tmp_path / "b.jsonl").write_bytes(chosen.stdout)
    (entry,) = reader.entries((str(tmp_path / "b.jsonl"),), Filter())
    assert (entry.type, json.loads(entry.delivery.body)["size"]) == ("archive", 1)
