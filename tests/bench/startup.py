"""Start-up: `vmon --help` against the import of click, and a filter with nothing to do."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.table import Row, interleaved, timed

ROUNDS = 31


def rows() -> Iterator[Row]:
    """The ratios."""
    vmon = str(Path(sys.executable).with_name("vmon"))
    click = [sys.executable, "-c", "import click"]
    yield _row("vmon --help / python -c 'import click'", [vmon, "--help"], click, 1.4)
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as empty:
        asked = [vmon, "filter", "--event", "streamCreated", empty.name]
        yield _row("vmon filter of an empty file / import click", asked, click, 2.0)


def _row(what: str, ours: list[str], theirs: list[str], bound: float) -> Row:
    a, b, ratio = interleaved(lambda: timed(ours), lambda: timed(theirs), ROUNDS)
    return Row(what, ratio, bound, at_least=False, detail=f"{a * 1000:.0f} ms / {b * 1000:.0f} ms")
