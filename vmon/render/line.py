"""One delivery as one aligned line.

    14:02:07.318 + streamCreated       kxOH45  166ms  c053fcc8 Ann "desk" camera 63245362

Time, verb, type, session, delivery lag stand in columns; then who or what, the reason where it is
not an ordinary one, how long the thing lived, and the first thing that is wrong with the event.
Where there is a verdict on the signature, it stands before who or what.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from vmon.events.catalogue import ALL, verb
from vmon.events.models import (
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
from vmon.forward.retry import LIKE_VONAGE
from vmon.humanize import count, disarm, duration, handle, size
from vmon.render.style import colour_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vmon.events.entry import Entry
    from vmon.events.models import Connection, Event
    from vmon.events.verdict import Verdict
    from vmon.render.style import Paint
    from vmon.sessions.tracker import Note

GLYPHS = {"created": "+", "destroyed": "-", "changed": "~", "failed": "!"}
_TYPE_WIDTH = 19
_SESSION_WIDTH = 6
_LAG_WIDTH = 6
_ROOMY, _NARROW, _SLIM = 100, 72, 50
"""Below these widths it is said behind who it is about that it comes again or late; then the lag
and the milliseconds go; then the session, the alignment, and the ID of who has a name."""

Piece = tuple[str, str]
"""A style, and harmless text with the space that follows it."""


class Look(NamedTuple):
    """How lines are drawn: the paint, how many columns there are (None: no end), dated or not."""

    paint: Paint
    width: int | None = None
    is_dated: bool = False


def line(entry: Entry, look: Look, note: Note | None = None) -> str:
    """The line of an entry, without a newline; its width in columns is at most the look's.

    `note` is what is known of it from other events.
    """
    event, width = entry.event, look.width
    slim = width is not None and width < _SLIM
    narrow = width is not None and width < _NARROW
    at = entry.delivery.received_at
    pieces = [
        ("dim", (day_of(at) + " " if look.is_dated else "") + _clock(at, seconds=narrow)),
        _type_column(entry.type, event.status, aligned=not slim),
    ]
    if not slim:
        pieces.append(_session_column(event.session_id))
    if not narrow:
        pieces.append(_lag_column(entry.lag_s))
    if entry.verdict is not None:
        pieces.append(_mark(entry.verdict))
        if entry.verdict.refused:
            pieces.append(_turned_away(note.copies if note else 1))
    who = note.who if note else None
    told = subject(event, who)
    if slim and (who or not isinstance(event, CallEvent)):
        told = _named(told, event.connection_id)
    if note is not None and note.badge:
        roomy = width is None or width >= _ROOMY
        told.insert(0 if roomy else _behind_who(told), ("warning", note.badge + " "))
    return painted(pieces + told, look)


def _named(pieces: list[Piece], connection: str | None) -> list[Piece]:
    """Pieces without the ID of a person whose name follows: there is no room for both."""
    own = _handle(connection) if connection else None
    return [
        piece
        for piece, after in zip_longest(pieces, pieces[1:])
        if piece != own or after is None or after[0] != "name"
    ]


def _behind_who(pieces: list[Piece]) -> int:
    """Behind which piece it is said who it is about: what comes then may be cut off."""
    return next((at for at, piece in enumerate(pieces, 1) if piece[0] == "name"), 0)


def verdict_line(entry: Entry, verdict: Verdict, look: Look) -> str:
    """The line of an entry for one who asks about its signature alone."""
    style = {"valid": "created", "invalid": "failed"}.get(verdict.kind, "warning")
    pieces = [
        ("dim", _clock(entry.delivery.received_at, seconds=False)),
        _type_column(entry.type, entry.event.status, aligned=True),
        _session_column(entry.event.session_id),
        (style, f"{disarm(verdict.kind)} "),
        ("", f"{disarm(verdict.why)} "),
        ("dim", f"id {disarm(entry.delivery.id)}"),
    ]
    return painted(pieces, look)


def painted(pieces: list[Piece], look: Look) -> str:
    """Pieces as one line, cut to the look's width."""
    paint, width = look.paint, look.width
    plain = "".join([text for _, text in pieces]).rstrip()
    narrow = plain.isascii() or _ONE_EACH.fullmatch(plain) is not None
    if width is not None and (len(plain) if narrow else cell_len(plain)) > width:
        pieces = _begun(pieces, width - 1) if narrow else list(_cut(pieces, width - 1))
    elif not paint.end:
        return plain
    return "".join([paint[style] + text for style, text in pieces]).rstrip() + paint.end


