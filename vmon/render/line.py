"""One delivery as one aligned line.

    14:02:07.318 + streamCreated       kxOH45  166ms  c053fcc8 Ann  "desk" camera

Time, verb, type, session, delivery lag stand in columns; then who or what, the reason where it is
not an ordinary one, how long the thing lived, and the first thing that is wrong with the event.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from vmon.catalogue import ALL, verb
from vmon.events import (
    ArchiveEvent,
    BroadcastEvent,
    CallEvent,
    CaptionsEvent,
    ConnectionEvent,
    RenderEvent,
    SessionEvent,
    StreamEvent,
    Undecodable,
    UnknownEvent,
    person,
)
from vmon.render.paint import colour_of
from vmon.text import count, disarm, duration, handle, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vmon.entry import Entry
    from vmon.events import Connection, Event
    from vmon.render.paint import Paint

GLYPHS = {"created": "+", "destroyed": "-", "changed": "~", "failed": "!"}
_TYPE_WIDTH = 19
_SESSION_WIDTH = 6
_LAG_WIDTH = 6
_NARROW, _SLIM = 72, 50
"""Below these widths the lag and the milliseconds go, then the session and the alignment."""

Piece = tuple[str, str]
"""A style ("" for none), and harmless text."""


class Look(NamedTuple):
    """How lines are drawn: the paint, and how many columns there are (None: no end)."""

    paint: Paint
    width: int | None = None


def line(entry: Entry, look: Look) -> str:
    """The line of an entry, without a newline; its width in columns is at most the look's."""
    event, width = entry.event, look.width
    slim = width is not None and width < _SLIM
    narrow = width is not None and width < _NARROW
    pieces = [("dim", _clock(entry.delivery.received_at, seconds=narrow)), ("", " ")]
    pieces.append(_type_column(entry.payload.type, event.status, aligned=not slim))
    if not slim:
        pieces += _session_column(event.session_id)
    if not narrow:
        pieces.append(_lag_column(lag_s(entry)))
    pieces.append(("", "  " if not slim else " "))
    pieces += spaced(subject(event))
    return _painted(pieces, look)


def _painted(pieces: Iterable[Piece], look: Look) -> str:
    paint, left = look.paint, look.width
    if left is None:
        return "".join([paint(style, text) if style else text for style, text in pieces]).rstrip()
    out = []
    for style, text in pieces:
        wide = len(text) if text.isascii() else cell_len(text)
        shown = text if wide <= left else set_cell_size(text, max(left - 1, 0)) + "…"
        out.append(paint(style, shown) if style else shown)
        left -= wide
        if left < 0:
            break
    return "".join(out).rstrip()


def lag_s(entry: Entry) -> float | None:
    """Delivery lag in seconds: receipt less the event's own time; None when it has none."""
    said = entry.event.timestamp_at
    if said is None or entry.delivery.remote is None:  # a bare body was received by nobody
        return None
    return (entry.delivery.received_at - said).total_seconds()


def _clock(at: datetime, *, seconds: bool) -> str:
    second, micros = divmod(round(at.timestamp() * 1_000_000), 1_000_000)
    return _second(second) if seconds else f"{_second(second)}.{micros // 1000:03d}"


