"""Sessions as trees: session → people → streams and calls; then archives and other outputs.

    ● kxOH45  2016-08-03 20:54  open for 12 min  1 of 2 participants, 1 stream, 7 events
    ├─ ● Ann  12 min  c053fcc8
    │  └─ ● camera "desk"  3 min  63245362
    └─ ○ Bob  40 s  networkDisconnected  5d2451b8

`●` is connected or open, `○` has ended. An inferred begin or end is noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.events.names import display_name
from vmon.events.timestamps import local
from vmon.humanize import count, duration, handle, size
from vmon.render.style import LineStyle, colour_of, format_line
from vmon.render.subject import short
from vmon.sessions.model import Call, ConnectionState, OutputState, StreamState
from vmon.sessions.snapshot import Member, SessionSnapshot, TimedPart, state_of, status_of
from vmon.sessions.timeline import odd_reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.render.style import Piece
    from vmon.sessions.model import Part
    from vmon.sessions.snapshot import Span

_MAX_GONE = 20
"""People who left that are shown on a terminal; the others are counted."""


class Node(NamedTuple):
    """A node of a tree: its line and its children."""

    pieces: list[Piece]
    under: list[Node]


def rows(
    laid: SessionSnapshot, look: LineStyle, now_ms: int, *, fold: bool = False
) -> Iterator[str]:
    """Format a session as a tree; with `fold` only the last people who left have a line.

    What is open lasts until now, or until the session's last event if that is later.
    """
    now_ms = max(now_ms, laid.session.last_ms)
    yield format_line(head(laid, now_ms), look)
    yield from _drawn(_nodes(laid, now_ms, fold=fold), look, "")


def _drawn(nodes: list[Node], look: LineStyle, before: str) -> Iterator[str]:
    for node in nodes:
        is_last = node is nodes[-1]
        branch = before + ("└─ " if is_last else "├─ ")
        yield format_line([("dim", branch), *node.pieces], look)
        yield from _drawn(node.under, look, before + ("   " if is_last else "│  "))


def head(laid: SessionSnapshot, now_ms: int) -> list[Piece]:
    """Format the line of a session."""
    session, last = laid.session, laid.rounds[-1]
    lasted = duration(laid.lasted_s(now_ms)) if last.is_dated else "-"
    lasted = ("open for " if last.is_open and last.is_dated else "") + lasted + "  "
    pieces = [
        _dot(last),
        (colour_of(session.id), handle(session.id, "session") + "  "),
        ("dim", f"{when(last.began_ms)}  "),
        ("name" if last.is_open else "", lasted),
    ]
    if len(laid.rounds) > 1:
        pieces.append(("", f"opened {len(laid.rounds)} times  "))
    pieces.append(("", ", ".join(_counts(laid)) + "  "))
    if last.reason:
        pieces.append(("warning", short(last.reason)))
    return pieces


def _counts(laid: SessionSnapshot) -> Iterator[str]:
    session = laid.session
    kinds = (
        ([one.span for one in laid.members], "connection", None),
        ([one.span for one in laid.all_streams()], "stream", None),
        ([one.span for one in laid.all_calls()], "call", None),
        *(([one.span for one in laid.outputs if one.thing.kind == kind], *_PLURALS[kind])  # type: ignore[union-attr] # outputs are OutputStates
          for kind in _PLURALS),
    )  # fmt: skip # one thing a line
    for spans, noun, plural in kinds:
        if spans:
            here = sum(one.is_open for one in spans)
            some = f"{here:,} of " if here and here < len(spans) else ""
            yield some + count(len(spans), noun, plural)
    if session.events:
        yield count(session.events, "event")
    if session.duplicates:
        yield count(session.duplicates, "duplicate")


_PLURALS = {
    "archive": ("archive", None),
    "broadcast": ("broadcast", None),
    "render": ("render", None),
    "captions": ("captions", "captions"),
}


def _nodes(laid: SessionSnapshot, now_ms: int, *, fold: bool) -> list[Node]:
    shown, hidden = _few(laid.members) if fold else (laid.members, 0)
    nodes = [_member(one, now_ms) for one in sorted(shown, key=lambda one: not one.span.is_open)]
    if hidden:
        nodes.append(Node([("dim", f"… {count(hidden, 'more', 'more')} who left")], []))
    return nodes + _leaves((*laid.streams, *laid.calls, *laid.outputs), now_ms)


def _few(members: list[Member]) -> tuple[list[Member], int]:
    """The connected members and the last who left, and the number of the others."""
    here = [one for one in members if one.span.is_open]
    gone = [one for one in members if not one.span.is_open]
    return here + gone[-_MAX_GONE:], max(0, len(gone) - _MAX_GONE)


def _member(member: Member, now_ms: int) -> Node:
    own = member.person
    name: Piece = (
        "name" if own.name else colour_of(own.id),
        short(display_name(own.id, own.name)) + "  ",
    )
    pieces = [_dot(member.span), name, *_life(own, member.span, now_ms), _id(own.id)]
    return Node(pieces, _leaves((*member.streams, *member.calls), now_ms))


def _leaves(seen: Iterable[TimedPart], now_ms: int) -> list[Node]:
    found = []
    for one in sorted(seen, key=lambda one: not one.span.is_open):
        pieces = [_dot(one.span), *_what(one.thing), *_life(one.thing, one.span, now_ms)]
        found.append(Node([*pieces, _id(one.thing.id)], []))
    return found


def _what(thing: Part) -> Iterator[Piece]:
    match thing:
        case StreamState():
            yield "", name_of(thing) + "  "
        case Call():
            yield "", "call "
            yield "name", short(state_of(thing) or "") + "  "
        case OutputState():
            status = status_of(thing) or ""
            yield "", name_of(thing) + "  "
            yield "failed" if status == "failed" else "name", short(status) + "  "
        case ConnectionState():
            yield "name", short(display_name(thing.id, thing.name)) + "  "


def name_of(thing: StreamState | OutputState) -> str:
    """What a stream or an output is called, harmless: `camera "desk"`, `archive "x" tag left`."""
    if isinstance(thing, StreamState):
        kind, tag = thing.video_type or "audio only", None
    else:
        kind, tag = thing.kind, thing.tag
    name = f' "{short(thing.name)}"' if thing.name else ""
    return short(kind) + name + (f" tag {short(tag)}" if tag else "")


def _life(thing: Part, span: Span, now_ms: int) -> Iterator[Piece]:
    yield "", _lasted(span, now_ms) + "  "
    if isinstance(thing, OutputState) and thing.size:
        yield "", size(thing.size) + "  "
    if why := odd_reason(thing, span):
        yield "warning", short(why) + "  "


def _lasted(span: Span, now_ms: int) -> str:
    """Format a duration: `12 min`; or `at most 12 min, no end event received` (inferred end)."""
    if not span.is_dated:
        return "-"
    lasted = duration(span.lasted_s(now_ms))
    if not span.is_open and not span.end_told:
        lasted = f"at most {lasted}, no end event received"
    return lasted if span.begin_told else f"{lasted}, no start event received"


def _dot(span: Span) -> Piece:
    return ("created", "● ") if span.is_open else ("dim", "○ ")


def _id(identifier: str) -> Piece:
    return colour_of(identifier), handle(identifier) + "  "


def when(at_ms: int) -> str:
    """Format a local date and time, to the minute; `-` if there is none."""
    return local(at_ms).strftime("%Y-%m-%d %H:%M") if at_ms else "-"
