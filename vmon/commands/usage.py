"""`vmon usage`: count connected and published minutes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from vmon.analysis.usage import Usage
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """Options of `vmon usage`: a source of None is stdin, a `csv_file` of `-` is stdout."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    by: Any = "session"
    csv_file: str | None = None
    output_format: str = "auto"


def read_usage(event_filter: Filter, sources: tuple[str | None, ...], by: Any) -> Usage:
    """Count the minutes; all deliveries are read, to know when the capture ends."""
    from vmon.analysis.usage import LastSeen, usage_of
    from vmon.search.filter import Filter
    from vmon.search.reader import entries
    from vmon.sessions.store import SessionStore

    store, seen = SessionStore(), LastSeen()
    within = event_filter._replace(since=None, until=None)
    for entry in entries(sources, Filter()):
        seen.span(entry.received_ms)
        if within(entry):
            seen.note(entry)
            store.apply(entry)
    return usage_of(store.sessions(), seen, by, _ms(event_filter.since), _ms(event_filter.until))


def _ms(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None


def write_csv(path: str, text: str) -> None:
    """Write CSV to a file or standard output; WrongUse if the file cannot be written."""
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
    """Count, and print or write the minutes; Refused if there are none."""
    from vmon.errors import WrongUse
    from vmon.render.reports import usage as report
    from vmon.search.not_found import nothing_found

    if options.csv_file == "-" and options.output_format != "auto":
        raise WrongUse("--csv - cannot be used with --format", hint="both write to standard output")
    usage = read_usage(options.event_filter, options.sources, options.by)
    if options.csv_file:
        for_people = options.csv_file == "-" and sys.stdout.isatty()
        write_csv(options.csv_file, report.as_csv(usage, for_people=for_people))
    if options.output_format == "json":
        sys.stdout.write(report.as_json(usage))
    elif options.csv_file != "-":
        sys.stdout.writelines(report.UsageReport().lines(usage))
    if not usage.rows:
        raise nothing_found("minutes", options.sources, options.event_filter)
    return 0
