"""`vmon timeline`: a session over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import filter_options, name_of, name_option

if TYPE_CHECKING:
    from vmon.filters import Filter


@click.command("timeline", short_help="Draw a session over time, here, as SVG or as HTML.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option("--svg", metavar="FILE", help="Write it as a picture; - is standard output.")
@click.option("--html", metavar="FILE", help="Write it as a page; - is standard output.")
@click.option(
    "--width", type=click.IntRange(30, 1000), metavar="N",
    help="Columns to draw in. Default: the terminal's; 100 in a pipe.",
)  # fmt: skip # one thing a line
@name_option
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Draw a session as bars over time: connections, their streams and calls, archives.

    With several sessions in it, --session says which. ▶ goes on; a dashed bar's begin or end was
    not told, but worked out; ! failed, ↩ came late, ² came again: what these are about is told
    below. --svg and --html write the same picture to share, for light and dark grounds. Exits
    with 1 when there is no session.
    """
    from vmon.sources import sources_of
    from vmon.timeline import Options, run

    return run(
        Options(
            sources=sources_of(files),
            chosen=chosen,
            svg=asked["svg"],
            html=asked["html"],
            width=asked["width"],
            name_of=name_of(asked["name_from"]),
        )
    )
