"""The report of `vmon usage`: minutes as a table with uncertain spans below, as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict
from rich.cells import cell_len

from vmon.analysis.usage import day, minutes, utc
from vmon.capture.codec import without_surrogates
from vmon.humanize import count, duration, handle
from vmon.render.columns import OutputPage
from vmon.render.style import colour_of
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.analysis.usage import Bounds, Row, Span, Usage

_GAP = "  "
_INDENT = 6 * " "
_MAX_LISTED = 20
_MAX_NAME = 24
_FIGURES = ("connected", "participant", "published")
_HEADS = ("connections", "streams", *_FIGURES)
_UNTIL = {
    "capture": "the end of the capture",
    "session": "the end of its session",
    "connection": "the end of its connection",
    "year": "a year after its start",
}


class UsageReport:
    """Formats usage as lines for standard output, wrapped to the terminal's width."""

    def __init__(self) -> None:
        self._page = OutputPage()
        self._paint, self._width = self._page.paint, self._page.width

    def lines(self, usage: Usage) -> Iterator[str]:
        """Format the table, its total, and the notes; newlines included."""
        if usage.rows:
            yield from self._table(usage)
        yield from self._notes(usage)

    def _table(self, usage: Usage) -> Iterator[str]:
        labels = [_label(row) for row in usage.rows]
        label_width = max(len(usage.by), *map(cell_len, labels))
        cells = [_cells(row) for row in (*usage.rows, usage.total)]
        for hidden in ((), ("connections",), ("connections", "streams")):
            heads = [head for head in _HEADS if head not in hidden]
            widths = [
                max(len(head), *(len(row_cells[head]) for row_cells in cells)) for head in heads
            ]
            if self._page.fits(label_width + sum(len(_GAP) + width for width in widths)):
                break
        else:
            yield from self._stacked(usage, labels, cells)
            return
        text = _GAP.join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
        yield self._paint("dim", f"{usage.by:<{label_width}}{_GAP}{text}") + "\n"
        for row, label, row_cells in zip(
            (*usage.rows, None), (*labels, "total"), cells, strict=True
        ):
            padding = " " * (label_width - cell_len(label))
            figures = _GAP.join(
                f"{row_cells[head]:>{width}}" for head, width in zip(heads, widths, strict=True)
            )
            yield f"{self._label(row, label)}{padding}{_GAP}{figures}\n"

    def _stacked(
        self, usage: Usage, labels: list[str], cells: list[dict[str, str]]
    ) -> Iterator[str]:
        for row, label, row_cells in zip(
            (*usage.rows, None), (*labels, "total"), cells, strict=True
        ):
            yield self._label(row, label) + "\n"
            for head in _FIGURES:
                yield f"{_GAP}{self._paint('dim', f'{head:<11}')} {row_cells[head]:>13}\n"

    def _label(self, row: Row | None, label: str) -> str:
        style = "name" if row is None else colour_of(row.session) if row.session else ""
        return self._paint(style, label)

    def _notes(self, usage: Usage) -> Iterator[str]:
        since, until = usage.window
        if usage.rows:
            begin = since if since is not None else usage.first_ms or 0
            end = until if until is not None else usage.end_ms
            text = f"minutes from {utc(begin)} to {utc(end)}"
            yield from self._wrapped(
                text if since else f"{text}; anything older counts from createdAt"
            )
        if usage.duplicates:
            yield f"{count(usage.duplicates, 'duplicate')} ignored\n"
        shown = usage.explained if self._width is None else usage.explained[:_MAX_LISTED]
        if shown:
            for line in self._page.wrapped("uncertain, with the minutes each may add:"):
                yield self._paint("dim", line) + "\n"
        for span, adds in shown:
            yield from self._span(span, adds)
        if rest := usage.explained[len(shown) :]:
            adds = sum(adds for _, adds in rest)
            kinds = Counter(span.why for span, _ in rest)
            text = ", ".join(f"{number:,} {why}" for why, number in kinds.most_common())
            yield from self._wrapped(
                f"{_GAP}and {len(rest):,} more (+{minutes(adds)} min: {text}); "
                "pipe the output to see all"
            )

    def _wrapped(self, text: str) -> Iterator[str]:
        """Wrap a sentence; newlines included."""
        indent = text[: len(text) - len(text.lstrip())]
        for line in self._page.wrapped(text, indent + _GAP):
            yield line + "\n"

    def _span(self, span: Span, adds: int) -> Iterator[str]:
        session = handle(span.session, "session")
        when, what = f"{_GAP}{utc(span.begin)}{_GAP}", f"{_GAP}{span.kind} {_name(span)}"
        text = f"+{minutes(adds)} min{_GAP}{_why(span)}"
        head = when + self._paint(colour_of(span.session), session) + what
        width = len(when) + len(session) + cell_len(what) + len(_GAP) + len(text)
        if self._page.fits(width):
            yield f"{head}{_GAP}{text}\n"
            return
        if self._page.fits(len(when + session + what)):
            yield head + "\n"
        else:
            yield from self._wrapped(when + session + what)
        for line in self._page.wrapped(text, less=len(_INDENT)):
            yield f"{_INDENT}{line}\n"


