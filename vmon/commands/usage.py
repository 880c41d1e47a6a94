"""`vmon usage`: reads captures and counts minutes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from vmon.analysis.usage import Usage
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """The options of a run: a source of None is standard input, `csv_file` `-` standard output."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    by: Any = "session"
    csv_file: str | None = None
    form: str = "auto"


def read_usage(event_filter: Filter, sources: tuple[str | None, ...], by: Any) -> Usage:
    """Read all there is: also what is not chosen tells when the capture ends."""
    from vmon.analysis.usage import LastSeen, usage_of
    from vmon.search.filter import Filter
    from vmon.search.reader import entries
    from vmon.sessions.store import SessionStore

    book, seen = SessionStore(), LastSeen()
    within = event_filter._replace(since=None, until=None)
    for entry in entries(sources, Filter()):
        seen.span(entry.received_ms)
        if within(entry):
            seen.note(entry)
            book.apply(entry)
    return usage_of(book.sessions(), seen, by, _ms(event_filter.since), _ms(event_filter.until))


def _ms(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None


def write_csv(path: str, text: str) -> None:
    """Write the rows as CSV; WrongUse when the file cannot be written."""
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


def run(options: Options) -> int:
    """Count, and print or write the minutes; Refused where there are none."""
    from vmon.errors import WrongUse
    from vmon.render.reports import usage as report
    from vmon.search.not_found import nothing_found

    if options.csv_file == "-" and options.form != "auto":
        raise WrongUse("--csv - cannot be used with --format", hint="both write to standard output")
    usage = read_usage(options.event_filter, options.sources, options.by)
    if options.csv_file:
        for_people = options.csv_file == "-" and sys.stdout.isatty()
        write_csv(options.csv_file, report.as_csv(usage, for_people=for_people))
    if options.form == "json":
        sys.stdout.write(report.as_json(usage))
    elif options.csv_file != "-":
        sys.stdout.writelines(report.UsageReport().lines(usage))
    if not usage.rows:
        raise nothing_found("minutes", options.sources, options.event_filter)
    return 0
