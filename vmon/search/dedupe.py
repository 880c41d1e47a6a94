"""Detect duplicates of a delivery by their bodies, in bounded memory.

Vonage's events have no ID: the same body again, byte for byte, in the same session and at the same
path, counts as a retry. It is a heuristic, and a good one: a body has the event's timestamp in ms.
Those without one (render, captions) may be identical for two events; the second then counts as a
duplicate too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.errors import VmonError
from vmon.search.matching import entry_of

if TYPE_CHECKING:
    from vmon.events.entry import Entry
    from vmon.search.matching import StoredLine

ROOM = 500_000
"""How many bodies are remembered (some 60 MB); then those of the least recently used session are
forgotten, and a later retry of them counts as a first copy."""


class Dedupe:
    """Passes first copies; `hidden` counts the duplicates.

    The same body at another path is no duplicate, except with `any_path`: two URLs may be
    registered for an event, and each of them receives it.
    """

    def __init__(self, room: int = ROOM, *, any_path: bool = False) -> None:
        self.hidden = 0
        self._any_path = any_path
        self._room = room
        self._held = 0
        self._seen: dict[str, set[int]] = {}  # ordered by use, the least recent first

    def __call__(self, entry: Entry) -> bool:
        """Whether this body is a first copy; an empty one always is."""
        body, session = entry.delivery.body, entry.session or ""
        if not body:
            return True
        seen = self._seen.pop(session, None) or set()
        self._seen[session] = seen
        body_hash = hash(body if self._any_path else (body, entry.delivery.path))
        if body_hash in seen:
            self.hidden += 1
            return False
        seen.add(body_hash)
        self._held += 1
        if self._held > self._room:
            self._forget()
        return True

    def line(self, stored: StoredLine) -> bool:
        """Whether a stored line is a first copy; one without a delivery passes, to be reported."""
        try:
            return self(entry_of(stored))
        except (ValueError, VmonError):
            return True

    def _forget(self) -> None:
        """Forget the bodies of the least recently used session."""
        self._held -= len(self._seen.pop(next(iter(self._seen))))

    def __str__(self) -> str:
        """Describe it, as a filter does."""
        return "no duplicates"
