"""At which paths the same event came: a second URL that is registered for it is no retry."""

from __future__ import annotations

from sys import intern

from vmon.events.redelivery import copy_of
from vmon.sanitize import disarm

ROOM = 50_000
"""Of so many bodies, at least, it is remembered where they came (some 10 MB)."""
_MOST_PATHS = 20
_LONGEST = 60


class PathMemory:
    """How often each of the last bodies came at which path; the oldest are forgotten."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._new: dict[int, str | dict[str, int]] = {}
        self._old: dict[int, str | dict[str, int]] = {}

    def first(self, session: str, mark: int, path: str) -> None:
        """A body came for the first time."""
        self._put(hash((session, mark)), intern(path))

    def again(self, session: str, mark: int, path: str) -> int:
        """A body came again: how many copies before it came at other paths; 0 if not known."""
        key = hash((session, mark))
        known = self._new.get(key) or self._old.get(key)
        if known is None:
            return 0
        paths = {known: 1} if isinstance(known, str) else known
        before, here = sum(paths.values()), paths.get(path, 0)
        if here or len(paths) < _MOST_PATHS:
            paths[intern(path)] = here + 1
        self._put(key, paths)
        return before - here

    def _put(self, key: int, paths: str | dict[str, int]) -> None:
        self._new[key] = paths
        if len(self._new) >= self._room:
            self._old, self._new = self._new, {}


def again_in_words(path: str, copies: int, since_first_s: float) -> str:
    """What a copy is called: `also at /pr-123/hooks`, `retry #3 +35 s`, `duplicate #2 +0.2 s`.

    `copies` is which copy at its path it is.
    """
    if copies > 1:
        return copy_of(copies, since_first_s)
    from vmon.security.access import stored_path  # reads a file, and is seldom needed

    inner = stored_path()(path).partition("?")[0]
    return f"also at {disarm(inner[:_LONGEST])}" + ("…" if len(inner) > _LONGEST else "")
