"""`vmon stats`: statistics of captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmon.cli import completers
from vmon.cli.options import REPORT, Command, filter_options, option

if TYPE_CHECKING:
    from vmon.search.filter import Filter


@click.command("stats", cls=Command, short_help="Count types, reasons, lags, duplicates.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--top", type=click.IntRange(0), default=5, show_default=True, metavar="N",
    help="Number of busiest sessions to show.",
)  # fmt: skip # one thing a line
@option("--oddities", is_flag=True, help="Also count oddities (slower).")
@option(
    "--format", "output_format", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help=REPORT,
)  # fmt: skip # one thing a line
@filter_options
def command(
    event_filter: Filter, files: tuple[str, ...], top: int, output_format: str, *, oddities: bool
) -> int:
    """Count deliveries by type, reason, session and minute, and measure lags.

    Delivery lag: from the time in the event until it was received. Event delay: from the
    creation of the stream, connection or archive until the event. Duplicates are not measured.
    Exits with 1 if nothing matched.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands.stats import Options, run

    return run(Options(sources_of(files), event_filter, top, oddities, output_format == "json"))
