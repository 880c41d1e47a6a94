"""`vmon usage`: count connected and published minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import REPORT, Command, filter_options, option

if TYPE_CHECKING:
    from vmon.search.filter import Filter

_TIME_HELP = {
    "since": "Count only minutes since TIME: 10m (ago), 14:05, yesterday, ISO 8601.",
    "until": "Count only minutes before TIME.",
}


def _minutes_by_time(command: click.Command) -> click.Command:
    """Change the help of `--since` and `--until`: here they cut minutes, not deliveries."""
    for param in command.params:
        if isinstance(param, click.Option) and param.name in _TIME_HELP:
            param.help = _TIME_HELP[param.name]
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
    "--format", "output_format", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help=REPORT,
)  # fmt: skip # one thing a line
@filter_options
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Count connected, participant and published minutes.

    connected: minutes of every connection. participant: the part of them while any stream was
    published in the session, which is when Vonage's participant minutes start. published: minutes
    of every stream. Duplicates count once. Without an end event there are two figures: at least
    until the last event, at most until the connection, session or capture ended, or --until.
    --since and --until cut minutes, not events. Exits with 1 if there are no minutes.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands.usage import Options, run

    sources = sources_of(files)
    return run(
        Options(sources, event_filter, options["by"], options["csv_file"], options["output_format"])
    )