def _wide(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


_ONE_EACH = re.compile("[ -~\xa1-\xac\xae-\u02ff…↩✓‹›]*")
"""Characters that take one column each, whatever stands beside them."""


def _begun(pieces: list[Piece], room: int) -> list[Piece]:
    """The same as `_cut`, of pieces in which every character takes one column."""
    for number, (style, text) in enumerate(pieces):
        room -= len(text)
        if room < 0:
            return [*pieces[:number], (style, text[:room] + "…")]
    return pieces


def _cut(pieces: Iterable[Piece], room: int) -> Iterator[Piece]:
    """What of the pieces goes into so many columns, and a mark that there was more."""
    for style, text in pieces:
        wide = _wide(text)
        if wide > room:
            yield style, set_cell_size(text, room) + "…"
            return
        room -= wide
        yield style, text


def _clock(at: datetime, *, seconds: bool) -> str:
    millis = " " if seconds else f".{at.microsecond // 1000:03d} "
    return _second(at.timestamp() // 1) + millis


def day_of(at: datetime) -> str:
    """The local day of an instant: `2026-11-24`."""
    return _day(at.timestamp() // _QUARTER_S * _QUARTER_S)


@lru_cache(maxsize=64)
def _day(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(epoch_s))


_QUARTER_S = 900
"""Local days begin at whole quarters of an hour, wherever one is."""


@lru_cache(maxsize=64)
def _second(epoch_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


@lru_cache(maxsize=256)
def _type_column(name: str, status: str | None, *, aligned: bool) -> Piece:
    what = "changed" if name == "unknown" else verb(name, status)
    glyph = "?" if name == "unknown" else GLYPHS[what]
    shown = disarm(name)  # a capture may have been made by anyone
    return what, f"{glyph} {set_cell_size(shown, _TYPE_WIDTH) if aligned else shown} "


@lru_cache(maxsize=4096)
def _session_column(session: str | None) -> Piece:
    if session is None:
        return "dim", "-".ljust(_SESSION_WIDTH + 1)
    short = handle(session, "session")
    return colour_of(session), set_cell_size(short, _SESSION_WIDTH) + " "


def _lag_column(lag: float | None) -> Piece:
    if lag is None:
        return "dim", "-".rjust(_LAG_WIDTH) + "  "
    if 0 <= lag < _SPLIT_S:
        return _milliseconds(round(lag * 1000))
    style = "warning" if lag > _LATE_S or lag < -1 else "dim"
    return style, compact(lag).rjust(_LAG_WIDTH) + "  "


@lru_cache(maxsize=1024)
def _milliseconds(lag_ms: int) -> Piece:
    return "dim", f"{lag_ms}ms".rjust(_LAG_WIDTH) + "  "


_SPLIT_S = 0.9995
"""What is longer is told in seconds: else it would be rounded to 1000 ms."""
_LATE_S = 5.0
"""A delivery after the first retry of Vonage's is worth a colour."""


def compact(seconds: float) -> str:
    """A duration in at most six columns: `85ms`, `1.5s`, `20min`, `3h`, `412d`, `-3s`."""
    value = abs(seconds)
    sign = "-" if seconds < 0 else ""
    if value < _SPLIT_S:
        return f"{sign}{value * 1000:.0f}ms"
    if value < 9.95:  # noqa: PLR2004 - one decimal where it tells something
        return f"{sign}{value:.1f}s"
    for unit, per, most in (("s", 1, 99.5), ("min", 60, 99.5), ("h", 3600, 47.5)):
        if value / per < most:
            return f"{sign}{value / per:.0f}{unit}"
    return f"{sign}{min(value / 86400, 9999):.0f}d"


@lru_cache(maxsize=256)
def _mark(verdict: Verdict) -> Piece:
    """What a line says of its signature: little when it is well, the gist of why when it is not."""
    kind, gist = disarm(verdict.kind), disarm(_CLAUSE.split(verdict.why, maxsplit=1)[0])
    match verdict.kind:
        case "valid":
            return "dim", "✓ "
        case "unchecked":
            return "dim", f"{kind} "
        case "unsigned":
            return "warning", f"{kind} "
        case "invalid":
            return "failed", f"{kind}: {gist} "
        case _:
            return "warning", f"{kind}: {gist} "


@lru_cache(maxsize=64)
def _turned_away(copies: int) -> Piece:
    """What comes of the answer 401 to the so-manieth copy."""
    return "failed", f"401, retry in {duration(LIKE_VONAGE.wait_s(max(copies, 1)))} "


_CLAUSE = re.compile(r"[:;,]| \(")
"""Where the gist of a sentence ends; the whole is told under -v."""


def subject(event: Event, who: str | None = None) -> list[Piece]:
    """Who or what an event is about, and what there is to say of it.

    `who` is what the person is called whose connection it is; without it, as the event says.
    """
    pieces = list(_what(event, who))
    if event.reason:
        pieces += _why(event)
    if (lived := event.lived_s) is not None:
        did = "recorded" if isinstance(event, ArchiveEvent) else "lasted"
        crooked = f"ended {duration(-lived)} before it began "
        pieces.append(("dim", f"{did} {duration(lived)} " if lived >= 0 else crooked))
    if event.warnings:
        more = f" (+{len(event.warnings) - 1} more)" if len(event.warnings) > 1 else ""
        pieces.append(("warning", f"! {disarm(event.warnings[0])}{more}"))
    return pieces


def _what(event: Event, who: str | None) -> Iterable[Piece]:  # noqa: PLR0911 - one return per shape
    match event:
        case ConnectionEvent():
            return _connection(event.connection, who)
        case StreamEvent():
            return _stream(event, who)
        case CallEvent():
            return _call(event, who)
        case ArchiveEvent():
            return _archive(event)
        case BroadcastEvent() | RenderEvent() | CaptionsEvent():
            return _output(event)
        case SessionEvent():
            return ()
        case UnknownEvent():
            return _unknown(event)
        case Undecodable():
            return (("failed", disarm(event.problem or "") + " "),)


@lru_cache(maxsize=8192)
def _handle(identifier: str) -> Piece:
    return colour_of(identifier), handle(identifier) + " "


def _connection(connection: Connection | None, who: str | None) -> list[Piece]:
    if connection is None:
        return []
    pieces = [_handle(connection.id)] if connection.id else []
    if name := who or (person(connection.data) if connection.data else None):
        pieces.append(("name", short(name) + " "))
    return pieces


def _stream(event: StreamEvent, who: str | None) -> list[Piece]:
    stream = event.stream
    if stream is None:
        return []
    pieces = _connection(stream.connection, who)
    if stream.name:
        pieces.append(("", f'"{short(stream.name)}" '))
    pieces.append(("", short(stream.video_type or "audio only") + " "))
    if stream.id:
        pieces.append(_handle(stream.id))
    return pieces


def _call(event: CallEvent, who: str | None) -> Iterator[Piece]:
    if event.call_id:
        yield _handle(event.call_id)
    if event.connection_id:
        yield _handle(event.connection_id)
        if who:
            yield "name", short(who) + " "
    if event.status:
        yield "name", short(event.status) + " "
    if event.reason_code:
        yield "", short(event.reason_code) + " "


def _archive(event: ArchiveEvent) -> Iterator[Piece]:
    yield from _output(event)
    if event.name:
        yield "", f'"{short(event.name)}" '
    if event.size:
        yield "", size(event.size) + " "


def _output(event: ArchiveEvent | BroadcastEvent | RenderEvent | CaptionsEvent) -> Iterator[Piece]:
    if isinstance(event, CaptionsEvent):
        identifier = event.captions_id or event.caption_id
    else:
        identifier = event.id
    if identifier:
        yield _handle(identifier)
    if event.status:
        yield "failed" if event.status == "failed" else "name", short(event.status) + " "


def _unknown(event: UnknownEvent) -> Iterator[Piece]:
    if event.event:
        yield "name", f'"{short(event.event)}" '
    yield "dim", "not a known event type "


def _why(event: Event) -> Iterator[Piece]:
    reason, entry = event.reason, ALL[event.type]
    if not reason or reason in entry.ordinary_reasons:
        return
    meaning = entry.reasons.get(reason)
    style = "failed" if event.status == "failed" else "warning"
    yield style, short(reason) + (": " if meaning else " ")
    if meaning:
        yield "dim", meaning.rstrip(".") + " "


_LONGEST = 60


def short(text: str) -> str:
    """A stranger's text, harmless and not so long that it hides the rest."""
    if len(text) <= _LONGEST:
        return disarm(text)
    return disarm(text[: _LONGEST + 1])[:_LONGEST] + "…"


def not_drawn(number: int) -> str:
    """What is said of deliveries that came faster than they can be drawn."""
    return f"… {count(number, 'more', 'more')}, not shown (all captured)"
