"""The report of `vmon timeline` as text: bars are heavy lines, exact to half a column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from vmon.events.timestamps import local
from vmon.humanize import duration
from vmon.render.axis import ticks
from vmon.render.style import GROUP_STYLES, format_line
from vmon.sessions.timeline import labelled_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.render.style import LineStyle, Piece
    from vmon.sessions.snapshot import Span
    from vmon.sessions.timeline import Chart, Mark, Row

SIGNS = {"failed": "!", "late": "↩", "again": "²"}
_STYLES = {"failed": "failed", "late": "warning", "again": "warning"}
_WEIGHT = {"again": 0, "late": 1, "failed": 2}
"""Of several marks in a column the one with the greatest weight is shown."""
_NARROW, _WIDE = 60, 120
_TICK_WIDTH = 10
_LONG = 30
"""A chart with more rows has the axis at the bottom too."""


def chart_lines(chart: Chart, style: LineStyle, *, max_marks: int | None = None) -> Iterator[str]:
    """Format a chart to the style's width; at most `max_marks` marks are listed below it."""
    width = style.width or 100
    widths = _widths(chart, width)
    axis, grid = _axis(chart, widths[1])
    head = [("dim", " " * widths[0] + axis)]
    yield format_line(head, style)
    for row in chart.rows:
        yield format_line(list(_row(chart, row, widths, grid)), style)
    if len(chart.rows) > _LONG:
        yield format_line(head, style)
    yield from _mark_lines(chart, style, max_marks)


def _widths(chart: Chart, width: int) -> tuple[int, int, int]:
    """The widths in columns of names, bars and notes, with the space between."""
    longest = max(cell_len(row.name) + 2 * row.depth for row in chart.rows) + 1
    names = min(longest, max(12, width * 3 // 10), 40)
    notes = 0
    if width >= _NARROW:
        longest = max(cell_len(_note(chart, row, width)) for row in chart.rows) + 1
        notes = min(longest, width // 4)
    return names, max(8, width - names - notes), notes


def _note(chart: Chart, row: Row, width: int) -> str:
    lasted = duration(sum(span.lasted_s(chart.now_ms) for span in row.spans)) if row.spans else "-"
    return f"{lasted}  {row.reason}" if width >= _WIDE and row.reason else lasted


def _axis(chart: Chart, width: int) -> tuple[str, frozenset[int]]:
    """The line of labels, and the columns of their ticks."""
    line, columns = "", set[int]()
    if not chart.from_ms:
        return line, frozenset()
    for tick in ticks(chart.from_ms, chart.until_ms, max(1, width // _TICK_WIDTH)):
        column = _column(chart, tick.at_ms, width)
        if column >= len(line) + bool(line) and column + len(tick.label) <= width:
            line = line.ljust(column) + tick.label
            columns.add(column)
    return line, frozenset(columns)


def _column(chart: Chart, at_ms: int, width: int) -> int:
    return min(width - 1, int(chart.at(at_ms) * width))


def _row(
    chart: Chart, row: Row, widths: tuple[int, int, int], grid: frozenset[int]
) -> Iterator[Piece]:
    names, bars, notes = widths
    name = "  " * row.depth + row.name
    room = names - 1
    shown = set_cell_size(name, room - 1) + "…" if cell_len(name) > room else name
    yield "name" if row.depth == 0 else "", set_cell_size(shown, names)
    yield from _bars(chart, row, bars, grid)
    if notes:
        yield "", " "
        yield "dim", _note(chart, row, sum(widths))


def _bars(chart: Chart, row: Row, width: int, grid: frozenset[int]) -> Iterator[Piece]:
    cells: list[Piece] = [("dim", "┊" if column in grid else " ") for column in range(width)]
    for span in row.spans:
        _fill(chart, span, cells, (GROUP_STYLES.get(row.kind, ""), row.kind != "session"))
    placed = [mark for mark in row.marks if mark.at_ms]
    for mark in sorted(placed, key=lambda mark: _WEIGHT[mark.fault]):
        cells[_column(chart, mark.at_ms, width)] = _STYLES[mark.fault], SIGNS[mark.fault]
    yield from _joined(cells)


def _fill(chart: Chart, span: Span, cells: list[Piece], bar_style: tuple[str, bool]) -> None:
    """Fill the cells of a span, to half a cell; dashed if its begin or end is inferred."""
    style, can_be_dashed = bar_style
    halves = 2 * len(cells)
    ended_ms = chart.now_ms if span.ended_ms is None else span.ended_ms
    begin = min(halves - 1, int(chart.at(span.began_ms) * halves))
    end = max(begin + 1, round(chart.at(ended_ms) * halves))
    line = "━" if not can_be_dashed or (span.begin_told and span.end_told) or span.is_open else "╍"
    for index in range(begin // 2, (end + 1) // 2):
        left, right = begin <= 2 * index < end, begin <= 2 * index + 1 < end
        cells[index] = style, line if left and right else "╸" if left else "╺"
    if span.began_ms < chart.from_ms:
        cells[0] = style, "◀"
    if span.is_open:
        cells[(end - 1) // 2] = style, "▶"


def _joined(cells: list[Piece]) -> Iterator[Piece]:
    """Join consecutive cells of the same style."""
    style, text = "", ""
    for cell_style, sign in cells:
        if cell_style != style and text:
            yield style, text
            text = ""
        style, text = cell_style, text + sign
    yield style, text


def _mark_lines(chart: Chart, style: LineStyle, limit: int | None) -> Iterator[str]:
    """List the marks."""
    marks = labelled_marks(chart)
    for mark, name in marks[:limit]:
        yield format_line(_mark(mark, name), style)
    if limit is not None and len(marks) > limit:
        yield format_line([("dim", f"… {len(marks) - limit:,} more marks")], style)


def _mark(mark: Mark, name: str) -> list[Piece]:
    at = f"{local(mark.at_ms):%H:%M:%S}  " if mark.at_ms else "-  "
    sign = f"{SIGNS[mark.fault]} "
    return [(_STYLES[mark.fault], sign), ("dim", at), ("name", f"{name}  "), ("", mark.text)]
