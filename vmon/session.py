"""What is known of a session: the facts that its events told, whatever order they came in.

Every fact is merged so that order and repetition change nothing: the earliest beginning, the
earliest end, the set of what was seen. Times are ms since the epoch, UTC, by Vonage's clock; where
an event tells none (render, captions), by the receiver's.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

BEGUN, ENDED, NAMED = 1, 2, 4
"""How a thing was seen: by its own begin event, its own end event, in another thing's event."""


class Person(Struct, gc=False):
    """A connection. `name` is from its token data; `project` events of it are the session's."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    name: str | None = None


class Feed(Struct, gc=False):
    """A stream, and the id of the connection that publishes it."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    connection: str | None = None
    name: str | None = None
    video_type: str | None = None


class Call(Struct):
    """A SIP call, the id of its connection, and when each state was first told."""

    id: str
    seen: int = 0
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    connection: str | None = None
    states: dict[str, int] = field(default_factory=dict)


Kind = Literal["archive", "broadcast", "render", "captions"]


class Job(Struct):
    """An archive, broadcast, render or captions: when each status was first told."""

    id: str
    kind: Kind
    created_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None
    name: str | None = None
    duration_s: float | None = None
    size: int | None = None
    statuses: dict[str, int] = field(default_factory=dict)


class Session(Struct):
    """A session id: its rounds of created and destroyed, and all that was in it.

    `created_ms` and `destroyed` (with reasons) hold one instant per round; `first_ms` and `last_ms`
    are the oldest and newest event's; `events` counts without `duplicates`.
    """

    id: str
    projects: set[str] = field(default_factory=set)
    created_ms: set[int] = field(default_factory=set)
    destroyed: dict[int, str | None] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0
    events: int = 0
    duplicates: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    feeds: dict[str, Feed] = field(default_factory=dict)
    calls: dict[str, Call] = field(default_factory=dict)
    jobs: dict[tuple[Kind, str], Job] = field(default_factory=dict)
