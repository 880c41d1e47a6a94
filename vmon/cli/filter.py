"""`vmon filter`: find deliveries in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import filter_options, form_options

if TYPE_CHECKING:
    from vmon.filters import Filter


@click.command("filter", short_help="Find deliveries in captures, by type, id, reason, time.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option("--count", "only_count", is_flag=True, help="Print how many there are, nothing else.")
@click.option("-f", "--follow", is_flag=True, help="Go on reading what a running listen appends.")
@click.option("--explain", is_flag=True, help="Say what is chosen and how, and do nothing else.")
@form_options
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Find deliveries in captures, or in files of event bodies.

    FILE may be a capture, lines of bare bodies, a JSON array, any of them gzipped or in zstd, or
    - for standard input. Without FILE: standard input where it is piped, else the newest capture.
    Into a pipe the lines go out unchanged, so that what was found is a capture again. Exits with
    1 when nothing was found.
    """
    from vmon.errors import WrongUse
    from vmon.find import Options, run
    from vmon.sources import sources_of

    if asked["explain"]:
        from vmon.scan import explain

        click.echo(explain(chosen), nl=False)
        return 0
    if asked["follow"] and (len(files) > 1 or asked["only_count"]):
        raise WrongUse("--follow reads one file, and never comes to a count")
    return run(
        Options(
            sources=sources_of(files),
            chosen=chosen,
            kind=asked["kind"],
            verbosity=asked["verbosity"],
            only_count=asked["only_count"],
            follow=asked["follow"],
        )
    )