def _name(span: Span) -> str:
    text = handle(span.id)
    whose = "of " if span.kind == "stream" else ""
    return f"{text} {whose}{disarm(span.name)[:_MAX_NAME]}" if span.name else text


def _why(span: Span) -> str:  # noqa: PLR0911 - one return per reason
    match span.why:
        case "open":
            return f"open: last seen {utc(span.low)[11:]}, at most until {_UNTIL[span.until]}"
        case "unannounced":
            return "no created event received: counted from createdAt"
        case "unbegun":
            return "no start time: not counted"
        case "backwards":
            difference = duration((span.begin - span.high) / 1000)
            return f"ends {difference} before it starts (clocks disagree): not counted"
        case "ahead":
            return "its end time is after the capture: counted to the end of the capture"
        case "ancient":
            return "its start time is over a year before its first event: not counted"
        case None:
            return ""


def _label(row: Row) -> str:
    if row.day_ms is not None:
        return day(row.day_ms)
    text = handle(row.session or "", "session")
    if row.connection is not None:
        text += f" {handle(row.connection)}" + (
            f" {disarm(row.name)[:_MAX_NAME]}" if row.name else ""
        )
    return text


def _cells(row: Row) -> dict[str, str]:
    figures = {head: _between(getattr(row, head)) for head in _FIGURES}
    return {"connections": f"{row.connections:,}", "streams": f"{row.streams:,}", **figures}


def _between(bounds: Bounds) -> str:
    low, high = minutes(bounds.low), minutes(bounds.high)
    return low if low == high else f"{low}–{high}"


def as_csv(usage: Usage, *, for_people: bool = False) -> str:
    """Format usage as CSV, with minutes to the ms: a low and a high column for each figure."""
    shown = disarm if for_people else str
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    bounds = [f"{head}_{end}_min" for head in _FIGURES for end in ("low", "high")]
    writer.writerow(["session", "connection", "name", "day", "connections", "streams", *bounds])
    for row in usage.rows:
        figures = [
            minutes(getattr(getattr(row, head), end), 5)
            for head in _FIGURES
            for end in ("low", "high")
        ]
        on = day(row.day_ms) if row.day_ms is not None else None
        texts = [text and shown(text) for text in (row.session, row.connection, row.name)]
        writer.writerow([*texts, on, row.connections, row.streams, *figures])
    return out.getvalue()


def as_json(usage: Usage) -> str:
    """`{"by":…,"since":…,"until":…,"rows":[…],"total":{…},"explained":[…],"duplicates":…}`; ms."""
    since, until = usage.window
    document = {
        "by": usage.by,
        "since": utc(since) if since is not None else None,
        "until": utc(until) if until is not None else None,
        "capture": {
            "first_at": utc(usage.first_ms) if usage.first_ms is not None else None,
            "end_at": utc(usage.end_ms),
        },
        "duplicates": usage.duplicates,
        "total": _plain(usage.total),
        "rows": [_plain(row) for row in usage.rows],
        "explained": [
            {**span._asdict(), "adds_ms": adds, "said": _why(span)}
            for span, adds in usage.explained
        ],
    }
    return json.dumps(without_surrogates(document), indent=2) + "\n"


def _plain(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = {
        "session": row.session,
        "connection": row.connection,
        "name": row.name,
        "day": day(row.day_ms) if row.day_ms is not None else None,
        "connections": row.connections,
        "streams": row.streams,
    }
    return document | {f"{head}_ms": asdict(getattr(row, head)) for head in _FIGURES}
