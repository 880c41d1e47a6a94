"""Analyse whole captures for oddities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import Oddity, order
from vmon.analysis.oddities.disruption import disrupted
from vmon.analysis.oddities.payloads import PayloadChecks
from vmon.analysis.oddities.rules import merge_missing_types, oddities_of, other_projects
from vmon.analysis.oddities.scene import GHOST_AFTER_S
from vmon.events.timestamps import in_ms
from vmon.sessions.store import ApplyResult, SessionStore

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from vmon.events.entry import Entry
    from vmon.events.models import Event
    from vmon.search.filter import Filter


class OddityAnalysis:
    """Takes deliveries one by one, then finds the oddities in all of them.

    All deliveries are applied, because a session has to be complete; reported are the oddities of
    the selected deliveries and their sessions.
    """

    def __init__(self, chosen: Filter | None = None, store: SessionStore | None = None) -> None:
        self.store = store or SessionStore()
        self.number = 0
        self._chosen = chosen
        self._drift = PayloadChecks()
        self._sessions: set[str] = set()
        self._projects: dict[str, set[str]] = {}
        self._types: set[str] = set()
        self._oldest_ms = self._newest_ms = self._received_ms = 0

    def note(self, entry: Entry) -> ApplyResult:
        """Apply a delivery to the store, and check it; the result of applying."""
        change = self.store.apply(entry)
        event, session = entry.event, entry.session
        self._types.add(entry.type)
        self._date(event, entry.received_ms)
        if session is not None and (project := _stated_project(event)):
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
        """Return all oddities, sorted by time."""
        began_ms = self._oldest_ms or self._received_ms
        # No event is newer than its receipt: a wrong clock must not cause ghosts.
        now_ms = max(began_ms, min(self._newest_ms or self._received_ms, self._received_ms))
        found: list[Oddity] = []
        projects: list[tuple[str, int, AbstractSet[str]]] = []
        for session in self.store.sessions():
            own = self._projects.get(session.id, session.projects)
            projects.append((session.id, session.first_ms, own))
            if session.id in self._sessions:
                found += oddities_of(session, now_ms, ghost_after_s, began_ms)
        found = [*merge_missing_types(disrupted(found), self._types), *self._drift.oddities()]
        found += [odd for odd in other_projects(projects) if odd.session in self._sessions]
        return sorted(found, key=order)

    @property
    def sessions(self) -> int:
        """How many sessions have a selected delivery."""
        return len(self._sessions)


def _stated_project(event: Event) -> str | None:
    """Return the project stated in the payload: the one in the session ID is often another."""
    keys = ("project", "application", "partner")
    stated = next(filter(None, (getattr(event, key, None) for key in keys)), None)
    return str(stated) if stated is not None else None
