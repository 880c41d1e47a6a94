"""One run of `vmon oddities`: reads stored deliveries, and tells what does not add up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon.analysis.oddities.codes import SEVERITIES, Oddity, Severity, order
from vmon.analysis.oddities.payloads import Drift
from vmon.analysis.oddities.rules import GHOST_AFTER_S, gathered, oddities_of, other_projects
from vmon.search import reader, scan
from vmon.search.filter import Filter
from vmon.search.not_found import nothing
from vmon.sessions.reducer import in_ms
from vmon.sessions.store import Book

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.sessions.store import Change


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

    def __init__(self, chosen: Filter | None = None, book: Book | None = None) -> None:
        self.book = book or Book()
        self.number = 0
        self._chosen = chosen
        self._drift = Drift()
        self._sessions: set[str] = set()
        self._projects: dict[str, set[str]] = {}
        self._types: set[str] = set()
        self._oldest_ms = self._newest_ms = self._received_ms = 0

    def note(self, entry: Entry) -> Change:
        """Enter a delivery; what that changed in the book."""
        change = self.book.apply(entry)
        event, session = entry.event, entry.session
        self._types.add(entry.type)
        self._date(event, int(entry.delivery.received_at.timestamp() * 1000))
        if session is not None and (project := _named(event)):
            self._projects.setdefault(session, set()).add(project)
        if self._chosen is None or self._chosen(entry):
            self.number += 1
            self._drift.note(entry, is_copy=change.copies > 1)
            if session is not None:
                self._sessions.add(session)
        return change

    def _date(self, event: Event, received_ms: int) -> None:
        """Note the oldest and the newest event, and the newest receipt."""
        self._received_ms = max(self._received_ms, received_ms)
        said_ms = in_ms(event.said_ms)
        if said_ms is None:
            return
        self._oldest_ms = min(self._oldest_ms or said_ms, said_ms)
        self._newest_ms = max(self._newest_ms, said_ms)

    def oddities(self, ghost_after_s: float = GHOST_AFTER_S) -> list[Oddity]:
        """What does not add up, in the order of time."""
        began_ms = self._oldest_ms or self._received_ms
        # No event is newer than its receipt: a wrong clock must not make ghosts.
        now_ms = max(began_ms, min(self._newest_ms or self._received_ms, self._received_ms))
        found: list[Oddity] = []
        projects: list[tuple[str, int, AbstractSet[str]]] = []
        for session in self.book.sessions():
            named = self._projects.get(session.id, session.projects)
            projects.append((session.id, session.first_ms, named))
            if session.id in self._sessions:
                found += oddities_of(session, now_ms, ghost_after_s, began_ms)
        found = [*gathered(found, self._types), *self._drift.oddities()]
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


def run(asked: Options) -> int:
    """Tell what does not add up; 1 when something is as severe as `fail_on`, else 0.

    Refused when there is no delivery to look at: that nothing is odd would be too much said.
    """
    from vmon.render.reports.oddities import Drawn, as_json

    survey = Survey(None if asked.chosen.chooses_all else asked.chosen)
    reader.read(asked.sources, Filter(), survey.note, scan.say_bad)
    if not survey.number:
        raise nothing("deliveries", asked.sources, asked.chosen)
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
