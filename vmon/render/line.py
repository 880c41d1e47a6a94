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
from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from vmon.events.catalogue import verb
from vmon.events.models import (
    CallEvent,
)
from vmon.events.redelivery import LIKE_VONAGE
from vmon.humanize import SPLIT_S, compact, count, duration, handle
from vmon.render.style import LineStyle, Piece, colour_of, painted
from vmon.render.subject import handle_of, subject
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from datetime import datetime

    from vmon.events.entry import Entry
    from vmon.events.verdict import Verdict
    from vmon.sessions.tracker import Annotation

GLYPHS = {"created": "+", "destroyed": "-", "changed": "~", "failed": "!"}
_TYPE_WIDTH = 19
_SESSION_WIDTH = 6
_LAG_WIDTH = 6
_ROOMY, _NARROW, _SLIM = 100, 72, 50
"""Below these widths it is said behind who it is about that it comes again or late; then the lag
and the milliseconds go; then the session, the alignment, and the ID of who has a name."""


def line(entry: Entry, look: LineStyle, note: Annotation | None = None) -> str:
    """The line of an entry, without a newline; its width in columns is at most the look's.

    `note` is what is known of it from other events.
    """
    event, width = entry.event, look.width
    slim = width is not None and width < _SLIM
    narrow = width is not None and width < _NARROW
    at = entry.delivery.received_or_none
    pieces = [
        ("dim", _when(at, is_dated=look.is_dated, seconds=narrow)),
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
    own = handle_of(connection) if connection else None
    return [
        piece
        for piece, after in zip_longest(pieces, pieces[1:])
        if piece != own or after is None or after[0] != "name"
    ]


def _behind_who(pieces: list[Piece]) -> int:
    """Behind which piece it is said who it is about: what comes then may be cut off."""
    return next((at for at, piece in enumerate(pieces, 1) if piece[0] == "name"), 0)


def verdict_line(entry: Entry, verdict: Verdict, look: LineStyle) -> str:
    """The line of an entry for one who asks about its signature alone."""
    style = {"valid": "created", "invalid": "failed"}.get(verdict.kind, "warning")
    pieces = [
        ("dim", _when(entry.delivery.received_or_none, is_dated=False, seconds=False)),
        _type_column(entry.type, entry.event.status, aligned=True),
        _session_column(entry.event.session_id),
        (style, f"{disarm(verdict.kind)} "),
        ("", f"{disarm(verdict.why)} "),
        ("dim", f"id {disarm(entry.delivery.id)}"),
    ]
    return painted(pieces, look)


def _when(at: datetime | None, *, is_dated: bool, seconds: bool) -> str:
    """The clock, after the day where that is wanted; `-`, as wide as both, where there is none."""
    if at is None:
        return "-".ljust(11 * is_dated + (9 if seconds else 13))
    return (day_of(at) + " " if is_dated else "") + _clock(at, seconds=seconds)


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
    if 0 <= lag < SPLIT_S:
        return _milliseconds(round(lag * 1000))
    style = "warning" if lag > _LATE_S or lag < -1 else "dim"
    return style, compact(lag).rjust(_LAG_WIDTH) + "  "


@lru_cache(maxsize=1024)
def _milliseconds(lag_ms: int) -> Piece:
    return "dim", f"{lag_ms}ms".rjust(_LAG_WIDTH) + "  "


_LATE_S = 5.0
"""A delivery after the first retry of Vonage's is worth a colour."""


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


def not_drawn(number: int) -> str:
    """What is said of deliveries that came faster than they can be drawn."""
    return f"… {count(number, 'more', 'more')}, not shown (all captured)"
