"""What does not add up in a session, and in all of a capture: facts → oddities.

Everything here is a pure function of facts, which do not depend on the order of events; `codes`
says what each oddity means.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vmon.analysis.oddities.codes import CODES, Oddity, order
from vmon.handles import called
from vmon.humanize import count, disarm, duration, handle
from vmon.sessions.model import BEGUN, ENDED, Feed, Job, Person, first_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from vmon.sessions.model import Call, Session

GHOST_AFTER_S = 12 * 3600.0
SETTLE_S = 10.0
"""Events come in any order: so long what is missing may still be on its way."""

_OVERLAP_MS = 2_000  # a camera is changed by publishing the new one first
_AT_ONCE_MS = 10_000
_STUCK_MS = 3_600_000
_FAILURES = frozenset({"Internal server failure", "forceDisconnected"})
_FILED = frozenset({"uploaded", "available", "expired", "failed", "deleted"})


class _Scene(NamedTuple):
    """A session, and what it is looked at by: `now_ms` is the capture's end, or now.

    `began_ms` is the capture's first event.
    """

    session: Session
    now_ms: int
    ghost_after_s: float
    began_ms: int
    settle_s: float

    def odd(  # noqa: PLR0913, PLR0917 - an oddity has so many parts
        self,
        code: str,
        at_ms: int,
        ids: Iterable[str],
        said: str,
        missing: str | None = None,
        doubt: str | None = None,
    ) -> Oddity:
        """An oddity of the session, of the severity its code has; an info where it is in doubt."""
        severity = "info" if doubt else CODES[code].severity
        said = f"{said}; {doubt}" if doubt else said
        return Oddity(code, severity, at_ms, self.session.id, tuple(ids), said, missing)

    def unseen(self, born_ms: int | None) -> str | None:
        """The doubt about what may have been told before the capture began."""
        if born_ms is None:
            return "it may have started before the capture"
        return "it started before the capture" if born_ms <= self.began_ms else None

    def unsettled(self, at_ms: int) -> str | None:
        """The doubt about what may still come."""
        soon = self.now_ms - at_ms < self.settle_s * 1000
        return "the capture ends there, it may still arrive" if soon else None


def oddities_of(
    session: Session,
    now_ms: int,
    ghost_after_s: float = GHOST_AFTER_S,
    began_ms: int = 0,
    settle_s: float = SETTLE_S,
) -> Iterator[Oddity]:
    """What does not add up in a session, in no order.

    `now_ms` is the newest event of the capture (live: now), `began_ms` its oldest one: what misses
    something from before, or from the last `settle_s` seconds, is an info.
    """
    scene = _Scene(session, now_ms, ghost_after_s, began_ms, settle_s)
    yield from _without_created(scene)
    yield from _unknown_connections(scene)
    yield from _outliving(scene)
    yield from _ended_with_people(scene)
    yield from _ghosts(scene)
    yield from _cameras(scene)
    yield from _again(scene)
    yield from _stuck(scene)
    yield from _failed(scene)


# Something is missing.


def _without_created(scene: _Scene) -> Iterator[Oddity]:
    session, code = scene.session, "destroyed-without-created"
    groups: tuple[tuple[str, Iterable[Person | Feed | Call]], ...] = (
        ("connection", session.people.values()),
        ("stream", session.feeds.values()),
        ("call", session.calls.values()),
    )
    for kind, things in groups:
        for one in things:
            if one.seen & (BEGUN | ENDED) == ENDED and one.ended_ms is not None:
                said = f"{_what(kind, one)} was destroyed, but no {kind}Created was received"
                doubt = scene.unseen(one.created_ms) or scene.unsettled(one.ended_ms)
                yield scene.odd(code, one.ended_ms, (one.id,), said, f"{kind}Created", doubt)
    said = "the session was destroyed, but no sessionCreated was received"
    for at_ms, born in _unopened(session):
        doubt = scene.unseen(born) or scene.unsettled(at_ms)
        yield scene.odd(code, at_ms, (), said, "sessionCreated", doubt)


def _unopened(session: Session) -> Iterator[tuple[int, int]]:
    """The ends of rounds that have no beginning, and the first sign of life in that round."""
    things: tuple[Person | Feed, ...] = (*session.people.values(), *session.feeds.values())
    born = sorted(one.created_ms for one in things if one.created_ms is not None)
    opened = sorted(session.created_ms)
    for before, at_ms in pairwise((0, *sorted(session.destroyed))):
        if first_after(opened, before - 1, at_ms) is None:
            first = session.first_ms if session.first_ms > before else at_ms
            yield at_ms, min(first_after(born, before) or at_ms, first, at_ms)


def _unknown_connections(scene: _Scene) -> Iterator[Oddity]:
    session, missing = scene.session, "connectionCreated"
    for feed in session.feeds.values():
        owner = session.people.get(feed.connection or "")
        if feed.connection and _is_unheard_of(owner):
            whose = _whose(session, feed.connection)
            what = _what("stream", feed)
            said = f"no connectionCreated was received for {whose}, the publisher of {what}"
            born = feed.created_ms if feed.seen & BEGUN else feed.ended_ms
            at_ms = born or session.first_ms
            doubt = scene.unseen(owner.created_ms if owner else None)
            doubt, ids = doubt or scene.unsettled(at_ms), (feed.id, feed.connection)
            yield scene.odd("unknown-connection", at_ms, ids, said, missing, doubt)
    for call in session.calls.values():
        if call.ended_ms is not None and _is_unheard_of(session.people.get(call.connection or "")):
            what = _what("call", call)
            said = f"{what} ended, but no connectionCreated was received for its connection"
            doubt = scene.unseen(call.created_ms) or scene.unsettled(call.ended_ms)
            of = (call.id, call.connection) if call.connection else (call.id,)
            yield scene.odd("call-without-connection", call.ended_ms, of, said, missing, doubt)


def _is_unheard_of(person: Person | None) -> bool:
    return person is None or not person.seen & (BEGUN | ENDED)


def _outliving(scene: _Scene) -> Iterator[Oddity]:
    session = scene.session
    for feed in session.feeds.values():
        owner = session.people.get(feed.connection or "")
        if owner and owner.ended_ms is not None and feed.ended_ms is None:
            what, whose = _what("stream", feed), _what("connection", owner)
            said, ids = f"{what} is still published, but {whose} is gone", (feed.id, owner.id)
            at_ms, doubt = owner.ended_ms, scene.unsettled(owner.ended_ms)
            code, missing = "stream-outlives-connection", "streamDestroyed"
            yield scene.odd(code, at_ms, ids, said, missing, doubt)


def _ended_with_people(scene: _Scene) -> Iterator[Oddity]:
    session, crowds = scene.session, dict[int, list[Person]]()
    code, missing = "session-ended-with-people", "connectionDestroyed"
    ends = sorted(session.destroyed)
    for one in session.people.values():
        if (left_ms := _left_behind_ms(one, ends, scene.settle_s)) is not None:
            crowds.setdefault(left_ms, []).append(one)
    for at_ms, inside in sorted(crowds.items()):
        inside.sort(key=lambda one: (one.created_ms or 0, one.id))
        ids = tuple(one.id for one in inside)
        why = f" ({_short(reason)})" if (reason := session.destroyed[at_ms]) else ""
        said = f"the session was destroyed{why} with {_crowd(inside)}"
        yield scene.odd(code, at_ms, ids, said, missing, scene.unsettled(at_ms))


def _crowd(people: list[Person]) -> str:
    """`2 participants in it: connection c053fcc8 (Ann), connection 5d2451b8`."""
    named, more = people[:3], len(people) - 3
    names = ", ".join(_what("connection", one) for one in named)
    rest = f" and {more:,} more" if more > 0 else ""
    return f"{count(len(people), 'participant')} in it: {names}{rest}"


def _left_behind_ms(one: Person, ends: list[int], settle_s: float) -> int | None:
    """The end of the session that somebody did not leave at, nor soon after it."""
    born = one.created_ms
    at_ms = first_after(ends, born) if one.seen & BEGUN and born is not None else None
    if at_ms is None:
        return None
    slack_ms = max(settle_s, SETTLE_S) * 1000
    return at_ms if one.ended_ms is None or one.ended_ms > at_ms + slack_ms else None


def _ghosts(scene: _Scene) -> Iterator[Oddity]:
    """Those of whom no end was told, each once: not the streams of a ghost, nor what is told."""
    session = scene.session
    last_end = max(session.destroyed, default=0)
    feeds_of: dict[str | None, list[str]] = {}
    for feed in session.feeds.values():
        feeds_of.setdefault(feed.connection, []).append(feed.id)
    for kind, one in _unended(session):
        born = one.created_ms
        due_ms = int(born + scene.ghost_after_s * 1000) if born is not None else 0
        if born is not None and born >= last_end and due_ms <= scene.now_ms:
            for_s = duration((scene.now_ms - born) / 1000)
            said = f"{_what(kind, one)} has been open for {for_s}, no {kind}Destroyed received"
            ids = one.id, *sorted(feeds_of.get(one.id, ()))
            yield scene.odd("ghost", due_ms, ids, said, f"{kind}Destroyed")
    yield from _empty(scene)


def _unended(session: Session) -> Iterator[tuple[str, Person | Feed | Call]]:
    for person in session.people.values():
        if person.ended_ms is None:
            yield "connection", person
    for feed in session.feeds.values():
        if feed.ended_ms is None and feed.connection not in session.people:
            yield "stream", feed
    for call in session.calls.values():
        owner = session.people.get(call.connection or "")
        if call.ended_ms is None and (owner is None or owner.ended_ms is not None):
            yield "call", call


def _empty(scene: _Scene) -> Iterator[Oddity]:
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


# Something should not be so.


def _cameras(scene: _Scene) -> Iterator[Oddity]:
    session = scene.session
    published: dict[str, list[tuple[int, int, str]]] = {}
    for feed in session.feeds.values():
        born = feed.created_ms
        if feed.video_type == "camera" and feed.connection and born is not None:
            until = _published_until(scene, feed, born)
            published.setdefault(feed.connection, []).append((born, until, feed.id))
    for connection, spans in published.items():
        for group in _overlapping(sorted(spans)):
            ids = [identifier for _, _, identifier in group]
            streams = ", ".join(f"stream {handle(one)}" for one in ids)
            said = f"{_whose(session, connection)} published {len(ids)} cameras at once: {streams}"
            yield scene.odd("two-cameras", group[1][0], (connection, *ids), said)


def _published_until(scene: _Scene, feed: Feed, born_ms: int) -> int:
    """The last instant at which a stream was surely published."""
    owner = scene.session.people.get(feed.connection or "")
    if feed.ended_ms is None and owner and owner.ended_ms is not None:
        return born_ms + _OVERLAP_MS + 1  # its end was never told: nobody knows when that was
    return scene.now_ms if feed.ended_ms is None else feed.ended_ms


def _overlapping(spans: list[tuple[int, int, str]]) -> Iterator[list[tuple[int, int, str]]]:
    """Those of sorted (from, to, id) that run into one another, in groups of two and more."""
    group, until = spans[:1], spans[0][1]
    for span in spans[1:]:
        if until - span[0] <= _OVERLAP_MS:
            if len(group) > 1:
                yield group
            group, until = [span], span[1]
        elif span[1] - span[0] > _OVERLAP_MS:
            group.append(span)
            until = max(until, span[1])
    if len(group) > 1:
        yield group


def _again(scene: _Scene) -> Iterator[Oddity]:
    """Streams that were published right after another one of the connection was made to stop."""
    feeds = scene.session.feeds.values()
    begun: dict[str | None, list[tuple[int, str]]] = {}
    for one in feeds:
        if one.created_ms is not None:
            begun.setdefault(one.connection, []).append((one.created_ms, one.id))
    for those in begun.values():
        those.sort()
    for stopped in feeds:
        ended = stopped.ended_ms
        if stopped.reason != "forceUnpublished" or ended is None or not stopped.connection:
            continue
        those = begun.get(stopped.connection, [])
        at = bisect_left(those, (ended, ""))
        after = [one for one in those[at : at + 2] if one[1] != stopped.id]
        if after and after[0][0] - ended <= _AT_ONCE_MS:
            born, identifier = after[0]
            said = (
                f"{_whose(scene.session, stopped.connection)} published stream "
                f"{handle(identifier)} {duration((born - ended) / 1000)} after "
                f"{_what('stream', stopped)} was force-unpublished"
            )
            ids = (stopped.connection, stopped.id, identifier)
            yield scene.odd("publish-after-unpublish", born, ids, said)


def _stuck(scene: _Scene) -> Iterator[Oddity]:
    for job in scene.session.jobs.values():
        if _is_stopped(job) and scene.now_ms - (stopped := job.statuses["stopped"]) >= _STUCK_MS:
            for_s = duration((scene.now_ms - stopped) / 1000)
            said = f"{_what('archive', job)} stopped {for_s} ago, but its file never arrived"
            yield scene.odd("archive-stuck", stopped + _STUCK_MS, (job.id,), said)


def _is_stopped(job: Job) -> bool:
    """Whether it is an archive of which nothing was told after it stopped."""
    is_archive = job.kind == "archive" and "stopped" in job.statuses
    return is_archive and not _FILED & job.statuses.keys()


def _failed(scene: _Scene) -> Iterator[Oddity]:
    session = scene.session
    for job in session.jobs.values():
        if (at_ms := job.statuses.get("failed")) is not None:
            why = f": {_short(job.reason)}" if job.reason else ""
            yield scene.odd("failed", at_ms, (job.id,), f"{_what(job.kind, job)} failed{why}")
    for call in session.calls.values():
        if call.ended_ms is not None and call.reason in _FAILURES:
            said = f"{_what('call', call)} was ended by the platform: {call.reason}"
            yield scene.odd("failed", call.ended_ms, (call.id,), said)
    for at_ms, reason in session.destroyed.items():
        if reason in _FAILURES:
            said = f"the platform ended the session: {reason}"
            yield scene.odd("failed", at_ms, (), said)


def comes_of_age(session: Session, ghost_after_s: float) -> Iterator[int]:
    """When what is still there will be a ghost, and what has stopped will be stuck (ms)."""
    born = (one.created_ms for _, one in _unended(session) if one.created_ms is not None)
    left = (one.ended_ms for one in session.people.values() if one.ended_ms is not None)
    for at_ms in (*born, max(left, default=0)):
        yield at_ms + int(ghost_after_s * 1000)
    for job in session.jobs.values():
        if _is_stopped(job):
            yield job.statuses["stopped"] + _STUCK_MS


# Projects, over the whole capture.

_MOST_BY = 3  # so many times as many sessions make a project the rest


def other_projects(found: Iterable[tuple[str, int, AbstractSet[str]]]) -> Iterator[Oddity]:
    """IDs of another project than the rest, among (session ID, ms of its first event, projects)."""
    sessions = sorted(found, key=lambda one: one[:2])
    number = Counter(one for _, _, projects in sessions for one in projects)
    total = sum(1 for _, _, projects in sessions if projects)
    main = min(number, key=lambda one: (-number[one], one)) if number else ""
    is_rest = number[main] >= _MOST_BY and number[main] * (_MOST_BY + 1) >= total * _MOST_BY
    severity = CODES["another-project"].severity
    for session, at_ms, projects in sessions:
        named = ", ".join(_short(one) for one in sorted(projects))
        if len(projects) > 1:
            said = f"events of this session name {len(projects)} projects: {named}"
        elif is_rest and projects and main not in projects:
            said = f"the session belongs to project {named}; most belong to {_short(main)}"
        else:
            continue
        yield Oddity("another-project", severity, at_ms, session, tuple(sorted(projects)), said)


# Types that never came, over the whole capture.

_FEW = 3


def gathered(found: Iterable[Oddity], types: Iterable[str]) -> Iterator[Oddity]:
    """The oddities, where many of them miss a type that never came (`types` did) as one."""
    came, missing = set(types), dict[str, list[Oddity]]()
    for one in found:
        if one.missing is None or one.missing in came:
            yield one
        else:
            missing.setdefault(one.missing, []).append(one)
    for name, those in sorted(missing.items()):
        if len(those) < _FEW:
            yield from those
            continue
        severity = CODES["type-never-came"].severity
        severity = severity if any(one.severity != "info" for one in those) else "info"
        codes = ", ".join(sorted({one.code for one in those}))
        said = f"no {name} received at all, which explains {len(those):,} oddities ({codes})"
        yield Oddity("type-never-came", severity, min(map(order, those))[0], None, (), said, name)


# Words.


def _what(kind: str, one: Person | Feed | Call | Job) -> str:
    """A thing in words: `connection c053fcc8 (Ann)`, `stream 63245362 (desk)`."""
    match one:
        case Person():
            name: str | None = called(one)
        case Feed() | Job():
            name = one.name
        case _:
            name = None
    return f"{kind} {handle(one.id)}" + (f" ({_short(name)})" if name else "")


def _whose(session: Session, connection: str) -> str:
    return _what("connection", session.people.get(connection) or Person(connection))


_LONGEST = 40


def _short(text: str) -> str:
    safe = disarm(text[: _LONGEST + 1])
    return safe if len(text) <= _LONGEST else safe[:_LONGEST] + "…"
