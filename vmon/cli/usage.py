"""`vmon usage`: connected and published minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import REPORT, Command, filter_options, option

if TYPE_CHECKING:
    from datetime import datetime

    from vmon.analysis.usage import Usage
    from vmon.search.filter import Filter

_INSTEAD = {
    "since": "Count only minutes since TIME: 10m (ago), 14:05, yesterday, ISO 8601.",
    "until": "Count only minutes before TIME.",
}


def _minutes_by_time(command: click.Command) -> click.Command:
    """Say of `--since` and `--until` what they do here: leave out minutes, not deliveries."""
    for param in command.params:
        if isinstance(param, click.Option) and param.name in _INSTEAD:
            param.help = _INSTEAD[param.name]
    return command


@_minutes_by_time
@click.command("usage", cls=Command, short_help="Count connected and published minutes.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--by", type=click.Choice(["session", "connection", "day"]), default="session",
    show_default=True, help="Group by session, connection or day (UTC).",
)  # fmt: skip # one thing a line
@option("--csv", "csv_file", metavar="FILE", help="Write a CSV file; - is standard output.")
@option(
    "--format", "form", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help=REPORT,
)  # fmt: skip # one thing a line
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Count connected, participant and published minutes.

    connected: minutes of every connection. participant: the part of them while any stream was
    published in the session, which is when Vonage's participant minutes start. published: minutes
    of every stream. Duplicates count once. Without an end event there are two figures: at least
    until the last event, at most until the connection, session or capture ended, or --until.
    --since and --until cut minutes, not events. Exits with 1 if there are no minutes.
    """
    import sys

    from vmon.errors import WrongUse
    from vmon.render.reports import usage as drawn
    from vmon.search.not_found import nothing
    from vmon.sources import sources_of

    if asked["csv_file"] == "-" and asked["form"] != "auto":
        raise WrongUse("--csv - cannot be used with --format", hint="both write to standard output")
    sources = sources_of(files)
    found = _read(chosen, sources, asked["by"])
    if asked["csv_file"]:
        for_people = asked["csv_file"] == "-" and sys.stdout.isatty()
        _write_csv(asked["csv_file"], drawn.as_csv(found, for_people=for_people))
    if asked["form"] == "json":
        sys.stdout.write(drawn.as_json(found))
    elif asked["csv_file"] != "-":
        sys.stdout.writelines(drawn.Drawn().lines(found))
    if not found.rows:
        raise nothing("minutes", sources, chosen)
    return 0


def _read(chosen: Filter, sources: tuple[str | None, ...], by: Any) -> Usage:
    """Read all there is: also what is not chosen tells when the capture ends."""
    from vmon.analysis.usage import Seen, usage_of
    from vmon.search.filter import Filter
    from vmon.search.reader import read
    from vmon.search.scan import say_bad
    from vmon.sessions.store import Book

    book, seen = Book(), Seen()
    within = chosen._replace(since=None, until=None)

    def each(entry: Any) -> None:
        seen.span(int(entry.delivery.received_at.timestamp() * 1000))
        if within(entry):
            seen.note(entry)
            book.apply(entry)

    read(sources, Filter(), each, say_bad)
    return usage_of(book.sessions(), seen, by, _ms(chosen.since), _ms(chosen.until))


def _ms(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1000) if at else None


def _write_csv(path: str, text: str) -> None:
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
