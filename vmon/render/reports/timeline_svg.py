"""The report of `vmon timeline` as SVG and as an HTML page; light and dark, no script.

Received names are escaped, so that they are text and never markup.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from vmon.events.timestamps import local
from vmon.humanize import duration, handle
from vmon.render.axis import ticks
from vmon.sanitize import disarm
from vmon.sessions.timeline import labelled_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.sessions.snapshot import Span
    from vmon.sessions.timeline import Chart, Fault, Mark, Row

_WIDTH, _NAMES, _NOTES, _EDGE = 1000, 220, 225, 16
_BARS = _WIDTH - _NAMES - _NOTES
_ROW, _BAR, _TOP = 22, 10, 76
_CELL, _SMALL_CELL, _STRONG_CELL = 7.2, 6.0, 8.0
"""The approximate width of a letter in pixels; wide letters (Chinese) take two cells."""
_LIST_CELL, _LIST_NAME = 7.0, 400
"""For the list below the chart, which may be long: a wider letter, so that nothing is cut."""
_MAX_TICKS = 9
_MAX_MARKS = 40
_COLOURS = {
    "session": ("#8250df", "#a371f7"),
    "connection": ("#0969da", "#4493f8"),
    "stream": ("#1a7f37", "#3fb950"),
    "archive": ("#bc4c00", "#f0883e"),
    "call": ("#9a6700", "#d29922"),
    "broadcast": ("#bf3989", "#db61a2"),
    "render": ("#1b7c83", "#39c5cf"),
    "captions": ("#57606a", "#9198a1"),
}
"""Fills for light and dark backgrounds; not every viewer supports CSS variables."""
_BACKGROUND, _TEXT, _DIM, _GRID, _FAILED, _ODD = (
    ("#ffffff", "#0d1117"),
    ("#1f2328", "#e6edf3"),
    ("#59636e", "#9198a1"),
    ("#d1d9e0", "#30363d"),
    ("#cf222e", "#ff7b72"),
    ("#9a6700", "#e3b341"),
)
_SHAPES: dict[Fault, str] = {
    "failed": '<path class="failed" d="M-4-4L4 4M-4 4L4-4"/>',
    "late": '<path class="odd" d="M5 0H-5M-1-4L-5 0L-1 4"/>',
    "again": '<circle class="odd" cx="-2" r="3.5"/><circle class="odd" cx="2" r="3.5"/>',
}
_MEANINGS: dict[Fault, str] = {
    "failed": "failed",
    "late": "late",
    "again": "repeated",
}


def svg(chart: Chart) -> str:
    """Format the chart as an SVG document."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _picture(chart)


def html(chart: Chart) -> str:
    """Format the chart as a self-contained HTML page."""
    title = f"Session {escape(handle(chart.session, 'session'))}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>\n"
        f"body {{ margin: 2vmin; background: {_BACKGROUND[0]}; }}\n"
        "svg { display: block; width: 100%; max-width: 1600px; height: auto; margin: auto; }\n"
        f"@media (prefers-color-scheme: dark) {{ body {{ background: {_BACKGROUND[1]}; }} }}\n"
        f"</style>\n</head>\n<body>\n{_picture(chart)}</body>\n</html>\n"
    )


