"""Entries as JSON lines: as a capture has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.sanitize import disarm_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation


class JsonFormatter:
    """Capture lines, unchanged; `for_people` (on a terminal) escapes what could act on it."""

    def __init__(self, redact: Redactor | None = None, *, for_people: bool = False) -> None:
        self._redact = redact
        self._for_people = for_people

    def begin(self) -> bytes:
        """Nothing: lines have no header."""
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """The lines of entries."""
        return b"".join([self.entry(entry) for entry in entries])

    def entry(
        self, entry: Entry, line: bytes | None = None, _note: Annotation | None = None
    ) -> bytes:
        """The line of an entry; redacted it is never the line of the capture, which has all."""
        if self._redact:
            entry, line = self._redact(entry), None
        line = line or _encoded(entry)
        return disarm_json(line) if self._for_people else line

    def lines(self, lines: Iterable[bytes]) -> bytes:
        """Lines that are there already, with nothing to redact."""
        return b"".join(map(disarm_json, lines) if self._for_people else lines)

    def measure(self) -> None:
        """Nothing: lines are as long as they are."""

    def end(self) -> bytes:
        """Nothing: lines have no end."""
        return b""


def _encoded(entry: Entry) -> bytes:
    from vmon.capture.codec import write_line  # lines that are there already need no encoder

    return write_line(entry)
