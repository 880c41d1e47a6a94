from collections.abc import Callable
from pathlib import Path

import pytest

from vmon.receive.pipeline import Totals
from vmon.render.columns import wide
from vmon.render.live.banner import Report

ROWS = [
    ("sessions", "2 (0 open), 2 connections, 2 streams"),
    ("a7f2008d", "1 connection, 1 stream, 21 events, 1.6 s, ended"),
]
SAID = {
    40: """\
36 deliveries in TIME
  sessions  2 (0 open), 2 connections, 2
            streams
  a7f2008d  1 connection, 1 stream, 21
            events, 1.6 s, ended
  capture   /tmp/captures/a.jsonl
  replay
    vmon replay /tmp/captures/a.jsonl""",
    80: """\
36 deliveries in TIME
  sessions  2 (0 open), 2 connections, 2 streams
  a7f2008d  1 connection, 1 stream, 21 events, 1.6 s, ended
  capture   /tmp/captures/a.jsonl
  replay    vmon replay /tmp/captures/a.jsonl""",
}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Report]:
    """Words of a run for a terminal of so many columns."""

    def wide_as(width: int) -> Report:
        monkeypatch.setenv("TERM", "dumb")
        made = Report()
        made._is_terminal, made._width = True, width
        return made

    return wide_as


@pytest.mark.parametrize("width", SAID)
def test_a_summary_breaks_no_word(width: int, report: Callable[[int], Report]) -> None:
    totals = Totals(Path("/tmp/captures/a.jsonl"))
    totals.types["archive"] = 36
    head, _, *rows = report(width).summary(totals, ROWS).removeprefix("\r").splitlines()
    said = [head.rpartition(" in ")[0] + " in TIME", *rows]
    assert said == SAID[width].splitlines()
    assert all(wide(row) <= width for row in said)


def test_a_pipe_gets_a_row_a_fact(report: Callable[[int], Report]) -> None:
    made = report(40)
    made._is_terminal = False
    rows = made.summary(Totals(Path("/tmp/captures/a.jsonl")), ROWS).splitlines()
    assert rows[1:] == [
        f"  sessions  {ROWS[0][1]}",
        f"  a7f2008d  {ROWS[1][1]}",
        "  capture   /tmp/captures/a.jsonl",
    ]
