"""`vmon stats`: figures of captures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmon.cli import complete
from vmon.cli.options import filter_options

if TYPE_CHECKING:
    from vmon.filters import Filter
    from vmon.stats import Stats


@click.command("stats", short_help="Count types, reasons, lags, peaks, duplicates.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option(
    "--top", type=click.IntRange(0), default=5, show_default=True, metavar="N",
    help="So many of the busiest sessions.",
)  # fmt: skip # one thing a line
@click.option("--oddities", is_flag=True, help="Count what does not add up, too: takes longer.")
@click.option(
    "--format", "form", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help="auto and text: for people; json: one document for machines.",
)  # fmt: skip # one thing a line
@filter_options
def command(chosen: Filter, files: tuple[str, ...], top: int, form: str, *, oddities: bool) -> int:
    """Count deliveries by type, reason and session, per minute, and how late they were.

    delivery lag: from when an event happened to its receipt; platform lag: from the creation of
    what it is about to the event. Both are of first copies, and as the clocks tell them. Exits
    with 1 when nothing was found.
    """
    import sys

    from vmon.nothing import nothing
    from vmon.render import stats as drawn
    from vmon.sources import sources_of

    sources = sources_of(files)
    found = _read(chosen, sources, oddities=oddities)
    if form == "json":
        sys.stdout.write(drawn.as_json(found, top))
    elif found.deliveries:
        sys.stdout.writelines(line + "\n" for line in drawn.Drawn(top).lines(found))
    if not found.deliveries:
        raise nothing("delivery", sources, chosen)
    return 0


def _read(chosen: Filter, sources: tuple[str | None, ...], *, oddities: bool) -> Stats:
    from collections import Counter

    from vmon.scan import say_bad
    from vmon.stats import stats_of, stats_with

    if not oddities:
        return stats_of(sources, chosen, say_bad)
    from vmon.survey import Survey

    survey = Survey(chosen)
    found = stats_with(sources, chosen, survey.note, say_bad)
    found.oddities = dict(Counter(one.code for one in survey.oddities()))
    return found
