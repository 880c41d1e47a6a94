"""`vmon usage`: reads captures and counts minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from vmon.analysis.usage import Usage
    from vmon.search.filter import Filter


def read_usage(chosen: Filter, sources: tuple[str | None, ...], by: Any) -> Usage:
    """Read all there is: also what is not chosen tells when the capture ends."""
    from vmon.analysis.usage import LastSeen, usage_of
    from vmon.search.filter import Filter
    from vmon.search.reader import entries
    from vmon.sessions.store import SessionStore

    book, seen = SessionStore(), LastSeen()
    within = chosen._replace(since=None, until=None)
    for entry in entries(sources, Filter()):
        seen.span(entry.received_ms)
        if within(entry):
            seen.note(entry)
            book.apply(entry)
    return usage_of(book.sessions(), seen, by, _ms(chosen.since), _ms(chosen.until))


def _ms(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None


def write_csv(path: str, text: str) -> None:
    """Write the rows as CSV; WrongUse when the file cannot be written."""
    import sys
    from pathlib import Path

    from vmon.errors import WrongUse

    data = text.encode("utf-8", "backslashreplace")
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror or error}") from None
