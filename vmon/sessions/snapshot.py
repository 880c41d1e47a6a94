"""Snapshots of sessions: the rounds, and the span of each connection, stream, call and output.

A begin or end without an event is inferred, and marked as such: a part without an end event ended
with its connection or its session. Instants are ms since the epoch, UTC.
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
    is_timeless,
    known_begin_ms,
    latest_end_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Span(NamedTuple):
    """A begin and an end; `ended_ms` None is open, `begin_told` and `end_told` false are inferred.

    An inferred end is the latest possible, an inferred begin the earliest possible.
    `began_ms` is 0 if the part is known without any time: then its duration is unknown.
    """

    began_ms: int
    ended_ms: int | None
    reason: str | None = None
    begin_told: bool = True
    end_told: bool = True

    @property
    def is_open(self) -> bool:
        """Whether it has no end yet."""
        return self.ended_ms is None

    @property
    def is_dated(self) -> bool:
        """It is known when it was."""
        return self.began_ms > 0

    def lasted_s(self, now_ms: int) -> float:
        """Return its duration in seconds; of an open one, until now; 0 if it is unknown."""
        if not self.is_dated:
            return 0.0
        ended_ms = now_ms if self.ended_ms is None else self.ended_ms
        return max(0, ended_ms - self.began_ms) / 1000


class TimedPart(NamedTuple):
    """A part of a session, and its span."""

    thing: Part
    span: Span


class Member(NamedTuple):
    """A connection, with its streams and calls."""

    person: ConnectionState
    span: Span
    streams: list[TimedPart]
    calls: list[TimedPart]


class SessionSnapshot(NamedTuple):
    """A session with its rounds in order, and its parts sorted by their begin.

    `streams` and `calls` are those whose connection is unknown.
    """

    session: Session
    rounds: list[Span]
    members: list[Member]
    streams: list[TimedPart]
    calls: list[TimedPart]
    outputs: list[TimedPart]

    @property
    def is_open(self) -> bool:
        """Whether the last round is open."""
        return self.rounds[-1].is_open

    @property
    def began_ms(self) -> int:
        """When the first round began."""
        return self.rounds[0].began_ms

    def lasted_s(self, now_ms: int) -> float:
        """Return the duration of the last round, in seconds.

        An open one lasts until now, or to the session's last event where clocks disagree.
        """
        return self.rounds[-1].lasted_s(max(now_ms, self.session.last_ms))

    def all_streams(self) -> Iterator[TimedPart]:
        """Yield every stream."""
        for member in self.members:
            yield from member.streams
        yield from self.streams

    def all_calls(self) -> Iterator[TimedPart]:
        """Yield every call."""
        for member in self.members:
            yield from member.calls
        yield from self.calls


def snapshot(session: Session) -> SessionSnapshot:
    """Take a snapshot of a session: infer its rounds, and the spans of its parts."""
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
    spans = [one.span for one in (*streams, *calls)] + list(people.values())
    rounds = _rounds(session, ends, spans, [one.span for one in outputs])
    other_streams = [one for one in streams if _connection(one) not in people]
    other_calls = [one for one in calls if _connection(one) not in people]
    return SessionSnapshot(session, rounds, members, other_streams, other_calls, outputs)


def _members(
    session: Session, people: dict[str, Span], streams: list[TimedPart], calls: list[TimedPart]
) -> Iterator[Member]:
    own_streams, own_calls = _by_connection(streams), _by_connection(calls)
    for person in session.people.values():
        key = person.id
        yield Member(person, people[key], own_streams.get(key, []), own_calls.get(key, []))


def _by_connection(parts: list[TimedPart]) -> dict[str, list[TimedPart]]:
    grouped: dict[str, list[TimedPart]] = {}
    for part in parts:
        grouped.setdefault(_connection(part), []).append(part)
    return grouped


def _connection(part: TimedPart) -> str:
    return (part.thing.connection if isinstance(part.thing, StreamState | Call) else None) or ""


def _by_begin(parts: Iterable[TimedPart]) -> list[TimedPart]:
    """Sort parts by their begin; those without a time come last, in the order of receipt."""
    return sorted(
        parts,
        key=lambda part: (
            not part.span.is_dated,
            part.span.began_ms,
            part.thing.id if part.span.is_dated else "",
        ),
    )


def _span(session: Session, part: Part, ends: list[int], owner_ms: int | None = None) -> Span:
    """Infer the span of a part; `owner_ms` is the end of its connection."""
    if is_timeless(part):
        ended_ms = latest_end_ms(0, ends, owner_ms) if part.ended_ms is None else 0
        return Span(0, ended_ms, part.reason, begin_told=False, end_told=not ended_ms)
    known_ms = known_begin_ms(session, part)
    began_ms = session.first_ms if known_ms is None else known_ms
    if part.ended_ms is not None:
        began_ms = min(began_ms, part.ended_ms) if known_ms is None else began_ms
        return Span(began_ms, max(began_ms, part.ended_ms), part.reason, known_ms is not None)
    ended_ms = latest_end_ms(began_ms, ends, owner_ms)
    return Span(began_ms, ended_ms, None, known_ms is not None, ended_ms is None)


def _rounds(
    session: Session, ends: list[int], spans: list[Span], outputs: list[Span]
) -> list[Span]:
    """Infer the rounds: each ends when the session is destroyed; the next begins after that."""
    rounds: list[Span] = []
    created = sorted(session.created_ms)
    begins = sorted(span.began_ms for span in spans if span.is_dated)
    after = -1
    for end in ends:
        began = first_after(created, after, end), first_after(begins, after, end)
        if began == (None, None) and rounds:
            continue  # the same end again
        known = [at_ms for at_ms in began if at_ms is not None] or [min(session.first_ms, end)]
        reason = session.destroyed[end]
        rounds.append(Span(min(known), end, reason, began[0] is not None))
        after = end
    opened, later = first_after(created, after), [span for span in spans if span.began_ms > after]
    if opened is not None or later or not rounds:
        rounds.append(_last_round(session, opened, later, outputs))
    return rounds


def _last_round(
    session: Session, opened: int | None, spans: list[Span], outputs: list[Span]
) -> Span:
    """Infer the round without an end event: open while one of its parts, else outputs, is open."""
    inside = spans or ([] if opened is not None else outputs)
    begins = [span.began_ms for span in inside if span.is_dated]
    begins += [] if opened is None else [opened]
    began_ms = min(begins, default=session.first_ms)
    if not inside or any(span.is_open for span in inside):
        return Span(began_ms, None, begin_told=opened is not None)
    ended_ms = max(began_ms, *(span.ended_ms or 0 for span in inside))
    return Span(began_ms, ended_ms, None, opened is not None, end_told=False)


# Earlier states.


def as_of(session: Session, at_ms: int) -> Session | None:
    """Return the session as of an instant, without counts of events; None before its begin."""
    began_ms = snapshot(session).began_ms
    if began_ms > at_ms:
        return None
    return replace(
        session,
        created_ms={ms for ms in session.created_ms if ms <= at_ms},
        destroyed={ms: reason for ms, reason in session.destroyed.items() if ms <= at_ms},
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


def _until(parts: dict[_Key, _Any], at_ms: int) -> dict[_Key, _Any]:
    """Select the parts that had begun by an instant; a later end is removed from them."""
    begun = {key: part for key, part in parts.items() if (began_ms_of(part) or 0) <= at_ms}
    return {
        key: replace(part, ended_ms=None, reason=None) if (part.ended_ms or 0) > at_ms else part
        for key, part in begun.items()
    }


def _call(call: Call, at_ms: int) -> Call:
    return replace(call, states={key: ms for key, ms in call.states.items() if ms <= at_ms})


def _output(output: OutputState, at_ms: int) -> OutputState:
    statuses = {key: ms for key, ms in output.statuses.items() if ms <= at_ms}
    if len(statuses) < len(output.statuses):  # duration and size are stated at the end
        return replace(output, statuses=statuses, duration_s=None, size=None)
    return output


def status_of(output: OutputState) -> str | None:
    """Return the newest status of an output; whatever may follow `stopped` is newer than it."""
    seen = output.statuses
    return max(seen, key=lambda name: (name in FILED_STATUSES, seen[name], name), default=None)


def state_of(call: Call) -> str | None:
    """Return the newest state of a call."""
    return max(call.states, key=lambda name: (call.states[name], name), default=None)


class Order:
    """The display order of sessions: open ones first, then the newest begin.

    `find` returns the session of an ID. Only sessions that changed are sorted again, and no
    snapshot is kept: of many, few are shown.
    """

    def __init__(self, find: Callable[[str], Session | None]) -> None:
        self._find = find
        self._keys: dict[str, tuple[bool, int, str]] = {}
        self._changed: set[str] = set()

    def note(self, identifier: str) -> None:
        """Note that a session changed."""
        self._changed.add(identifier)

    def settle(self) -> None:
        """Update the sort keys of the sessions that changed."""
        for identifier in self._changed:
            if session := self._find(identifier):
                last = snapshot(session).rounds[-1]
                self._keys[identifier] = not last.is_open, -last.began_ms, identifier
        self._changed.clear()

    def first(self, most: int | None = None) -> Iterator[SessionSnapshot]:
        """Yield the snapshots of the first `most` sessions, or of all."""
        keys = self._keys.values()
        for _, _, identifier in sorted(keys) if most is None else nsmallest(most, keys):
            if session := self._find(identifier):
                yield snapshot(session)

    def counts(self) -> tuple[int, int]:
        """Count the sessions, and the open ones among them."""
        return len(self._keys), sum(not is_closed for is_closed, _, _ in self._keys.values())
