"""Bodies, one per line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry


class BodyFormatter:
    """Formats entries as their bodies, one per line: JSON compact, anything else unchanged."""

    def __init__(self, *, for_people: bool) -> None:
        self._for_people = for_people

    def begin(self) -> bytes:
        """Nothing: there is no header."""
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format the bodies of entries."""
        return b"".join([self._line(entry) for entry in entries])

    def _line(self, entry: Entry) -> bytes:
        body = entry.payload.json
        body = entry.delivery.body if body is None else body
        if self._for_people:
            body = disarm(body.decode("utf-8", "replace")).encode()
        return body + b"\n"

    def end(self) -> bytes:
        """Nothing: there is no footer."""
        return b""
