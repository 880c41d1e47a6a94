"""A delivery as one aligned line.

    14:02:07.318 + streamCreated       kxOH45  166ms  c053fcc8 Ann "desk" camera 63245362

Time, verb, type, session, delivery lag stand in columns; then who or what, the reason where it is
not an ordinary one, how long the stream, connection or recording lasted, and the first warning.
The verdict on the signature, if there is one, is before who or what.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from vmon.events.catalogue import verb
from vmon.events.models import CallEvent, Event
from vmon.events.redelivery import LIKE_VONAGE
from vmon.humanize import SPLIT_S, compact, duration, handle
from vmon.render.fitting import fitted
from vmon.render.style import LineStyle, Piece, colour_of, format_line
from vmon.render.subject import handle_of, short, subject
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
"""Widths in columns below which the badge (repeated, late) moves behind the name; then the lag
and milliseconds are dropped; then session, alignment, and the ID of a named person."""


def line(entry: Entry, style: LineStyle, note: Annotation | None = None) -> str:
    """Format an entry as a line without newline, at most as wide as the style (in columns).

    `note` is what other events say about it.
    """
    event, width = entry.event, style.width
    slim = width is not None and width < _SLIM
    narrow = width is not None and width < _NARROW
    at = entry.delivery.received_or_none
    pieces = [
        ("dim", _when(at, is_dated=style.is_dated, seconds=narrow)),
        _type_column(entry.type, event.status, aligned=not slim),
    ]
    if not slim:
        pieces.append(_session_column(event.session_id))
    if not narrow:
        pieces.append(_lag_column(entry.lag_s))
    if entry.verdict is not None:
        pieces.append(_verdict_mark(entry.verdict))
        if entry.verdict.refused:
            pieces.append(_rejected(note.copies if note else 1))
    who = note.who if note else None
    about = subject(event, who)
    if slim and (who or not isinstance(event, CallEvent)):
        about = _without_own_id(about, event.connection_id)
    if note is not None and note.badge:
        roomy = width is None or width >= _ROOMY
        about.insert(0 if roomy else _after_name(about), ("warning", note.badge + " "))
    if width is not None and sum(len(text) for _, text in pieces + about) > width:
        return format_line(fitted(pieces, about, _decisive(event), width), style)
    return format_line(pieces + about, style)


def _decisive(event: Event) -> frozenset[str]:
    """The words that say what became of something: its status, its reason."""
    code = event.reason_code if isinstance(event, CallEvent) else None
    return frozenset(short(word) for word in (event.status, event.reason, code) if word)


def _without_own_id(pieces: list[Piece], connection: str | None) -> list[Piece]:
    """Drop the ID of a person whose name follows: there is no room for both."""
    own = handle_of(connection) if connection else None
    return [
        piece
        for piece, following in zip_longest(pieces, pieces[1:])
        if piece != own or following is None or following[0] != "name"
    ]


def _after_name(pieces: list[Piece]) -> int:
    """The index after the name, or 0: what follows may be truncated."""
    return next((index for index, piece in enumerate(pieces, 1) if piece[0] == "name"), 0)


def verdict_line(entry: Entry, verdict: Verdict, style: LineStyle) -> str:
    """Format an entry as a line about its signature."""
    kind_style = {"valid": "created", "invalid": "failed"}.get(verdict.kind, "warning")
    pieces = [
        ("dim", _when(entry.delivery.received_or_none, is_dated=False, seconds=False)),
        _type_column(entry.type, entry.event.status, aligned=True),
        _session_column(entry.event.session_id),
        (kind_style, f"{disarm(verdict.kind)} "),
        ("", f"{disarm(verdict.why)} "),
        ("dim", f"delivery {disarm(entry.delivery.id)}"),
    ]
    return format_line(pieces, style)


def _when(at: datetime | None, *, is_dated: bool, seconds: bool) -> str:
    """The clock, after the day where that is wanted; `-`, as wide as both, where there is none."""
    if at is None:
        return "-".ljust(11 * is_dated + (9 if seconds else 13))
    return (day_of(at) + " " if is_dated else "") + _clock(at, seconds=seconds)


def _clock(at: datetime, *, seconds: bool) -> str:
    millis = " " if seconds else f".{at.microsecond // 1000:03d} "
    return _second(at.timestamp() // 1) + millis


def day_of(at: datetime) -> str:
    """The local date of an instant: `2026-11-24`."""
    return _day(at.timestamp() // _QUARTER_S * _QUARTER_S)


@lru_cache(maxsize=64)
def _day(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(epoch_s))


_QUARTER_S = 900
"""Local days begin at whole quarters of an hour in every time zone."""


@lru_cache(maxsize=64)
def _second(epoch_s: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(epoch_s))


@lru_cache(maxsize=256)
def _type_column(name: str, status: str | None, *, aligned: bool) -> Piece:
    action = "changed" if name == "unknown" else verb(name, status)
    glyph = "?" if name == "unknown" else GLYPHS[action]
    shown = disarm(name)  # a capture file is not trusted
    return action, f"{glyph} {set_cell_size(shown, _TYPE_WIDTH) if aligned else shown} "


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
"""Lags beyond Vonage's first retry are coloured."""


@lru_cache(maxsize=256)
def _verdict_mark(verdict: Verdict) -> Piece:
    """The mark of a signature's verdict: short if valid, else with the first clause of `why`."""
    kind, clause = disarm(verdict.kind), disarm(_CLAUSE.split(verdict.why, maxsplit=1)[0])
    match verdict.kind:
        case "valid":
            return "dim", "✓ "
        case "unchecked":
            return "dim", f"{kind} "
        case "unsigned":
            return "warning", f"{kind} "
        case "invalid":
            return "failed", f"{kind}: {clause} "
        case _:
            return "warning", f"{kind}: {clause} "


@lru_cache(maxsize=64)
def _rejected(copies: int) -> Piece:
    """The response 401, and when Vonage retries after so many copies."""
    return "failed", f"401, retry in {duration(LIKE_VONAGE.wait_s(max(copies, 1)))} "


_CLAUSE = re.compile(r"[:;,]| \(")
"""Where the first clause of a sentence ends; -v shows the whole sentence."""