def _picture(chart: Chart) -> str:
    bottom = _TOP + _ROW * len(chart.rows)
    mark_lines = list(_mark_lines(chart, bottom + _ROW))
    height = bottom + _ROW * (len(mark_lines) + 1) if mark_lines else bottom + _EDGE
    title = f"Session {handle(chart.session, 'session')}"
    body = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">'
        ),
        f"<style>\n{_style()}</style>",
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        *_heading(chart, title),
        *_axis(chart, bottom),
    ]
    for number, row in enumerate(chart.rows):
        body += _row(chart, row, _TOP + number * _ROW + _ROW // 2)
    return "\n".join([*body, *mark_lines, "</svg>\n"])


def _style() -> str:
    still = (
        'text { font: 13px ui-sans-serif, system-ui, "Segoe UI", sans-serif; }\n'
        ".title { font-size: 16px; font-weight: 600; }\n.strong { font-weight: 600; }\n"
        ".small { font-size: 11px; }\n.failed, .odd { fill: none; stroke-width: 2; }\n"
        ".grid { stroke-width: 1; stroke-dasharray: 2 3; }\n.guessed { fill-opacity: .4; }\n"
    )
    return f"{still}{_fills(0)}@media (prefers-color-scheme: dark) {{\n{_fills(1)}}}\n"


def _fills(theme: int) -> str:
    fills = {"ground": _BACKGROUND, "text": _TEXT, "dim": _DIM, **_COLOURS}
    strokes = {"grid": _GRID, "failed": _FAILED, "odd": _ODD}
    return "".join(
        [f".{name} {{ fill: {both[theme]}; }}\n" for name, both in fills.items()]
        + [f".{name} {{ stroke: {both[theme]}; }}\n" for name, both in strokes.items()]
    )


def _text(x: float, y: float, classes: str, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}"{more}>{escape(disarm(text))}</text>'


def _title(text: str) -> str:
    return f"<title>{escape(disarm(text))}</title>"


def _heading(chart: Chart, title: str) -> Iterator[str]:
    yield _text(_EDGE, 28, "text title", title)
    if not chart.from_ms:
        yield _text(_EDGE, 48, "dim", "no event says when it happened")
        return
    begin, lasted = local(chart.from_ms), (chart.until_ms - chart.from_ms) / 1000
    zone = f"{begin:%z}"
    text = f"{begin:%Y-%m-%d %H:%M:%S}, {duration(lasted)}, times in UTC{zone[:3]}:{zone[3:5]}"
    yield _text(_EDGE, 48, "dim", text)


def _axis(chart: Chart, bottom: int) -> Iterator[str]:
    for tick in ticks(chart.from_ms, chart.until_ms, _MAX_TICKS) if chart.from_ms else ():
        x = _x(chart, tick.at_ms)
        yield f'<path class="grid" d="M{x:.1f} {_TOP - 6}V{bottom}"/>'
        yield _text(x, _TOP - 10, "dim small", tick.label, ' text-anchor="middle"')


def _x(chart: Chart, at_ms: int) -> float:
    return _NAMES + chart.at(at_ms) * _BARS


def _row(chart: Chart, row: Row, y: int) -> Iterator[str]:
    lasted = duration(sum(span.lasted_s(chart.now_ms) for span in row.spans)) if row.spans else "-"
    note = f"{lasted}, {disarm(row.reason)}" if row.reason else lasted
    indent = _EDGE + 14 * row.depth
    name = _truncate(row.name, _NAMES - indent - 8, _CELL if row.depth else _STRONG_CELL)
    yield f"<g>{_title(f'{row.name} ({row.id}): {note}')}"
    yield _text(indent, y + 4, "text" if row.depth else "text strong", name)
    for span in row.spans:
        yield from _bar(chart, row.kind, span, y)
    yield _text(_WIDTH - _NOTES + 12, y + 4, "dim small", _truncate(note, _NOTES - 24, _SMALL_CELL))
    yield "</g>"
    for mark in (one for one in row.marks if one.at_ms):
        yield _mark(_x(chart, mark.at_ms), y, mark.fault, _words(mark))


def _truncate(text: str, room: float, cell: float) -> str:
    cells = int(room / cell)
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1) + "…"


def _bar(chart: Chart, kind: str, span: Span, y: int) -> Iterator[str]:
    begin = _x(chart, span.began_ms)
    end = _x(chart, chart.now_ms if span.ended_ms is None else span.ended_ms)
    is_known = kind == "session" or (span.begin_told and (span.end_told or span.is_open))
    classes = f"{kind}" if is_known else f"{kind} guessed"
    width, top = max(2.0, end - begin), y - _BAR / 2
    attributes = f' rx="2" class="{classes}"'
    yield f'<rect x="{begin:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_BAR}"{attributes}/>'
    if span.is_open:
        yield f'<path class="{classes}" d="M{begin + width:.1f} {y - 9}l10 9l-10 9z"/>'
    if span.began_ms < chart.from_ms:
        yield f'<path class="{classes}" d="M{begin:.1f} {y - 9}l-10 9l10 9z"/>'


def _mark(x: float, y: float, fault: Fault, text: str) -> str:
    title = _title(text) if text else ""
    return f'<g transform="translate({x:.1f} {y:.1f})">{title}{_SHAPES[fault]}</g>'


def _words(mark: Mark) -> str:
    at = f"{local(mark.at_ms):%H:%M:%S}" if mark.at_ms else "-"
    return f"{at}  {mark.text}"


def _mark_lines(chart: Chart, top: int) -> Iterator[str]:
    """List the marks, with their meaning."""
    marks = labelled_marks(chart)
    for number, (mark, name) in enumerate(marks[:_MAX_MARKS]):
        y = top + number * _ROW
        at, named = _words(mark).partition("  ")[0], _truncate(disarm(name), _LIST_NAME, _LIST_CELL)
        text = f"{at}  {_MEANINGS[mark.fault]}: {named}, {mark.text}"
        yield _mark(_EDGE + 6, y, mark.fault, "") + _text(
            _EDGE + 22, y + 4, "text small", _truncate(text, _WIDTH - 4 * _EDGE, _LIST_CELL)
        )
    if len(marks) > _MAX_MARKS:
        more = f"… {len(marks) - _MAX_MARKS:,} more"
        yield _text(_EDGE, top + _MAX_MARKS * _ROW + 4, "dim small", more)
