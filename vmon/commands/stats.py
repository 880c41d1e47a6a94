"""`vmon stats`: print statistics of captures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vmon.analysis.stats import Stats
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """Options of `vmon stats`: a source of None is standard input, `top` the sessions shown."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    top: int = 5
    oddities: bool = False
    as_json: bool = False


def read_stats(event_filter: Filter, sources: tuple[str | None, ...], *, oddities: bool) -> Stats:
    """Count the matching deliveries of the sources; `oddities` counts those too."""
    from collections import Counter

    from vmon.analysis.stats import stats_of, stats_with

    if not oddities:
        return stats_of(sources, event_filter)
    from vmon.analysis.oddities.survey import OddityAnalysis

    analysis = OddityAnalysis(event_filter)
    stats = stats_with(sources, event_filter, analysis.note)
    stats.oddities = dict(Counter(oddity.code for oddity in analysis.oddities()))
    return stats


def run(options: Options) -> int:
    """Count, and print the statistics; Refused if nothing matches."""
    from vmon.render.reports import stats as report
    from vmon.search.not_found import nothing_found

    stats = read_stats(options.event_filter, options.sources, oddities=options.oddities)
    if options.as_json:
        sys.stdout.write(report.as_json(stats, options.top))
    elif stats.deliveries:
        sys.stdout.writelines(f"{line}\n" for line in report.StatsReport(options.top).lines(stats))
    if not stats.deliveries:
        raise nothing_found("deliveries", options.sources, options.event_filter)
    return 0
