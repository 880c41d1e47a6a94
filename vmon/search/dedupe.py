"""Copies of a delivery, told by their bodies, in bounded memory.

Vonage's events have no id: the same body again, byte for byte, in the same session and at the same
path, is taken for a retry. It is a heuristic, and a good one: a body has the event's time in ms.
Those without a time (render, captions) may say the same twice; then the second is taken for a copy
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.errors import VmonError
from vmon.search.matching import entry_of

if TYPE_CHECKING:
    from vmon.events.entry import Entry
    from vmon.search.matching import StoredLine

ROOM = 500_000
"""So many bodies are remembered (some 60 MB), then those of the session not heard of for longest
are forgotten: a retry that comes after that is taken for a first copy."""


class Dedupe:
    """Lets first copies through; `hidden` counts the others.

    The same body at another path is no copy, unless `any_path` is asked for: two URLs are
    registered for it, and each of them gets it.
    """

    def __init__(self, room: int = ROOM, *, any_path: bool = False) -> None:
        self.hidden = 0
        self._any_path = any_path
        self._room = room
        self._held = 0
        self._seen: dict[str, set[int]] = {}  # the session heard of last comes last

    def __call__(self, entry: Entry) -> bool:
        """Whether this body came for the first time; an empty one says nothing and always does."""
        body, session = entry.delivery.body, entry.session or ""
        if not body:
            return True
        seen = self._seen.pop(session, None) or set()
        self._seen[session] = seen
        mark = hash(body if self._any_path else (body, entry.delivery.path))
        if mark in seen:
            self.hidden += 1
            return False
        seen.add(mark)
        self._held += 1
        if self._held > self._room:
            self._forget()
        return True

    def line(self, stored: StoredLine) -> bool:
        """The same of a stored line; one that holds nothing is let through, to be told."""
        try:
            return self(entry_of(stored))
        except (ValueError, VmonError):
            return True

    def _forget(self) -> None:
        """Let go of the session not heard of for longest; of the only one, all."""
        self._held -= len(self._seen.pop(next(iter(self._seen))))

    def __str__(self) -> str:
        """In plain English."""
        return "no duplicates"
