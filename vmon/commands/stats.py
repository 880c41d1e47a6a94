"""`vmon stats`: reads captures and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmon.analysis.stats import Stats
    from vmon.search.filter import Filter


def read_stats(chosen: Filter, sources: tuple[str | None, ...], *, oddities: bool) -> Stats:
    """Count the chosen deliveries of the sources."""
    from collections import Counter

    from vmon.analysis.stats import stats_of, stats_with
    from vmon.search.scan import say_bad

    if not oddities:
        return stats_of(sources, chosen, say_bad)
    from vmon.analysis.oddities.survey import OddityAnalysis

    survey = OddityAnalysis(chosen)
    found = stats_with(sources, chosen, survey.note, say_bad)
    found.oddities = dict(Counter(one.code for one in survey.oddities()))
    return found
