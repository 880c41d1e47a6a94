"""`vmon sessions`: who is in which session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import filter_options, name_of, name_option

if TYPE_CHECKING:
    from vmon.filters import Filter


@click.command("sessions", short_help="Who is in which session: people, streams, archives, calls.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option(
    "--at", metavar="WHEN",
    help="As it was then: 14:05 (of the capture's last day), 10m (ago), ISO 8601.",
)  # fmt: skip # one thing a line
@click.option("--watch", is_flag=True, help="Go on drawing, in place, what a running listen hears.")
@click.option(
    "--limit", type=click.IntRange(0), metavar="N",
    help="At most so many sessions; 0 is all. Default: 20 on a terminal, all in a pipe.",
)  # fmt: skip # one thing a line
@click.option(
    "--format", "form", type=click.Choice(["auto", "tree", "json"]), default="auto",
    show_default=True, help="auto and tree: for people; json: a session a line, for machines.",
)  # fmt: skip # one thing a line
@name_option
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Rebuild the sessions from their events, and draw who is in which.

    Open ones come first, then those that began last. The order of the events does not matter, nor
    that some came twice. What is open goes on until now while vmon listen writes the capture, else
    until its end. An end that nobody told is worked out, and says so. Exits with 1 when there is
    no session.
    """
    from vmon import sessions
    from vmon.errors import WrongUse
    from vmon.sources import sources_of

    if asked["watch"] and (asked["at"] is not None or asked["form"] == "json"):
        raise WrongUse("--watch draws what is there now: it goes with no --at and no json")
    told = sessions.Options(
        sources=sources_of(files),
        chosen=chosen,
        at=asked["at"],
        limit=asked["limit"],
        as_json=asked["form"] == "json",
        name_of=name_of(asked["name_from"]),
    )
    return sessions.watch(told) if asked["watch"] else sessions.run(told)
