"""A delivery in detail: its fields (`-v`), its headers and body (`-vv`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vmon.events.timestamps import instant
from vmon.humanize import clock, count, duration, size
from vmon.render.columns import hanging, wide
from vmon.sanitize import disarm
from vmon.security.masking import masked, masked_body, masked_header, masked_layout, masked_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.render.style import LineStyle, Paint

_INDENT = "    "
_MAX_LINES = 400
_MAX_CHARS = 4000


def fields(entry: Entry, style: LineStyle) -> Iterator[str]:
    """The lines of `-v`: warnings, verdict, request, every field of the payload."""
    paint = style.paint
    for row_style, text in _sentences(entry):
        yield from hanging(_INDENT, paint(row_style, text), style.width, len(_INDENT) + 2)
    pairs = list(_flatten(masked(entry.payload.value), ""))
    width = min(max((len(key) for key, _ in pairs), default=0), 28)
    for key, value in pairs[:_MAX_LINES]:
        head = f"{_INDENT}{paint('key', disarm(key).ljust(width))} "
        yield from hanging(head, _value(key, value, paint), style.width, wide(head))
    if len(pairs) > _MAX_LINES:
        yield _INDENT + paint("dim", f"… {count(len(pairs) - _MAX_LINES, 'more field')}")


def _sentences(entry: Entry) -> Iterator[tuple[str, str]]:
    """The lines above the fields, each with its style: warnings, verdict, request."""
    delivery = entry.delivery
    for warning in entry.event.warnings:
        yield "warning", f"! {disarm(warning)}"
    if verdict := entry.verdict:
        verdict_style = "dim" if verdict.kind == "valid" else "warning"
        yield verdict_style, f"signature {disarm(verdict.kind)}: {disarm(verdict.why)}"
    yield "dim", f"{disarm(delivery.method)} {disarm(delivery.path)}{_from(entry)}"


def whole(entry: Entry, style: LineStyle) -> Iterator[str]:
    """The lines that `-vv` adds: headers, then the body, indented and coloured."""
    paint, body = style.paint, entry.delivery.body
    for name, value in entry.delivery.headers:
        head = f"{_INDENT}{paint('key', disarm(name))}: "
        shown = disarm(masked_header(name, value))
        yield from hanging(head, shown, style.width, len(_INDENT) + 2)
    text = _formatted(entry)
    if text is None:
        yield from _raw(masked_body(body, entry.payload), paint, entry.payload.problem)
        return
    lines = text.split("\n")
    for line in lines[:_MAX_LINES]:
        yield _INDENT + paint("dim", "│ ") + _coloured(disarm(_truncate(line)), paint)
    if len(lines) > _MAX_LINES:
        yield _INDENT + paint("dim", f"… {count(len(lines) - _MAX_LINES, 'more line')}")


def _from(entry: Entry) -> str:
    delivery, lag = entry.delivery, entry.lag_s
    remote = f" from {disarm(delivery.remote)}" if delivery.remote else ""
    late = "" if lag is None else f", {duration(lag)} after the event"
    return f"{remote}, {size(len(delivery.body))}{late}, delivery {disarm(delivery.id)}"


def _flatten(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Flatten a payload: each scalar with its dotted path, in order."""
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict) and value:
        children = [
            (f"{path}.{key}" if path else str(key) or '""', child) for key, child in value.items()
        ]
    elif isinstance(value, list) and value:
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    elif path or value is not None:
        yield path or "body", value
    for child_path, child in children:
        if len(child_path) < 200:  # noqa: PLR2004 - too deep to be useful
            yield from _flatten(child, child_path)
        else:
            yield child_path[:200] + "…", "…"


def _value(key: str, value: Any, paint: Paint) -> str:
    match value:
        case str():
            return disarm(_truncate(value)) if value else paint("dim", '""')
        case bool() | None:
            return paint("constant", json.dumps(value))
        case int() if key.rpartition(".")[2] in {"timestamp", "createdAt", "updatedAt"}:
            return f"{value}{_local_time(value, paint)}"
        case int() | float():
            return _number(value)
        case _:
            return paint("dim", "{}" if isinstance(value, dict) else "[]")


def _number(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python formats
        return f"{float(value):g}"


def _local_time(value: int, paint: Paint) -> str:
    at = instant(value)
    try:
        return paint("dim", f"  {at.astimezone():%Y-%m-%d} {clock(at)}") if at else ""
    except OverflowError:  # the last hours of 9999 are in year 10000 east of UTC
        return ""


def _truncate(text: str) -> str:
    over = len(text) - _MAX_CHARS
    return text if over <= 0 else f"{text[:_MAX_CHARS]}… ({over:,} more characters)"


def _formatted(entry: Entry) -> str | None:
    """The body as indented JSON; None if it is not JSON."""
    line = entry.payload.json
    if line is None:
        return None
    import msgspec

    try:
        text = msgspec.json.format(line, indent=2).decode()
    except (ValueError, RecursionError):
        text = json.dumps(json.loads(line), indent=2, ensure_ascii=False)
    return masked_layout(text)


def _raw(body: bytes, paint: Paint, problem: str | None) -> Iterator[str]:
    """A body that is not JSON: as it is, and the problem."""
    text = masked_text(body[:_MAX_CHARS].decode("utf-8", "backslashreplace"))
    for line in text.split("\n")[:_MAX_LINES]:
        yield f"{_INDENT}{paint('dim', '│')} {disarm(line)}"
    if len(body) > _MAX_CHARS:
        yield _INDENT + paint("dim", f"… {size(len(body) - _MAX_CHARS)} more")
    if problem:
        yield _INDENT + paint("failed", f"^ {disarm(problem)}")


_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<constant>\b(?:true|false|null)\b)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
)


def _coloured(line: str, paint: Paint) -> str:
    return _TOKEN.sub(lambda match: paint(str(match.lastgroup), match[0]), line)
