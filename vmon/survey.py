"""One run of `vmon oddities`: reads stored deliveries, and tells what does not add up."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon import look, scan
from vmon.book import Book
from vmon.codes import SEVERITIES, Oddity, Severity, order
from vmon.drift import Drift
from vmon.events import FIRST_MS
from vmon.filters import Filter
from vmon.oddities import GHOST_AFTER_S, gathered, oddities_of, other_projects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmon.entry import Entry
    from vmon.events import Event
    from vmon.session import Session


class Options(NamedTuple):
    """What was asked for: a source of None is standard input.

    `least` is the lowest severity that is told, `fail_on` the lowest that makes the run fail.
    """

    sources: tuple[str | None, ...]
    chosen: Filter = Filter()
    ghost_after_s: float = GHOST_AFTER_S
    least: Severity = "info"
    fail_on: Severity | None = None
    as_json: bool = False


class Survey:
    """Deliveries, entered one by one; then what does not add up in all of them together.

    Everything is entered, because a session is understood as a whole; told is what concerns
    the chosen deliveries and their sessions.
    """

    def __init__(self, chosen: Filter | None = None) -> None:
        self.book = Book()
        self.number = 0
        self._chosen = chosen
        self._drift = Drift()
        self._sessions: set[str] = set()
        self._projects: dict[str, set[str]] = {}
        self._types: set[str] = set()
        self._received_ms = 0

    def note(self, entry: Entry) -> None:
        """Enter a delivery."""
        copy = self.book.apply(entry).copies > 1
        received_ms = int(entry.delivery.received_at.timestamp() * 1000)
        self._received_ms = max(self._received_ms, received_ms)
        self._types.add(entry.type)
        if entry.session is not None and (project := _named(entry.event)):
            self._projects.setdefault(entry.session, set()).add(project)
        if self._chosen is None or self._chosen(entry):
            self.number += 1
            self._drift.note(entry, is_copy=copy)
            if entry.session is not None:
                self._sessions.add(entry.session)

    def oddities(self, ghost_after_s: float = GHOST_AFTER_S) -> list[Oddity]:
        """What does not add up, in the order of time."""
        sessions = list(self.book.sessions())
        began_ms, now_ms = _span(sessions, self._received_ms)
        found = [
            odd
            for session in sessions
            if session.id in self._sessions
            for odd in oddities_of(session, now_ms, ghost_after_s, began_ms)
        ]
        found = [*gathered(found, self._types), *self._drift.oddities()]
        named = self._projects
        projects = [(one.id, one.first_ms, named.get(one.id, one.projects)) for one in sessions]
        found += [odd for odd in other_projects(projects) if odd.session in self._sessions]
        return sorted(found, key=order)

    @property
    def sessions(self) -> int:
        """How many sessions have a chosen delivery."""
        return len(self._sessions)


def _named(event: Event) -> str | None:
    """The project that stands in the payload: what a session ID says is often another one."""
    keys = ("project", "application", "partner")
    told = next(filter(None, (getattr(event, key, None) for key in keys)), None)
    return str(told) if told is not None else None


def _span(sessions: Iterable[Session], received_ms: int) -> tuple[int, int]:
    """The oldest and the newest event, ms since the epoch: none is newer than its receipt."""
    firsts = [one.first_ms for one in sessions if one.first_ms >= FIRST_MS]
    lasts = [one.last_ms for one in sessions if one.last_ms >= FIRST_MS]
    began = min(firsts, default=received_ms)
    return began, max(began, min(max(lasts, default=received_ms), received_ms))


def run(asked: Options) -> int:
    """Tell what does not add up; 1 when something is as severe as `fail_on`, else 0."""
    from vmon.render.oddities import Drawn, as_json

    gc.disable()  # what is read makes no cycles, and is much
    survey = Survey(None if asked.chosen.chooses_all else asked.chosen)
    look.read(asked.sources, Filter(), survey.note, _say_bad)
    least = SEVERITIES.index(asked.least)
    found = survey.oddities(asked.ghost_after_s)
    told = [one for one in found if SEVERITIES.index(one.severity) >= least]
    drawn = Drawn()
    put: Callable[[Oddity], str] = as_json if asked.as_json else drawn.rows
    for one in told:
        sys.stdout.write(put(one))
    sys.stdout.flush()
    sys.stderr.write(drawn.summary(found, survey.number, survey.sessions))
    return int(_fails(found, asked.fail_on))


def _fails(found: Iterable[Oddity], fail_on: Severity | None) -> bool:
    if fail_on is None:
        return False
    bound = SEVERITIES.index(fail_on)
    return any(SEVERITIES.index(one.severity) >= bound for one in found)


def _say_bad(bad: scan.BadLine) -> None:
    sys.stderr.write(f"warning: {bad}\n")
