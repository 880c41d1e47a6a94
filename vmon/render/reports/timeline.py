"""A session's chart on a terminal: a bar is a heavy line, to half a column exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from vmon.events.timestamps import local
from vmon.humanize import duration
from vmon.render.axis import ticks
from vmon.render.style import GROUP_STYLES, format_line
from vmon.sessions.timeline import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.render.style import LineStyle, Piece
    from vmon.sessions.snapshot import Span
    from vmon.sessions.timeline import Chart, Mark, Row

SIGNS = {"failed": "!", "late": "↩", "again": "²"}
_STYLES = {"failed": "failed", "late": "warning", "again": "warning"}
_WEIGHT = {"again": 0, "late": 1, "failed": 2}
"""Of marks at one place the heaviest is drawn."""
_NARROW, _WIDE = 60, 120
_TICK_WIDTH = 10
_LONG = 30
"""Rows beyond so many have the axis below them too."""


def drawn(chart: Chart, style: LineStyle, *, most_marks: int | None = None) -> Iterator[str]:
    """The lines of a chart, as wide as the look; at most so many marks are told below it."""
    width = style.width or 100
    widths = _widths(chart, width)
    axis, grid = _axis(chart, widths[1])
    head = [("dim", " " * widths[0] + axis)]
    yield format_line(head, style)
    for row in chart.rows:
        yield format_line(list(_row(chart, row, widths, grid)), style)
    if len(chart.rows) > _LONG:
        yield format_line(head, style)
    yield from _told(chart, style, most_marks)


def _widths(chart: Chart, width: int) -> tuple[int, int, int]:
    """Columns of the names, of the bars, of what stands after them; with the space between."""
    longest = max(cell_len(row.name) + 2 * row.depth for row in chart.rows) + 1
    names = min(longest, max(12, width * 3 // 10), 40)
    notes = 0
    if width >= _NARROW:
        longest = max(cell_len(_note(chart, row, width)) for row in chart.rows) + 1
        notes = min(longest, width // 4)
    return names, max(8, width - names - notes), notes


def _note(chart: Chart, row: Row, width: int) -> str:
    lasted = duration(sum(one.lasted_s(chart.now_ms) for one in row.spans))
    return f"{lasted}  {row.reason}" if width >= _WIDE and row.reason else lasted


def _axis(chart: Chart, width: int) -> tuple[str, frozenset[int]]:
    """The labels in their places, and the columns that have one."""
    line, columns = "", set()
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
    cut = set_cell_size(name, room - 1) + "…" if cell_len(name) > room else name
    yield "name" if row.depth == 0 else "", set_cell_size(cut, names)
    yield from _bars(chart, row, bars, grid)
    if notes:
        yield "", " "
        yield "dim", _note(chart, row, sum(widths))


def _bars(chart: Chart, row: Row, width: int, grid: frozenset[int]) -> Iterator[Piece]:
    cells: list[Piece] = [("dim", "┊" if at in grid else " ") for at in range(width)]
    for span in row.spans:
        _fill(chart, span, cells, (GROUP_STYLES.get(row.kind, ""), row.kind != "session"))
    for mark in sorted(row.marks, key=lambda one: _WEIGHT[one.fault]):
        cells[_column(chart, mark.at_ms, width)] = _STYLES[mark.fault], SIGNS[mark.fault]
    yield from _joined(cells)


def _fill(chart: Chart, span: Span, cells: list[Piece], how: tuple[str, bool]) -> None:
    """Draw a span into the cells, in halves of them; dashed, where that is wanted, if not told."""
    style, dashes = how
    halves = 2 * len(cells)
    ended_ms = chart.now_ms if span.ended_ms is None else span.ended_ms
    begin = min(halves - 1, int(chart.at(span.began_ms) * halves))
    end = max(begin + 1, round(chart.at(ended_ms) * halves))
    whole = "━" if not dashes or (span.begin_told and span.end_told) or span.is_open else "╍"
    for at in range(begin // 2, (end + 1) // 2):
        left, right = begin <= 2 * at < end, begin <= 2 * at + 1 < end
        cells[at] = style, whole if left and right else "╸" if left else "╺"
    if span.began_ms < chart.from_ms:
        cells[0] = style, "◀"
    if span.is_open:
        cells[(end - 1) // 2] = style, "▶"


def _joined(cells: list[Piece]) -> Iterator[Piece]:
    """Cells of one style in a row as one piece."""
    style, text = "", ""
    for own, sign in cells:
        if own != style and text:
            yield style, text
            text = ""
        style, text = own, text + sign
    yield style, text


def _told(chart: Chart, style: LineStyle, most: int | None) -> Iterator[str]:
    """What the marks are about."""
    marks = told(chart)
    for mark, name in marks[:most]:
        yield format_line(_mark(mark, name), style)
    if most is not None and len(marks) > most:
        yield format_line([("dim", f"… {len(marks) - most:,} more marks")], style)


def _mark(mark: Mark, name: str) -> list[Piece]:
    at = f"{local(mark.at_ms):%H:%M:%S}  "
    sign = f"{SIGNS[mark.fault]} "
    return [(_STYLES[mark.fault], sign), ("dim", at), ("name", f"{name}  "), ("", mark.said)]
