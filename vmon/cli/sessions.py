"""`vmon sessions`: who is in which session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import (
    Command,
    filter_options,
    name_of,
    name_option,
    option,
    output_option,
)

if TYPE_CHECKING:
    from vmon.search.filter import Filter


@click.command(
    "sessions", cls=Command, short_help="Show sessions: connections, streams, archives, calls."
)
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--at", metavar="TIME",
    help="Show the state at TIME: 14:05 (on the capture's last day), 10m (ago), ISO 8601.",
)  # fmt: skip # one thing a line
@option("--watch", is_flag=True, help="Keep the view up to date while vmon listen is running.")
@option(
    "--limit", type=click.IntRange(0), metavar="N",
    help="Maximum number of sessions; 0 shows all. Default: 20 on a terminal, all in a pipe.",
)  # fmt: skip # one thing a line
@filter_options
@name_option
@output_option(
    "--format", "output_format", type=click.Choice(["auto", "tree", "json"]), default="auto",
    show_default=True, help="Output format; auto is tree, json is one session per line.",
)  # fmt: skip # one thing a line
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Show the sessions in a capture: connections, their streams and calls, archives.

    Open sessions come first, then the most recent. Out-of-order and duplicate events are handled.
    Missing end events are inferred and marked. A session that is still open counts until now while
    vmon listen is running, else until the end of the capture. Exits with 1 if there are no
    sessions.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands import sessions
    from vmon.errors import WrongUse

    if options["watch"] and (options["at"] is not None or options["output_format"] == "json"):
        raise WrongUse("--watch cannot be used with --at or --format json")
    run_options = sessions.Options(
        sources=sources_of(files),
        event_filter=event_filter,
        at=options["at"],
        limit=options["limit"],
        as_json=options["output_format"] == "json",
        name_of=name_of(options["name_from"]),
    )
    return sessions.watch(run_options) if options["watch"] else sessions.run(run_options)
