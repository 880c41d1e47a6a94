"""What is known of a session: the facts that its events told, whatever order they came in.

Every fact is merged so that order and repetition change nothing: the earliest beginning, the
earliest end, the set of what was seen; of names and the like that differ, the first by alphabet.
Times are ms since the epoch, UTC, by Vonage's clock; where an event tells none (render, captions),
by the receiver's, at its first copy; 0 where neither is known (a bare body that tells no time).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGUN, ENDED, NAMED, SECONDS = 1, 2, 4, 8
"""How a thing was seen: by its own begin event, its own end event, in another thing's event;
and whether a time of it was told in seconds, where ms are due (it stands in ms here)."""


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
    """A SIP call, the id of its connection (in `people`), and when each state was first told."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    connection: str | None = None
    states: dict[str, int] = field(default_factory=dict)


Kind = Literal["archive", "broadcast", "render", "captions"]


class OutputState(Struct, gc=False):
    """An archive, broadcast, render or captions: when each status and reason was first told.

    `reason` is the newest of `reasons`; `duration_s` and `size` (bytes) are the largest told;
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
    """A session id: its rounds of created and destroyed, and all that was in it.

    `created_ms` and `destroyed` (with reasons) hold one instant per round; `first_ms` and `last_ms`
    are the oldest and newest event's; `events` counts without `duplicates`, `seconds` those of them
    that told a time in seconds.
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
    feeds: dict[str, StreamState] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    jobs: dict[tuple[Kind, str], OutputState] = field(default_factory=dict)


class Totals(Struct):
    """What stays of sessions when all else is forgotten; time without an end counts as none."""

    sessions: int = 0
    people: int = 0
    feeds: int = 0
    connected_ms: int = 0
    published_ms: int = 0
    events: int = 0
    duplicates: int = 0

    def add(self, session: Session) -> None:
        """Count a session in."""
        self.sessions += 1
        self.people += len(session.people)
        self.feeds += len(session.feeds)
        self.connected_ms += sum(lived_ms(one) for one in session.people.values())
        self.published_ms += sum(lived_ms(one) for one in session.feeds.values())
        self.events += session.events
        self.duplicates += session.duplicates


def lived_ms(one: ConnectionState | StreamState | Call) -> int:
    """How long a thing lived, in ms; 0 while one of its ends is not known, or by crooked clocks."""
    return max(0, one.ended_ms - one.created_ms) if one.ended_ms and one.created_ms else 0


def began_ms_of(one: Part) -> int | None:
    """When a thing began, as far as it was told."""
    if one.created_ms is not None:
        return one.created_ms
    told = (
        one.states
        if isinstance(one, Call)
        else one.statuses
        if isinstance(one, OutputState)
        else {}
    )
    return min(told.values(), default=None)


def there(session: Session) -> tuple[int, int, int]:
    """How many people, streams and calls are there now, as far as events told.

    Whatever is of a round that was destroyed, or of a connection that is gone, has ended too.
    """
    now = list(_of_now(session))
    people, feeds, calls = (
        sum(isinstance(one, kind) and _is_there(session, one) for one in now)
        for kind in (ConnectionState, StreamState, Call)
    )
    return people, feeds, calls


def is_open(session: Session) -> bool:
    """Whether its last round goes on: what `snapshot` says too, without laying it out.

    As open as who is in it; a round that nobody entered is open until it is destroyed. Where
    neither is known it is as open as its archives and the like, or else open.
    """
    is_empty = True
    for one in _of_now(session):
        if _is_there(session, one):
            return True
        is_empty = False
    if not is_empty:
        return False
    if max(session.created_ms, default=-1) > max(session.destroyed, default=-1):
        return True
    if session.destroyed:
        return False
    return not session.jobs or any(job.ended_ms is None for job in session.jobs.values())


def _of_now(session: Session) -> Iterator[ConnectionState | StreamState | Call]:
    """Those that came after the session was last destroyed."""
    gone_ms = max(session.destroyed, default=-1)
    things: Iterator[ConnectionState | StreamState | Call]
    things = chain(session.people.values(), session.feeds.values(), session.calls.values())
    for one in things:
        if _came_ms(session, one) > gone_ms:
            yield one


def _came_ms(session: Session, one: ConnectionState | StreamState | Call) -> int:
    """When a thing began; where nobody told it, with its session."""
    began = began_ms_of(one)
    return session.first_ms if began is None else began


def _is_there(session: Session, one: ConnectionState | StreamState | Call) -> bool:
    """Whether it has no end, nor the connection it is of."""
    if one.ended_ms is not None or isinstance(one, ConnectionState):
        return one.ended_ms is None
    owner = session.people.get(one.connection or "")
    if owner is None:
        return True
    gone_ms = max(session.destroyed, default=-1)
    return owner.ended_ms is None and _came_ms(session, owner) > gone_ms


def latest_end_ms(began_ms: int, destroyed: list[int], owner_ms: int | None) -> int | None:
    """When that ended of which no end was told, at the latest; None: it may go on.

    That is with its round (sorted ends of its session) or with its owner, its connection.
    """
    at = bisect_left(destroyed, began_ms)
    limits = destroyed[at : at + 1] + ([] if owner_ms is None else [max(began_ms, owner_ms)])
    return min(limits, default=None)


def first_after(instants: list[int], after: int, until: int | None = None) -> int | None:
    """The first of sorted instants beyond one, and not beyond another."""
    at = bisect_right(instants, after)
    if at == len(instants) or (until is not None and instants[at] > until):
        return None
    return instants[at]
