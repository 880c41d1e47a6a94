"""`vmon oddities`: report oddities (anomalies) in captures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon.analysis.oddities.codes import CODES, Code, Oddity
from vmon.analysis.oddities.scene import GHOST_AFTER_S
from vmon.analysis.oddities.severity import SEVERITIES, Severity
from vmon.analysis.oddities.survey import OddityAnalysis
from vmon.errors import WrongUse
from vmon.search import reader
from vmon.search.filter import Filter
from vmon.search.not_found import nothing_found
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Options(NamedTuple):
    """Options of `vmon oddities`: a source of None is standard input.

    `min_severity` is the lowest that is reported, `fail_on` the lowest that makes the run fail.
    """

    sources: tuple[str | None, ...]
    event_filter: Filter = Filter()
    ghost_after_s: float = GHOST_AFTER_S
    min_severity: Severity = "info"
    fail_on: Severity | None = None
    as_json: bool = False


def run(options: Options) -> int:
    """Report oddities; 1 if one is as severe as `fail_on`, else 0.

    Refused if there are no deliveries: "no oddities" would be misleading.
    """
    from vmon.render.reports.oddities import OdditiesReport, as_json

    analysis = OddityAnalysis(None if options.event_filter.selects_all else options.event_filter)
    for entry in reader.entries(options.sources, Filter()):
        analysis.note(entry)
    if not analysis.number:
        raise nothing_found("deliveries", options.sources, options.event_filter)
    lowest = SEVERITIES.index(options.min_severity)
    oddities = analysis.oddities(options.ghost_after_s)
    reported = [oddity for oddity in oddities if SEVERITIES.index(oddity.severity) >= lowest]
    report = OdditiesReport()
    text_of: Callable[[Oddity], str] = as_json if options.as_json else report.rows
    for oddity in reported:
        sys.stdout.write(text_of(oddity))
    sys.stdout.flush()
    say(report.summary(oddities, analysis.number, analysis.sessions).rstrip("\n"))
    return int(_fails(oddities, options.fail_on))


def _fails(oddities: Iterable[Oddity], fail_on: Severity | None) -> bool:
    if fail_on is None:
        return False
    lowest = SEVERITIES.index(fail_on)
    return any(SEVERITIES.index(oddity.severity) >= lowest for oddity in oddities)


def explain(name: str | None, *, as_json: bool) -> int:
    """Explain a code, or list all codes; WrongUse for an unknown code."""
    from vmon.render.reports.oddities import OdditiesReport, codes_as_json

    codes = list(CODES.values()) if name is None else [_code(name)]
    if as_json:
        sys.stdout.write(codes_as_json(codes))
        return 0
    report = OdditiesReport()
    sys.stdout.writelines(map(report.listed if name is None else report.explained, codes))
    return 0


def _code(name: str) -> Code:
    code = CODES.get(name.lower())
    if code is None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), CODES, n=1)
        hint = f"did you mean {near[0]}?" if near else "run vmon oddities --list for all codes"
        raise WrongUse(f"unknown code {name!r}", hint=hint)
    return code
