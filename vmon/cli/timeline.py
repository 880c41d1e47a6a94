"""`vmon timeline`: show a session over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import Command, filter_options, late_option, name_of, name_option, option

if TYPE_CHECKING:
    from vmon.search.filter import Filter


@click.command(
    "timeline", cls=Command, short_help="Show a session as a timeline: terminal, SVG, HTML."
)
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option("--svg", metavar="FILE", help="Write an SVG image; - is standard output.")
@option("--html", metavar="FILE", help="Write an HTML page; - is standard output.")
@option(
    "--width", type=click.IntRange(30, 1000), metavar="COLUMNS",
    help="Width of the chart. Default: the terminal's width; 100 in a pipe.",
)  # fmt: skip # one thing a line
@filter_options
@name_option
@late_option
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Show a session as bars over time: connections, their streams and calls, archives.

    If there are several sessions, choose one with --session. ▶ still open; dashed: start or end
    inferred; ! failed; ↩ late; ² duplicate; details are below the chart. --svg and --html write
    the same chart, for light and dark backgrounds. Exits with 1 if there are no sessions.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands.timeline import Options, run

    return run(
        Options(
            sources=sources_of(files),
            event_filter=event_filter,
            svg=options["svg"],
            html=options["html"],
            width=options["width"],
            name_of=name_of(options["name_from"]),
            late_after_s=options["late_after_s"],
        )
    )
