"""A delivery in full: its fields as a block (`-v`), its headers and body as they came (`-vv`)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vmon.events.timestamps import instant
from vmon.humanize import clock, count, duration, size
from vmon.sanitize import disarm
from vmon.security.masking import masked, masked_body, masked_header, masked_layout, masked_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.render.style import LineStyle, Paint

_INDENT = "    "
_MOST_LINES = 400
_MOST_CHARS = 4000


def fields(entry: Entry, look: LineStyle) -> Iterator[str]:
    """The lines of `-v`: how the delivery came, its warnings, every field of its payload."""
    paint, delivery = look.paint, entry.delivery
    for warning in entry.event.warnings:
        yield _INDENT + paint("warning", f"! {disarm(warning)}")
    if verdict := entry.verdict:
        style = "dim" if verdict.kind == "valid" else "warning"
        yield _INDENT + paint(style, f"signature {disarm(verdict.kind)}: {disarm(verdict.why)}")
    yield _INDENT + paint("dim", f"{disarm(delivery.method)} {disarm(delivery.path)}{_from(entry)}")
    pairs = list(_flat(masked(entry.payload.value), ""))
    wide = min(max((len(key) for key, _ in pairs), default=0), 28)
    for key, value in pairs[:_MOST_LINES]:
        yield f"{_INDENT}{paint('key', disarm(key).ljust(wide))} {_value(key, value, paint)}"
    if len(pairs) > _MOST_LINES:
        yield _INDENT + paint("dim", f"… {count(len(pairs) - _MOST_LINES, 'more field')}")


def whole(entry: Entry, look: LineStyle) -> Iterator[str]:
    """The lines that `-vv` adds: headers, then the body, laid out and coloured."""
    paint, body = look.paint, entry.delivery.body
    for name, value in entry.delivery.headers:
        yield f"{_INDENT}{paint('key', disarm(name))}: {disarm(masked_header(name, value))}"
    text = _laid_out(entry)
    if text is None:
        yield from _raw(masked_body(body, entry.payload), paint, entry.payload.problem)
        return
    lines = text.split("\n")
    for line in lines[:_MOST_LINES]:
        yield _INDENT + paint("dim", "│ ") + _coloured(disarm(_cut(line)), paint)
    if len(lines) > _MOST_LINES:
        yield _INDENT + paint("dim", f"… {count(len(lines) - _MOST_LINES, 'more line')}")


def _from(entry: Entry) -> str:
    delivery, lag = entry.delivery, entry.lag_s
    remote = f" from {disarm(delivery.remote)}" if delivery.remote else ""
    late = "" if lag is None else f", {duration(lag)} after the event"
    return f"{remote}, {size(len(delivery.body))}{late}, id {disarm(delivery.id)}"


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every scalar of a payload under its dotted path, in the payload's order."""
    inner: list[tuple[str, Any]] = []
    if isinstance(value, dict) and value:
        inner = [(f"{path}.{key}" if path else str(key) or '""', one) for key, one in value.items()]
    elif isinstance(value, list) and value:
        inner = [(f"{path}[{at}]", one) for at, one in enumerate(value)]
    elif path or value is not None:
        yield path or "body", value
    for where, one in inner:
        if len(where) < 200:  # noqa: PLR2004 - nested beyond all use
            yield from _flat(one, where)
        else:
            yield where[:200] + "…", "…"


def _value(key: str, value: Any, paint: Paint) -> str:
    match value:
        case str():
            return disarm(_cut(value)) if value else paint("dim", '""')
        case bool() | None:
            return paint("constant", json.dumps(value))
        case int() if key.rpartition(".")[2] in {"timestamp", "createdAt", "updatedAt"}:
            return f"{value}{_moment(value, paint)}"
        case int() | float():
            return _number(value)
        case _:
            return paint("dim", "{}" if isinstance(value, dict) else "[]")


def _number(value: float) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python will write out
        return f"{float(value):g}"


def _moment(value: int, paint: Paint) -> str:
    at = instant(value)
    try:
        return paint("dim", f"  {at.astimezone():%Y-%m-%d} {clock(at)}") if at else ""
    except OverflowError:  # the last hours of the year 9999 are beyond it east of here
        return ""


def _cut(text: str) -> str:
    over = len(text) - _MOST_CHARS
    return text if over <= 0 else f"{text[:_MOST_CHARS]}… ({over:,} more characters)"


def _laid_out(entry: Entry) -> str | None:
    """The body as JSON laid out to be read; None when it is not JSON, or too deep to lay out."""
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
    """A body that is not JSON: as it is, and where it breaks."""
    text = masked_text(body[:_MOST_CHARS].decode("utf-8", "backslashreplace"))
    for line in text.split("\n")[:_MOST_LINES]:
        yield f"{_INDENT}{paint('dim', '│')} {disarm(line)}"
    if len(body) > _MOST_CHARS:
        yield _INDENT + paint("dim", f"… {size(len(body) - _MOST_CHARS)} more")
    if problem:
        yield _INDENT + paint("failed", f"^ {disarm(problem)}")


_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=\s*:)|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<constant>\b(?:true|false|null)\b)|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
)


def _coloured(line: str, paint: Paint) -> str:
    return _TOKEN.sub(lambda found: paint(str(found.lastgroup), found[0]), line)
