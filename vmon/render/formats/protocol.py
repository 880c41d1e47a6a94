"""What every output format is: a formatter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import Annotation


class Formatter(Protocol):
    """An output format: turns entries into the bytes of a document, some at a time."""

    def begin(self) -> bytes:
        """What comes before the first entry."""

    def each(self, entries: Iterable[Entry], /) -> bytes:
        """The next entries."""

    def end(self) -> bytes:
        """What comes after the last entry."""


class EntryFormatter(Formatter, Protocol):
    """A format in which an entry stands alone, as on a live screen."""

    def entry(
        self, entry: Entry, line: bytes | None = None, note: Annotation | None = None, /
    ) -> bytes:
        """One entry, newline included; `line` is its capture line, `note` what else is known."""

    def measure(self) -> None:
        """Take the terminal's width as it is now."""


class Redacted:
    """Another format, in which every entry is redacted first."""

    def __init__(self, formatter: Formatter, redact: Redactor) -> None:
        self._redact = redact
        self._formatter = formatter
        self.begin, self.end = formatter.begin, formatter.end

    def each(self, entries: Iterable[Entry]) -> bytes:
        """The next entries, redacted."""
        return self._formatter.each([self._redact(entry) for entry in entries])
