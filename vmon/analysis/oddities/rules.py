"""What does not add up in a session, and in all of a capture: facts → oddities.

Everything here is a pure function of facts, which do not depend on the order of events; `codes`
says what each oddity means.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import CODES, Oddity, order
from vmon.analysis.oddities.conflicts import (
    _STUCK_MS,
    _again,
    _cameras,
    _failed,
    _is_stopped,
    _stuck,
)
from vmon.analysis.oddities.missing import (
    _ended_with_people,
    _ghosts,
    _outliving,
    _unended,
    _unknown_connections,
    _without_created,
)
from vmon.analysis.oddities.scene import GHOST_AFTER_S, SETTLE_S, Scene, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from vmon.sessions.model import Session


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
    scene = Scene(session, now_ms, ghost_after_s, began_ms, settle_s)
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


# Something should not be so.


def comes_of_age(session: Session, ghost_after_s: float) -> Iterator[int]:
    """When what is still there will be a ghost, and what has stopped will be stuck (ms)."""
    born = (one.created_ms for _, one in _unended(session) if one.created_ms is not None)
    left = (one.ended_ms for one in session.people.values() if one.ended_ms is not None)
    for at_ms in (*born, max(left, default=0)):
        yield at_ms + int(ghost_after_s * 1000)
    for output in session.outputs.values():
        if _is_stopped(output):
            yield output.statuses["stopped"] + _STUCK_MS


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
        named = ", ".join(shortened(one) for one in sorted(projects))
        if len(projects) > 1:
            said = f"events of this session name {len(projects)} projects: {named}"
        elif is_rest and projects and main not in projects:
            said = f"the session belongs to project {named}; most belong to {shortened(main)}"
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