@lru_cache(maxsize=64)
def _second(epoch_s: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


@lru_cache(maxsize=256)
def _type_column(name: str, status: str | None, *, aligned: bool) -> Piece:
    what = "changed" if name == "unknown" else verb(name, status)
    glyph = "?" if name == "unknown" else GLYPHS[what]
    return what, f"{glyph} {name:{_TYPE_WIDTH}} " if aligned else f"{glyph} {name}"


@lru_cache(maxsize=4096)
def _session_column(session: str | None) -> tuple[Piece, Piece]:
    if session is None:
        return ("dim", "-".ljust(_SESSION_WIDTH)), ("", " ")
    short = handle(session, "session")
    return (colour_of(session), short), ("", " " * max(1, _SESSION_WIDTH - cell_len(short) + 1))


def _lag_column(lag: float | None) -> Piece:
    if lag is None:
        return "dim", "-".rjust(_LAG_WIDTH)
    late = "warning" if lag > _LATE_S or lag < -1 else "dim"
    return late, compact(lag).rjust(_LAG_WIDTH)


_LATE_S = 5.0
"""A delivery after the first retry of Vonage's is worth a colour."""


def compact(seconds: float) -> str:
    """A duration in at most six columns: `85ms`, `1.5s`, `20min`, `3h`, `412d`, `-3s`."""
    value = abs(seconds)
    sign = "-" if seconds < 0 else ""
    if value < 0.9995:  # noqa: PLR2004 - else it would be rounded to 1000 ms
        return f"{sign}{value * 1000:.0f}ms"
    if value < 9.95:  # noqa: PLR2004 - one decimal where it tells something
        return f"{sign}{value:.1f}s"
    for unit, per, most in (("s", 1, 99.5), ("min", 60, 99.5), ("h", 3600, 47.5)):
        if value / per < most:
            return f"{sign}{value / per:.0f}{unit}"
    return f"{sign}{min(value / 86400, 99999):.0f}d"


def spaced(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The pieces with a space between each two."""
    first = True
    for piece in pieces:
        if not first:
            yield "", " "
        first = False
        yield piece


def subject(event: Event) -> Iterator[Piece]:
    """Who or what an event is about, and what there is to say of it."""
    yield from _what(event)
    yield from _why(event)
    if (lived := event.lived_s) is not None:
        did = "recorded" if isinstance(event, ArchiveEvent) else "lived"
        yield "dim", f"{did} {duration(lived)}"
    if event.warnings:
        more = f" (+{len(event.warnings) - 1} more)" if len(event.warnings) > 1 else ""
        yield "warning", f"! {disarm(event.warnings[0])}{more}"


def _what(event: Event) -> Iterable[Piece]:  # noqa: PLR0911 - one return per shape
    match event:
        case ConnectionEvent():
            return _connection(event.connection_id, _data(event.connection))
        case StreamEvent():
            return _stream(event)
        case CallEvent():
            return _call(event)
        case ArchiveEvent():
            return _archive(event)
        case BroadcastEvent() | RenderEvent() | CaptionsEvent():
            return _output(event)
        case SessionEvent():
            return ()
        case UnknownEvent():
            return _unknown(event)
        case Undecodable():
            return (("failed", disarm(event.problem or "")),)


def _connection(identifier: str | None, data: str | None = None) -> Iterator[Piece]:
    if identifier:
        yield colour_of(identifier), handle(identifier)
    if name := person(data):
        yield "name", _short(name)


def _data(connection: Connection | None) -> str | None:
    return connection.data if connection else None


def _stream(event: StreamEvent) -> Iterator[Piece]:
    stream = event.stream
    if stream is None:
        return
    yield from _connection(event.connection_id, _data(stream.connection))
    if stream.id:
        yield colour_of(stream.id), handle(stream.id)
    if stream.name:
        yield "", f'"{_short(stream.name)}"'
    yield "", _short(stream.video_type or "audio only")


def _call(event: CallEvent) -> Iterator[Piece]:
    if event.call_id:
        yield colour_of(event.call_id), handle(event.call_id)
    yield from _connection(event.connection_id)
    if event.status:
        yield "name", _short(event.status)
    if event.reason_code:
        yield "", _short(event.reason_code)


def _archive(event: ArchiveEvent) -> Iterator[Piece]:
    yield from _output(event)
    if event.name:
        yield "", f'"{_short(event.name)}"'
    if event.size:
        yield "", size(event.size)


def _output(event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent) -> Iterator[Piece]:
    identifier = (
        event.captions_id or event.caption_id if isinstance(event, CaptionsEvent) else event.id
    )
    if identifier:
        yield colour_of(identifier), handle(identifier)
    if event.status:
        style = "failed" if event.status == "failed" else "name"
        yield style, _short(event.status)


def _unknown(event: UnknownEvent) -> Iterator[Piece]:
    if event.event:
        yield "name", f'"{_short(event.event)}"'
    yield "dim", "no type that vmon knows"


def _why(event: Event) -> Iterator[Piece]:
    reason, entry = event.reason, ALL[event.type]
    if not reason or reason in entry.ordinary_reasons:
        return
    meaning = entry.reasons.get(reason)
    yield (
        "failed" if event.status == "failed" else "warning",
        _short(reason) + (":" if meaning else ""),
    )
    if meaning:
        yield "dim", meaning.rstrip(".")


def _short(text: str) -> str:
    """A stranger's text, harmless and not so long that it hides the rest."""
    safe = disarm(text[: _LONGEST + 1])
    return safe if len(text) <= _LONGEST else safe[:_LONGEST] + "…"


_LONGEST = 60


def not_drawn(number: int) -> str:
    """What is said of deliveries that came faster than they can be drawn."""
    return f"… {count(number, 'more', 'more')}, not drawn (all captured)"
