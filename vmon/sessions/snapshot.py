"""Who is where at an instant: a session's rounds, what of it is open, and since when.

What an event did not tell is worked out, and marked: a thing whose end nobody told ended with its
connection or its session. Instants are ms since the epoch, UTC.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from msgspec.structs import replace

from vmon.events.catalogue import FILED_STATUSES
from vmon.sessions.model import (
    Call,
    ConnectionState,
    OutputState,
    Part,
    Session,
    StreamState,
    began_ms_of,
    first_after,
    latest_end_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Span(NamedTuple):
    """From when to when: `ended_ms` None is open; `begin_told` and `end_told` say how sure it is.

    An end that was not told is the latest that it can have been; a begin likewise the earliest.
    """

    began_ms: int
    ended_ms: int | None
    reason: str | None = None
    begin_told: bool = True
    end_told: bool = True

    @property
    def is_open(self) -> bool:
        """It goes on."""
        return self.ended_ms is None

    def lasted_s(self, now_ms: int) -> float:
        """How long, in seconds; until now where it goes on."""
        ended_ms = now_ms if self.ended_ms is None else self.ended_ms
        return max(0, ended_ms - self.began_ms) / 1000


class TimedPart(NamedTuple):
    """A thing and its span."""

    thing: Part
    span: Span


class Member(NamedTuple):
    """A person, and the streams and calls that are theirs."""

    person: ConnectionState
    span: Span
    streams: list[TimedPart]
    calls: list[TimedPart]


class SessionSnapshot(NamedTuple):
    """A session laid out: rounds in their order, and all that was in it by its beginning.

    `streams` and `calls` are those whose connection nobody told of.
    """

    session: Session
    rounds: list[Span]
    members: list[Member]
    streams: list[TimedPart]
    calls: list[TimedPart]
    outputs: list[TimedPart]

    @property
    def is_open(self) -> bool:
        """The last round goes on."""
        return self.rounds[-1].is_open

    @property
    def began_ms(self) -> int:
        """When the first round began."""
        return self.rounds[0].began_ms

    def lasted_s(self, now_ms: int) -> float:
        """How long the last round lasted, in seconds.

        An open one lasts until now, or to the session's last event where clocks disagree.
        """
        return self.rounds[-1].lasted_s(max(now_ms, self.session.last_ms))

    def all_streams(self) -> Iterator[TimedPart]:
        """Every stream."""
        for member in self.members:
            yield from member.streams
        yield from self.streams

    def all_calls(self) -> Iterator[TimedPart]:
        """Every call."""
        for member in self.members:
            yield from member.calls
        yield from self.calls


def snapshot(session: Session) -> SessionSnapshot:
    """The session laid out."""
    ends = sorted(session.destroyed)
    people = {one.id: _span(session, one, ends) for one in session.people.values()}

    def owned(one: StreamState | Call) -> TimedPart:
        owner = people.get(one.connection or "")
        return TimedPart(one, _span(session, one, ends, owner.ended_ms if owner else None))

    streams = _by_begin(owned(one) for one in session.streams.values())
    calls = _by_begin(owned(one) for one in session.calls.values())
    outputs = _by_begin(
        TimedPart(one, _span(session, one, ends)) for one in session.outputs.values()
    )
    members = sorted(
        _members(session, people, streams, calls),
        key=lambda one: (one.span.began_ms, one.person.id),
    )
    alone = [one for one in streams if _connection(one) not in people]
    ringing = [one for one in calls if _connection(one) not in people]
    lives = [one.span for one in (*streams, *calls)] + list(people.values())
    rounds = _rounds(session, ends, lives, [one.span for one in outputs])
    return SessionSnapshot(session, rounds, members, alone, ringing, outputs)


def _members(
    session: Session, people: dict[str, Span], streams: list[TimedPart], calls: list[TimedPart]
) -> Iterator[Member]:
    theirs = _by_connection(streams), _by_connection(calls)
    for one in session.people.values():
        yield Member(one, people[one.id], theirs[0].get(one.id, []), theirs[1].get(one.id, []))


def _by_connection(seen: list[TimedPart]) -> dict[str, list[TimedPart]]:
    found: dict[str, list[TimedPart]] = {}
    for one in seen:
        found.setdefault(_connection(one), []).append(one)
    return found


def _connection(one: TimedPart) -> str:
    return (one.thing.connection if isinstance(one.thing, StreamState | Call) else None) or ""


def _by_begin(seen: Iterable[TimedPart]) -> list[TimedPart]:
    return sorted(seen, key=lambda one: (one.span.began_ms, one.thing.id))


def _span(session: Session, one: Part, ends: list[int], other_ms: int | None = None) -> Span:
    """The span of a thing; `other_ms` is the end of what it cannot outlive."""
    told = began_ms_of(one)
    began_ms = session.first_ms if told is None else told
    if one.ended_ms is not None:
        began_ms = min(began_ms, one.ended_ms) if told is None else began_ms
        return Span(began_ms, max(began_ms, one.ended_ms), one.reason, told is not None)
    ended_ms = latest_end_ms(began_ms, ends, other_ms)
    return Span(began_ms, ended_ms, None, told is not None, ended_ms is None)


def _rounds(
    session: Session, ends: list[int], lives: list[Span], outputs: list[Span]
) -> list[Span]:
    """The rounds of a session: each ends when it is destroyed, and begins with what follows."""
    found: list[Span] = []
    created, begins = sorted(session.created_ms), sorted(one.began_ms for one in lives)
    after = -1
    for end in ends:
        began = first_after(created, after, end), first_after(begins, after, end)
        if began == (None, None) and found:
            continue  # told twice
        told = [one for one in began if one is not None] or [min(session.first_ms, end)]
        reason = session.destroyed[end]
        found.append(Span(min(told), end, reason, began[0] is not None))
        after = end
    opened, alive = first_after(created, after), [one for one in lives if one.began_ms > after]
    if opened is not None or alive or not found:
        found.append(_last_round(session, opened, alive, outputs))
    return found


def _last_round(
    session: Session, opened: int | None, lives: list[Span], outputs: list[Span]
) -> Span:
    """The round that nobody told the end of: as open as who is in it, or else what."""
    inside = lives or ([] if opened is not None else outputs)
    begins = [one.began_ms for one in inside] + ([] if opened is None else [opened])
    began_ms = min(begins, default=session.first_ms)
    if not inside or any(one.is_open for one in inside):
        return Span(began_ms, None, begin_told=opened is not None)
    ended_ms = max(began_ms, *(one.ended_ms or 0 for one in inside))
    return Span(began_ms, ended_ms, None, opened is not None, end_told=False)


# As it was.


def as_of(session: Session, at_ms: int) -> Session | None:
    """The session as it stood at an instant; None when it had not begun. Events are not counted."""
    began_ms = snapshot(session).began_ms
    if began_ms > at_ms:
        return None
    return replace(
        session,
        created_ms={one for one in session.created_ms if one <= at_ms},
        destroyed={one: why for one, why in session.destroyed.items() if one <= at_ms},
        first_ms=min(session.first_ms, at_ms),
        last_ms=min(session.last_ms, at_ms),
        events=0,
        duplicates=0,
        people=_until(session.people, at_ms),
        streams=_until(session.streams, at_ms),
        calls={key: _call(one, at_ms) for key, one in _until(session.calls, at_ms).items()},
        outputs={key: _output(one, at_ms) for key, one in _until(session.outputs, at_ms).items()},
    )


_Key = TypeVar("_Key")
_Any = TypeVar("_Any", ConnectionState, StreamState, Call, OutputState)


def _until(things: dict[_Key, _Any], at_ms: int) -> dict[_Key, _Any]:
    """The things that had begun, those that had not ended yet without their end."""
    begun = {key: one for key, one in things.items() if (began_ms_of(one) or 0) <= at_ms}
    return {
        key: replace(one, ended_ms=None, reason=None) if (one.ended_ms or 0) > at_ms else one
        for key, one in begun.items()
    }


def _call(one: Call, at_ms: int) -> Call:
    return replace(one, states={key: ms for key, ms in one.states.items() if ms <= at_ms})


def _output(one: OutputState, at_ms: int) -> OutputState:
    kept = {key: ms for key, ms in one.statuses.items() if ms <= at_ms}
    if len(kept) < len(one.statuses):  # told only at its end, as far as anyone knows
        return replace(one, statuses=kept, duration_s=None, size=None)
    return one


def status_of(one: OutputState) -> str | None:
    """Return the newest status of an output; whatever may follow `stopped` is newer than it."""
    told = one.statuses
    return max(told, key=lambda name: (name in FILED_STATUSES, told[name], name), default=None)


def state_of(one: Call) -> str | None:
    """The state a call has: the newest told."""
    return max(one.states, key=lambda name: (one.states[name], name), default=None)


class Order:
    """Sessions as they are looked at: open ones first, then those that began last.

    `find` gives the session of an id. Only what changed is worked out anew, and nothing stays laid
    out: of many, few are drawn.
    """

    def __init__(self, find: Callable[[str], Session | None]) -> None:
        self._find = find
        self._keys: dict[str, tuple[bool, int, str]] = {}
        self._changed: set[str] = set()

    def note(self, identifier: str) -> None:
        """A session changed."""
        self._changed.add(identifier)

    def settle(self) -> None:
        """Work out where those stand that changed."""
        for identifier in self._changed:
            if session := self._find(identifier):
                last = snapshot(session).rounds[-1]
                self._keys[identifier] = not last.is_open, -last.began_ms, identifier
        self._changed.clear()

    def first(self, most: int | None = None) -> Iterator[SessionSnapshot]:
        """The first so many laid out, or all."""
        keys = self._keys.values()
        for _, _, identifier in sorted(keys) if most is None else nsmallest(most, keys):
            if session := self._find(identifier):
                yield snapshot(session)

    def counts(self) -> tuple[int, int]:
        """How many sessions there are, and how many of them are open."""
        return len(self._keys), sum(not is_closed for is_closed, _, _ in self._keys.values())
