"""The session model: the state reduced from a session's events, in whatever order they arrive.

Merging is commutative and idempotent: the earliest beginning, the earliest end, the set of what was
seen; of names and the like that differ, the first in alphabetical order.
Times are ms since the epoch, UTC, by Vonage's clock; where an event has none (render, captions), by
the receiver's, at its first copy; 0 where neither is known (a bare body without a timestamp).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from vmon.events.timestamps import FUTURE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGUN, ENDED, NAMED, SECONDS = 1, 2, 4, 8
"""Flags of `seen`: by the part's own begin event, by its own end event, named in another part's
event; and whether a timestamp of it was in seconds instead of ms (it is in ms here)."""


class ConnectionState(Struct, gc=False):
    """A connection. `name` is from its token data."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    name: str | None = None


class StreamState(Struct, gc=False):
    """A stream, and the id of the connection that publishes it."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    connection: str | None = None
    name: str | None = None
    video_type: str | None = None


class Call(Struct, gc=False):
    """A SIP call, the id of its connection (in `people`), and when each state was first seen."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    connection: str | None = None
    states: dict[str, int] = field(default_factory=dict)


Kind = Literal["archive", "broadcast", "render", "captions"]


class OutputState(Struct, gc=False):
    """An archive, broadcast, render or captions: when each status and reason was first seen.

    `reason` is the newest of `reasons`; `duration_s` and `size` (bytes) are the largest stated;
    `stream` is the one that a render publishes; `tag` tells archives or broadcasts of one session
    apart.
    """

    id: str
    kind: Kind
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    name: str | None = None
    duration_s: float | None = None
    size: int | None = None
    stream: str | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    tag: str | None = None


Part = ConnectionState | StreamState | Call | OutputState


class Session(Struct, gc=False):
    """The state of a session ID: its rounds of created and destroyed, and all of its parts.

    `created_ms` and `destroyed` (with reasons) hold one instant per round; `first_ms` and `last_ms`
    are the oldest and newest event's; `events` counts without `duplicates`, `seconds` those of them
    with a timestamp in seconds.
    """

    id: str
    projects: set[str] = field(default_factory=set)
    created_ms: set[int] = field(default_factory=set)
    destroyed: dict[int, str | None] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0
    events: int = 0
    duplicates: int = 0
    seconds: int = 0
    people: dict[str, ConnectionState] = field(default_factory=dict)
    streams: dict[str, StreamState] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    outputs: dict[tuple[Kind, str], OutputState] = field(default_factory=dict)


class Totals(Struct):
    """The totals of sessions that the store has forgotten; spans without an end count as 0."""

    sessions: int = 0
    people: int = 0
    streams: int = 0
    connected_ms: int = 0
    published_ms: int = 0
    events: int = 0
    duplicates: int = 0

    def add(self, session: Session) -> None:
        """Add a session."""
        self.sessions += 1
        self.people += len(session.people)
        self.streams += len(session.streams)
        self.connected_ms += sum(lasted_ms(person) for person in session.people.values())
        self.published_ms += sum(lasted_ms(stream) for stream in session.streams.values())
        self.events += session.events
        self.duplicates += session.duplicates


def lasted_ms(part: ConnectionState | StreamState | Call) -> int:
    """Return the duration of a part, ms; 0 where an end is unknown, or clocks disagree."""
    return max(0, part.ended_ms - part.created_ms) if part.ended_ms and part.created_ms else 0


def began_ms_of(part: Part) -> int | None:
    """Return when a part began: its creation, else its first state or status; None if unknown."""
    if part.created_ms:
        return part.created_ms
    return min(_seen_ms(part).values(), default=0) or None


def is_timeless(part: Part) -> bool:
    """Whether a part is known from bare bodies without any time: nobody knows when it was."""
    if part.created_ms or part.ended_ms:
        return False
    seen = _seen_ms(part).values()
    return part.created_ms == 0 or part.ended_ms == 0 or bool(seen and not any(seen))


def _seen_ms(part: Part) -> dict[str, int]:
    """Return the states or statuses of a part, and when each was first seen."""
    if isinstance(part, OutputState):
        return part.statuses
    return part.states if isinstance(part, Call) else {}


def active_counts(session: Session) -> tuple[int, int, int]:
    """Count the connections, streams and calls that are active now, as far as events say.

    All parts of a round that was destroyed, or of a connection that has ended, have ended too.
    """
    current = list(_of_last_round(session))
    people, streams, calls = (
        sum(isinstance(part, kind) and _is_active(session, part) for part in current)
        for kind in (ConnectionState, StreamState, Call)
    )
    return people, streams, calls


def is_open(session: Session) -> bool:
    """Whether the last round is open; agrees with `snapshot` and costs less.

    Open while one of its parts is active; a round without parts is open until it is destroyed.
    Where neither is known it is open while one of its outputs is, or where it has none.
    """
    is_empty = True
    for part in _of_last_round(session):
        if _is_active(session, part):
            return True
        is_empty = False
    if not is_empty:
        return False
    if max(session.created_ms, default=-1) > max(session.destroyed, default=-1):
        return True
    if session.destroyed:
        return False
    return not session.outputs or any(
        output.ended_ms is None for output in session.outputs.values()
    )


def _of_last_round(session: Session) -> Iterator[ConnectionState | StreamState | Call]:
    """Yield the parts that began after the session was last destroyed."""
    destroyed_ms = max(session.destroyed, default=-1)
    parts: Iterator[ConnectionState | StreamState | Call]
    parts = chain(session.people.values(), session.streams.values(), session.calls.values())
    for part in parts:
        if _begin_ms(session, part) > destroyed_ms:
            yield part


def known_begin_ms(session: Session, part: Part) -> int | None:
    """Return when a part began, as `began_ms_of`; None also where that is of the future.

    A creation is of the future if it is more than a day after the part's end, or the last event.
    """
    known_ms = began_ms_of(part)
    last_ms = part.ended_ms or session.last_ms
    if known_ms and last_ms and known_ms > last_ms + FUTURE_MS:
        return None
    return known_ms


def _begin_ms(session: Session, part: ConnectionState | StreamState | Call) -> int:
    """Return when a part began; where that is unknown, when its session did; 0 if timeless."""
    if is_timeless(part):
        return 0
    began_ms = known_begin_ms(session, part)
    return session.first_ms if began_ms is None else began_ms


def _is_active(session: Session, part: ConnectionState | StreamState | Call) -> bool:
    """Whether neither the part nor its connection has ended."""
    if part.ended_ms is not None or isinstance(part, ConnectionState):
        return part.ended_ms is None
    owner = session.people.get(part.connection or "")
    if owner is None:
        return True
    destroyed_ms = max(session.destroyed, default=-1)
    return owner.ended_ms is None and _begin_ms(session, owner) > destroyed_ms


def latest_end_ms(began_ms: int, destroyed: list[int], owner_ms: int | None) -> int | None:
    """Return the latest possible end of a part without an end event; None: it may be open.

    That is the end of its round (`destroyed` is sorted) or of its owner, its connection.
    """
    at = bisect_left(destroyed, began_ms)
    limits = destroyed[at : at + 1] + ([] if owner_ms is None else [max(began_ms, owner_ms)])
    return min(limits, default=None)


def first_after(instants: list[int], after: int, until: int | None = None) -> int | None:
    """Return the first of sorted instants later than `after` and not later than `until`."""
    at = bisect_right(instants, after)
    if at == len(instants) or (until is not None and instants[at] > until):
        return None
    return instants[at]
