"""Rules for missing events: no created, no destroyed, an unknown connection, ghosts."""

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


def without_created(scene: Scene) -> Iterator[Oddity]:
    """Find parts and sessions with a destroyed event, but without a created event."""
    session, code = scene.session, "destroyed-without-created"
    groups: tuple[tuple[str, Iterable[ConnectionState | StreamState | Call]], ...] = (
        ("connection", session.people.values()),
        ("stream", session.streams.values()),
        ("call", session.calls.values()),
    )
    for kind, things in groups:
        for one in things:
            if one.seen & (BEGUN | ENDED) == ENDED and one.ended_ms is not None:
                text = f"{what_is(kind, one)} was destroyed, but no {kind}Created was received"
                doubt = scene.unseen(one.created_ms) or scene.unsettled(one.ended_ms)
                yield scene.odd(code, one.ended_ms, (one.id,), text, f"{kind}Created", doubt)
    text = "the session was destroyed, but no sessionCreated was received"
    for at_ms, born in _unopened(session):
        doubt = scene.unseen(born) or scene.unsettled(at_ms)
        yield scene.odd(code, at_ms, (), text, "sessionCreated", doubt)


def _unopened(session: Session) -> Iterator[tuple[int, int]]:
    """Yield the ends of rounds without sessionCreated, each with the first event of its round."""
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


def unknown_connections(scene: Scene) -> Iterator[Oddity]:
    """Find streams and ended calls whose connection had no event."""
    session, missing = scene.session, "connectionCreated"
    for stream in session.streams.values():
        owner = session.people.get(stream.connection or "")
        if stream.connection and _is_unknown(owner):
            whose = owner_of(session, stream.connection)
            what = what_is("stream", stream)
            text = f"no connectionCreated was received for {whose}, the publisher of {what}"
            born = stream.created_ms if stream.seen & BEGUN else stream.ended_ms
            at_ms = born or session.first_ms
            doubt = scene.unseen(owner.created_ms if owner else None)
            doubt, ids = doubt or scene.unsettled(at_ms), (stream.id, stream.connection)
            yield scene.odd("unknown-connection", at_ms, ids, text, missing, doubt)
    for call in session.calls.values():
        if call.ended_ms is not None and _is_unknown(session.people.get(call.connection or "")):
            what = what_is("call", call)
            text = f"{what} ended, but no connectionCreated was received for its connection"
            doubt = scene.unseen(call.created_ms) or scene.unsettled(call.ended_ms)
            of = (call.id, call.connection) if call.connection else (call.id,)
            yield scene.odd("call-without-connection", call.ended_ms, of, text, missing, doubt)


def _is_unknown(person: ConnectionState | None) -> bool:
    return person is None or not person.seen & (BEGUN | ENDED)


def outliving_streams(scene: Scene) -> Iterator[Oddity]:
    """Find streams still published after their connection ended."""
    session = scene.session
    for stream in session.streams.values():
        owner = session.people.get(stream.connection or "")
        if owner and owner.ended_ms is not None and stream.ended_ms is None:
            what, whose = what_is("stream", stream), what_is("connection", owner)
            text, ids = f"{what} is still published, but {whose} is gone", (stream.id, owner.id)
            at_ms, doubt = owner.ended_ms, scene.unsettled(owner.ended_ms)
            code, missing = "stream-outlives-connection", "streamDestroyed"
            yield scene.odd(code, at_ms, ids, text, missing, doubt)


def ended_with_people(scene: Scene) -> Iterator[Oddity]:
    """Find ends of the session at which connections were still open."""
    session, groups = scene.session, dict[int, list[ConnectionState]]()
    code, missing = "session-ended-with-people", "connectionDestroyed"
    ends = sorted(session.destroyed)
    for person in session.people.values():
        if (ended_ms := _outlived_end_ms(person, ends, scene.settle_s)) is not None:
            groups.setdefault(ended_ms, []).append(person)
    for at_ms, people in sorted(groups.items()):
        people.sort(key=lambda person: (person.created_ms or 0, person.id))
        ids = tuple(person.id for person in people)
        why = f" ({shortened(reason)})" if (reason := session.destroyed[at_ms]) else ""
        text = f"the session was destroyed{why} with {_participants(people)}"
        yield scene.odd(code, at_ms, ids, text, missing, scene.unsettled(at_ms))


def _participants(people: list[ConnectionState]) -> str:
    """Describe connections: `2 open connections: c053fcc8 (Ann), 5d2451b8`."""
    named, more = people[:3], len(people) - 3
    shown = (what_is("connection", person) for person in named)
    names = ", ".join(text.removeprefix("connection ") for text in shown)
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{count(len(people), 'open connection')}: {names}{rest}"


def _outlived_end_ms(person: ConnectionState, ends: list[int], settle_s: float) -> int | None:
    """Return the end of the session at or soon after which a connection did not end; else None."""
    born = person.created_ms
    at_ms = first_after(ends, born) if person.seen & BEGUN and born else None
    if at_ms is None:
        return None
    slack_ms = max(settle_s, SETTLE_S) * 1000
    return at_ms if person.ended_ms is None or person.ended_ms > at_ms + slack_ms else None


def ghosts(scene: Scene) -> Iterator[Oddity]:
    """Find parts without an end for too long: not the streams of a ghost, which it lists."""
    session = scene.session
    last_end = max(session.destroyed, default=0)
    streams_of: dict[str | None, list[str]] = {}
    for stream in session.streams.values():
        streams_of.setdefault(stream.connection, []).append(stream.id)
    for kind, one in open_parts(session):
        born = one.created_ms
        due_ms = int(born + scene.ghost_after_s * 1000) if born else 0
        if born and born >= last_end and due_ms <= scene.now_ms:
            for_s = duration((scene.now_ms - born) / 1000)
            text = f"{what_is(kind, one)} has been open for {for_s}, no {kind}Destroyed received"
            ids = one.id, *sorted(streams_of.get(one.id, ()))
            yield scene.odd("ghost", due_ms, ids, text, f"{kind}Destroyed")
    yield from _abandoned_session(scene)


def open_parts(session: Session) -> Iterator[tuple[str, ConnectionState | StreamState | Call]]:
    """Yield open connections, streams of unknown ones, and open calls without an open one."""
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


def _abandoned_session(scene: Scene) -> Iterator[Oddity]:
    """Find a session whose connections have all ended, but without sessionDestroyed."""
    session = scene.session
    opened, last_end = max(session.created_ms, default=0), max(session.destroyed, default=0)
    ends = [one.ended_ms for one in session.people.values()]
    if opened <= last_end or not ends or None in ends:
        return
    left_ms = max(opened, *(one for one in ends if one is not None))
    due_ms = int(left_ms + scene.ghost_after_s * 1000)
    if due_ms <= scene.now_ms:
        for_s = duration((scene.now_ms - left_ms) / 1000)
        text = f"everyone left the session {for_s} ago, but no sessionDestroyed was received"
        yield scene.odd("ghost", due_ms, (), text, "sessionDestroyed")
