"""The protocol of output formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation


class Formatter(Protocol):
    """Formats entries as the bytes of a document, in batches."""

    def begin(self) -> bytes:
        """The bytes before the first entry."""

    def each(self, entries: Iterable[Entry], /) -> bytes:
        """Format the next entries."""

    def end(self) -> bytes:
        """The bytes after the last entry."""


class EntryFormatter(Formatter, Protocol):
    """Formats single entries, as on a live screen."""

    def entry(
        self, entry: Entry, line: bytes | None = None, note: Annotation | None = None, /
    ) -> bytes:
        """Format an entry, newline included; `line` is its capture line."""

    def measure(self) -> None:
        """Update the width to the terminal's."""


class Redacted:
    """Redacts entries before another formatter formats them."""

    def __init__(self, formatter: Formatter, redact: Redactor) -> None:
        self._redact = redact
        self._formatter = formatter
        self.begin, self.end = formatter.begin, formatter.end

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format the next entries, redacted."""
        return self._formatter.each([self._redact(entry) for entry in entries])
