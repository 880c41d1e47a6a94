"""Entries as JSON lines, as in a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.sanitize import disarm_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation


class JsonFormatter:
    """Formats entries as capture lines, unchanged; `for_people` escapes control characters."""

    def __init__(self, redact: Redactor | None = None, *, for_people: bool = False) -> None:
        self._redact = redact
        self._for_people = for_people

    def begin(self) -> bytes:
        """Nothing: there is no header."""
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format entries as lines."""
        return b"".join([self.entry(entry) for entry in entries])

    def entry(
        self, entry: Entry, line: bytes | None = None, _note: Annotation | None = None
    ) -> bytes:
        """Format an entry; its capture line `line` is used unless the entry is redacted."""
        if self._redact:
            entry, line = self._redact(entry), None
        line = line or _encoded(entry)
        return disarm_json(line) if self._for_people else line

    def lines(self, lines: Iterable[bytes]) -> bytes:
        """Join capture lines that need no redaction."""
        return b"".join(map(disarm_json, lines) if self._for_people else lines)

    def measure(self) -> None:
        """Nothing: lines have no limit."""

    def end(self) -> bytes:
        """Nothing: there is no footer."""
        return b""


def _encoded(entry: Entry) -> bytes:
    from vmon.capture.codec import write_line  # not needed for capture lines

    return write_line(entry)
