"""The oddities of whole captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import Oddity, order
from vmon.analysis.oddities.disruption import disrupted
from vmon.analysis.oddities.payloads import PayloadChecks
from vmon.analysis.oddities.rules import gathered, oddities_of, other_projects
from vmon.analysis.oddities.scene import GHOST_AFTER_S
from vmon.events.timestamps import in_ms
from vmon.sessions.store import ApplyResult, SessionStore

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.search.filter import Filter


class OddityAnalysis:
    """Deliveries, entered one by one; then what does not add up in all of them together.

    Everything is entered, because a session is understood as a whole; told is what concerns
    the chosen deliveries and their sessions.
    """

    def __init__(self, chosen: Filter | None = None, book: SessionStore | None = None) -> None:
        self.book = book or SessionStore()
        self.number = 0
        self._chosen = chosen
        self._drift = PayloadChecks()
        self._sessions: set[str] = set()
        self._projects: dict[str, set[str]] = {}
        self._types: set[str] = set()
        self._oldest_ms = self._newest_ms = self._received_ms = 0

    def note(self, entry: Entry) -> ApplyResult:
        """Enter a delivery; what that changed in the book."""
        change = self.book.apply(entry)
        event, session = entry.event, entry.session
        self._types.add(entry.type)
        self._date(event, entry.received_ms)
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
        stated_ms = in_ms(event.occurred_ms)
        if stated_ms is None:
            return
        self._oldest_ms = min(self._oldest_ms or stated_ms, stated_ms)
        self._newest_ms = max(self._newest_ms, stated_ms)

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
        found = [*gathered(disrupted(found), self._types), *self._drift.oddities()]
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
