"""`vmon oddities`: report oddities (anomalies) in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.analysis.oddities.severity import SEVERITIES
from vmon.cli import completers
from vmon.cli.options import LINES, Command, filter_options, option
from vmon.cli.quantities import Duration

if TYPE_CHECKING:
    from vmon.search.filter import Filter


@click.command(
    "oddities", cls=Command, short_help="Report oddities in captures: missing events, failures."
)
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--min-severity", type=click.Choice(SEVERITIES), default="info", show_default=True,
    help="Minimum severity to report.",
)  # fmt: skip # one thing a line
@option(
    "--fail-on", type=click.Choice(SEVERITIES),
    help="Exit with 1 if any oddity has at least this severity.",
)  # fmt: skip # one thing a line
@option(
    "--ghost-after", "ghost_after_s", type=Duration(), default="12h", show_default=True,
    help="Report connections and streams still open after this time as ghosts.",
)  # fmt: skip # one thing a line
@option("--list", "list_codes", is_flag=True, help="List all codes and exit.")
@option(
    "--explain", metavar="CODE", shell_complete=completers.codes,
    help="Explain a code (meaning, causes, what to do) and exit.",
)  # fmt: skip # one thing a line
@option(
    "--format", "output_format", type=click.Choice(["auto", "line", "json"]), default="auto",
    show_default=True, help=LINES,
)  # fmt: skip # one thing a line
@filter_options
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Report oddities (anomalies) in captures: missing events, failures, undocumented fields.

    A filter selects sessions: the oddities of every session with a matching event are reported.
    Events missing because the capture started later are reported as info. Exits with 1 if there
    is an oddity of the --fail-on severity or there are no deliveries, else 0.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands.oddities import Options, explain, run

    if options["explain"] is not None or options["list_codes"]:
        return explain(options["explain"], as_json=options["output_format"] == "json")

    return run(
        Options(
            sources=sources_of(files),
            event_filter=event_filter,
            ghost_after_s=options["ghost_after_s"],
            min_severity=options["min_severity"],
            fail_on=options["fail_on"],
            as_json=options["output_format"] == "json",
        )
    )
