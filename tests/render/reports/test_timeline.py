"""The chart on a terminal, bar by bar; test_timeline.py has whole drawings."""

from __future__ import annotations

import pytest

from vmon.render.reports.timeline import chart_lines
from vmon.render.style import LineStyle, Paint
from vmon.sessions.snapshot import Span
from vmon.sessions.timeline import Chart, Fault, Mark, Row

PLAIN = LineStyle(Paint(), 60)
BEGIN, MIN = 1_764_072_000_000, 60_000  # 12:00 UTC

pytestmark = pytest.mark.usefixtures("utc")


def bars(*spans: Span, marks: tuple[Mark, ...] = (), kind: str = "stream") -> str:
    """Draw a row over 20 min, two columns a minute, and give its bars."""
    row = Row(kind, "a", "a", 0, spans, marks, None)
    ruler = Row("session", "r" * 20, "r", 0, (Span(BEGIN, BEGIN + 20 * MIN),), (), None)
    made = Chart("2_A", BEGIN, BEGIN + 20 * MIN, BEGIN + 20 * MIN, (row, ruler))
    line = list(chart_lines(made, LineStyle(Paint(), 19 + 40 + 7)))[1]
    return line[19:59].replace("┊", " ").rstrip()


def minutes(begin: float, end: float | None, **told: bool) -> Span:
    ended = None if end is None else BEGIN + int(end * MIN)
    return Span(BEGIN + int(begin * MIN), ended, **told)  # type: ignore[arg-type] # the two flags


def test_a_bar_is_exact_to_half_a_column() -> None:
    assert bars(minutes(1, 3)) == "  ━━━━"
    assert bars(minutes(1.25, 3.25)) == "  ╺━━━╸"
    assert bars(minutes(1, 1)) == "  ╸"


def test_what_goes_on_has_an_arrow() -> None:
    assert bars(minutes(18, None)) == " " * 36 + "━━━▶"
    assert bars(minutes(20, None)) == " " * 39 + "▶"


def test_what_began_before_the_chart_has_an_arrow_too() -> None:
    assert bars(minutes(-9, 2)) == "◀━━━"


def test_inferred_ends_are_dashed_but_not_of_a_session() -> None:
    assert bars(minutes(1, 3, end_told=False)) == "  ╍╍╍╍"
    assert bars(minutes(1, 3, begin_told=False)) == "  ╍╍╍╍"
    assert bars(minutes(1, 3, end_told=False), kind="session") == "  ━━━━"


def test_rounds_are_in_one_row() -> None:
    assert bars(minutes(0, 2), minutes(4, 5), kind="session") == "━━━━    ━━"


def test_a_mark_is_at_its_time_and_the_heaviest_wins() -> None:
    faults: tuple[Fault, ...] = ("failed", "late", "again")
    marks = [Mark(BEGIN + 2 * MIN, fault, ("stream", "a"), "") for fault in faults]
    assert bars(minutes(1, 3), marks=(marks[2],)) == "  ━━²━"
    assert bars(minutes(1, 3), marks=(marks[1], marks[2])) == "  ━━↩━"
    assert bars(minutes(1, 3), marks=(*marks,)) == "  ━━!━"


def test_many_rows_have_the_axis_below_them_too() -> None:
    rows = tuple(Row("stream", "a", str(n), 0, (minutes(0, 20),), (), None) for n in range(31))
    made = Chart("2_A", BEGIN, BEGIN + 20 * MIN, BEGIN + 20 * MIN, rows)
    lines = list(chart_lines(made, PLAIN))
    assert lines[0] == lines[-1]
    assert "12:05" in lines[0]


def test_marks_are_listed_below_up_to_the_limit() -> None:
    marks = tuple(Mark(BEGIN + n, "failed", ("stream", "a"), f"no {n}") for n in range(5))
    row = Row("stream", "a", "a", 0, (minutes(0, 20),), marks, None)
    made = Chart("2_A", BEGIN, BEGIN + 20 * MIN, BEGIN + 20 * MIN, (row,))
    assert list(chart_lines(made, PLAIN, max_marks=2))[2:] == [
        "! 12:00:00  a  no 0",
        "! 12:00:00  a  no 1",
        "… 3 more marks",
    ]
    assert len(list(chart_lines(made, PLAIN))) == 7
