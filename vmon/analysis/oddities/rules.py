"""The rules: the state of a session, or of all of a capture → its oddities.

Pure functions of a state that does not depend on the order of events; `codes` has the meaning of
each oddity.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import CODES, Oddity, order
from vmon.analysis.oddities.conflicts import (
    STUCK_MS,
    failed_parts,
    is_stopped,
    republished,
    stuck_archives,
    two_cameras,
)
from vmon.analysis.oddities.disruption import disrupted
from vmon.analysis.oddities.missing import (
    ended_with_people,
    ghosts,
    open_parts,
    outliving_streams,
    unknown_connections,
    without_created,
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
    """Yield the oddities of a session, unordered.

    `now_ms` is the newest event of the capture (live: now), `began_ms` its oldest one: an event
    missing from before, or from the last `settle_s` seconds, is an info.
    """
    scene = Scene(session, now_ms, ghost_after_s, began_ms, settle_s)
    yield from without_created(scene)
    yield from unknown_connections(scene)
    yield from outliving_streams(scene)
    yield from ended_with_people(scene)
    yield from ghosts(scene)
    yield from two_cameras(scene)
    yield from republished(scene)
    yield from stuck_archives(scene)
    yield from disrupted(failed_parts(scene))


def due_times(session: Session, ghost_after_s: float) -> Iterator[int]:
    """Yield when open parts will become ghosts, and stopped archives stuck (ms)."""
    born = (one.created_ms for _, one in open_parts(session) if one.created_ms is not None)
    left = (one.ended_ms for one in session.people.values() if one.ended_ms is not None)
    for at_ms in (*born, max(left, default=0)):
        yield at_ms + int(ghost_after_s * 1000)
    for output in session.outputs.values():
        if is_stopped(output):
            yield output.statuses["stopped"] + STUCK_MS


# Projects, over the whole capture.

_MOST_BY = 3  # the main project has at least so many times the sessions of all others


def other_projects(found: Iterable[tuple[str, int, AbstractSet[str]]]) -> Iterator[Oddity]:
    """Find sessions of another project, among (session ID, ms of its first event, projects)."""
    sessions = sorted(found, key=lambda one: one[:2])
    number = Counter(one for _, _, projects in sessions for one in projects)
    total = sum(1 for _, _, projects in sessions if projects)
    main = min(number, key=lambda one: (-number[one], one)) if number else ""
    is_rest = number[main] >= _MOST_BY and number[main] * (_MOST_BY + 1) >= total * _MOST_BY
    severity = CODES["another-project"].severity
    for session, at_ms, projects in sessions:
        named = ", ".join(shortened(one) for one in sorted(projects))
        if len(projects) > 1:
            text = f"events of this session name {len(projects)} projects: {named}"
        elif is_rest and projects and main not in projects:
            text = f"the session belongs to project {named}; most belong to {shortened(main)}"
        else:
            continue
        yield Oddity("another-project", severity, at_ms, session, tuple(sorted(projects)), text)


# Types that were never received, over the whole capture.

_FEW = 3


def merge_missing_types(found: Iterable[Oddity], types: Iterable[str]) -> Iterator[Oddity]:
    """Merge oddities that miss a type which was never received (`types` were) into one."""
    received, missing = set(types), dict[str, list[Oddity]]()
    for one in found:
        if one.missing is None or one.missing in received:
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
        text = f"no {name} received at all, which explains {len(those):,} oddities ({codes})"
        yield Oddity("type-never-came", severity, min(map(order, those))[0], None, (), text, name)
