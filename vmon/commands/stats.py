"""`vmon stats`: reads captures and counts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vmon.analysis.stats import Stats
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """The options of a run: a source of None is standard input, `top` the sessions shown."""

    sources: tuple[str | None, ...]
    chosen: Filter
    top: int = 5
    oddities: bool = False
    as_json: bool = False


def read_stats(chosen: Filter, sources: tuple[str | None, ...], *, oddities: bool) -> Stats:
    """Count the chosen deliveries of the sources."""
    from collections import Counter

    from vmon.analysis.stats import stats_of, stats_with

    if not oddities:
        return stats_of(sources, chosen)
    from vmon.analysis.oddities.survey import OddityAnalysis

    survey = OddityAnalysis(chosen)
    found = stats_with(sources, chosen, survey.note)
    found.oddities = dict(Counter(one.code for one in survey.oddities()))
    return found


def run(options: Options) -> int:
    """Count, and print the figures; Refused where nothing matches."""
    from vmon.render.reports import stats as report
    from vmon.search.not_found import nothing_found

    stats = read_stats(options.chosen, options.sources, oddities=options.oddities)
    if options.as_json:
        sys.stdout.write(report.as_json(stats, options.top))
    elif stats.deliveries:
        sys.stdout.writelines(f"{line}\n" for line in report.StatsReport(options.top).lines(stats))
    if not stats.deliveries:
        raise nothing_found("deliveries", options.sources, options.chosen)
    return 0
