"""Oddities of events that never came."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vmon.analysis.oddities.scene import SETTLE_S, Scene, owner_of, shortened, what_is
from vmon.humanize import count, duration
from vmon.sessions.model import (
    BEGUN,
    ENDED,
    Call,
    ConnectionState,
    Session,
    StreamState,
    first_after,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.analysis.oddities.codes import Oddity


def _without_created(scene: Scene) -> Iterator[Oddity]:
    session, code = scene.session, "destroyed-without-created"
    groups: tuple[tuple[str, Iterable[ConnectionState | StreamState | Call]], ...] = (
        ("connection", session.people.values()),
        ("stream", session.streams.values()),
        ("call", session.calls.values()),
    )
    for kind, things in groups:
        for one in things:
            if one.seen & (BEGUN | ENDED) == ENDED and one.ended_ms is not None:
                said = f"{what_is(kind, one)} was destroyed, but no {kind}Created was received"
                doubt = scene.unseen(one.created_ms) or scene.unsettled(one.ended_ms)
                yield scene.odd(code, one.ended_ms, (one.id,), said, f"{kind}Created", doubt)
    said = "the session was destroyed, but no sessionCreated was received"
    for at_ms, born in _unopened(session):
        doubt = scene.unseen(born) or scene.unsettled(at_ms)
        yield scene.odd(code, at_ms, (), said, "sessionCreated", doubt)


def _unopened(session: Session) -> Iterator[tuple[int, int]]:
    """The ends of rounds that have no beginning, and the first sign of life in that round."""
    things: tuple[ConnectionState | StreamState, ...] = (
        *session.people.values(),
        *session.streams.values(),
    )
    born = sorted(one.created_ms for one in things if one.created_ms is not None)
    opened = sorted(session.created_ms)
    for before, at_ms in pairwise((0, *sorted(session.destroyed))):
        if first_after(opened, before - 1, at_ms) is None:
            first = session.first_ms if session.first_ms > before else at_ms
            yield at_ms, min(first_after(born, before) or at_ms, first, at_ms)


def _unknown_connections(scene: Scene) -> Iterator[Oddity]:
    session, missing = scene.session, "connectionCreated"
    for stream in session.streams.values():
        owner = session.people.get(stream.connection or "")
        if stream.connection and _is_unheard_of(owner):
            whose = owner_of(session, stream.connection)
            what = what_is("stream", stream)
            said = f"no connectionCreated was received for {whose}, the publisher of {what}"
            born = stream.created_ms if stream.seen & BEGUN else stream.ended_ms
            at_ms = born or session.first_ms
            doubt = scene.unseen(owner.created_ms if owner else None)
            doubt, ids = doubt or scene.unsettled(at_ms), (stream.id, stream.connection)
            yield scene.odd("unknown-connection", at_ms, ids, said, missing, doubt)
    for call in session.calls.values():
        if call.ended_ms is not None and _is_unheard_of(session.people.get(call.connection or "")):
            what = what_is("call", call)
            said = f"{what} ended, but no connectionCreated was received for its connection"
            doubt = scene.unseen(call.created_ms) or scene.unsettled(call.ended_ms)
            of = (call.id, call.connection) if call.connection else (call.id,)
            yield scene.odd("call-without-connection", call.ended_ms, of, said, missing, doubt)


def _is_unheard_of(person: ConnectionState | None) -> bool:
    return person is None or not person.seen & (BEGUN | ENDED)


def _outliving(scene: Scene) -> Iterator[Oddity]:
    session = scene.session
    for stream in session.streams.values():
        owner = session.people.get(stream.connection or "")
        if owner and owner.ended_ms is not None and stream.ended_ms is None:
            what, whose = what_is("stream", stream), what_is("connection", owner)
            said, ids = f"{what} is still published, but {whose} is gone", (stream.id, owner.id)
            at_ms, doubt = owner.ended_ms, scene.unsettled(owner.ended_ms)
            code, missing = "stream-outlives-connection", "streamDestroyed"
            yield scene.odd(code, at_ms, ids, said, missing, doubt)


def _ended_with_people(scene: Scene) -> Iterator[Oddity]:
    session, crowds = scene.session, dict[int, list[ConnectionState]]()
    code, missing = "session-ended-with-people", "connectionDestroyed"
    ends = sorted(session.destroyed)
    for one in session.people.values():
        if (left_ms := _left_behind_ms(one, ends, scene.settle_s)) is not None:
            crowds.setdefault(left_ms, []).append(one)
    for at_ms, inside in sorted(crowds.items()):
        inside.sort(key=lambda one: (one.created_ms or 0, one.id))
        ids = tuple(one.id for one in inside)
        why = f" ({shortened(reason)})" if (reason := session.destroyed[at_ms]) else ""
        said = f"the session was destroyed{why} with {_crowd(inside)}"
        yield scene.odd(code, at_ms, ids, said, missing, scene.unsettled(at_ms))


def _crowd(people: list[ConnectionState]) -> str:
    """`2 open connections: c053fcc8 (Ann), 5d2451b8`."""
    named, more = people[:3], len(people) - 3
    names = ", ".join(what_is("connection", one).removeprefix("connection ") for one in named)
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{count(len(people), 'open connection')}: {names}{rest}"


def _left_behind_ms(one: ConnectionState, ends: list[int], settle_s: float) -> int | None:
    """The end of the session that somebody did not leave at, nor soon after it."""
    born = one.created_ms
    at_ms = first_after(ends, born) if one.seen & BEGUN and born is not None else None
    if at_ms is None:
        return None
    slack_ms = max(settle_s, SETTLE_S) * 1000
    return at_ms if one.ended_ms is None or one.ended_ms > at_ms + slack_ms else None


def _ghosts(scene: Scene) -> Iterator[Oddity]:
    """Those of whom no end was told, each once: not the streams of a ghost, nor what is told."""
    session = scene.session
    last_end = max(session.destroyed, default=0)
    streams_of: dict[str | None, list[str]] = {}
    for stream in session.streams.values():
        streams_of.setdefault(stream.connection, []).append(stream.id)
    for kind, one in _unended(session):
        born = one.created_ms
        due_ms = int(born + scene.ghost_after_s * 1000) if born is not None else 0
        if born is not None and born >= last_end and due_ms <= scene.now_ms:
            for_s = duration((scene.now_ms - born) / 1000)
            said = f"{what_is(kind, one)} has been open for {for_s}, no {kind}Destroyed received"
            ids = one.id, *sorted(streams_of.get(one.id, ()))
            yield scene.odd("ghost", due_ms, ids, said, f"{kind}Destroyed")
    yield from _empty(scene)


def _unended(session: Session) -> Iterator[tuple[str, ConnectionState | StreamState | Call]]:
    for person in session.people.values():
        if person.ended_ms is None:
            yield "connection", person
    for stream in session.streams.values():
        if stream.ended_ms is None and stream.connection not in session.people:
            yield "stream", stream
    for call in session.calls.values():
        owner = session.people.get(call.connection or "")
        if call.ended_ms is None and (owner is None or owner.ended_ms is not None):
            yield "call", call


def _empty(scene: Scene) -> Iterator[Oddity]:
    """A session that everybody left, and that was not destroyed."""
    session = scene.session
    opened, last_end = max(session.created_ms, default=0), max(session.destroyed, default=0)
    ends = [one.ended_ms for one in session.people.values()]
    if opened <= last_end or not ends or None in ends:
        return
    left_ms = max(opened, *(one for one in ends if one is not None))
    due_ms = int(left_ms + scene.ghost_after_s * 1000)
    if due_ms <= scene.now_ms:
        for_s = duration((scene.now_ms - left_ms) / 1000)
        said = f"everyone left the session {for_s} ago, but no sessionDestroyed was received"
        yield scene.odd("ghost", due_ms, (), said, "sessionDestroyed")
