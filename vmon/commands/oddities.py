"""One run of `vmon oddities`: reads stored deliveries, and tells what does not add up."""

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Options(NamedTuple):
    """Options of a run: a source of None is standard input.

    `least` is the lowest severity that is told, `fail_on` the lowest that makes the run fail.
    """

    sources: tuple[str | None, ...]
    event_filter: Filter = Filter()
    ghost_after_s: float = GHOST_AFTER_S
    least: Severity = "info"
    fail_on: Severity | None = None
    as_json: bool = False


def run(options: Options) -> int:
    """Tell what does not add up; 1 when something is as severe as `fail_on`, else 0.

    Refused when there is no delivery to look at: that nothing is odd would be too much said.
    """
    from vmon.render.reports.oddities import OdditiesReport, as_json

    survey = OddityAnalysis(None if options.event_filter.chooses_all else options.event_filter)
    for entry in reader.entries(options.sources, Filter()):
        survey.note(entry)
    if not survey.number:
        raise nothing_found("deliveries", options.sources, options.event_filter)
    least = SEVERITIES.index(options.least)
    found = survey.oddities(options.ghost_after_s)
    told = [one for one in found if SEVERITIES.index(one.severity) >= least]
    report = OdditiesReport()
    put: Callable[[Oddity], str] = as_json if options.as_json else report.rows
    for one in told:
        sys.stdout.write(put(one))
    sys.stdout.flush()
    sys.stderr.write(report.summary(found, survey.number, survey.sessions))
    return int(_fails(found, options.fail_on))


def _fails(found: Iterable[Oddity], fail_on: Severity | None) -> bool:
    if fail_on is None:
        return False
    bound = SEVERITIES.index(fail_on)
    return any(SEVERITIES.index(one.severity) >= bound for one in found)


def explain(name: str | None, *, as_json: bool) -> int:
    """Print a code with all that is known of it, or list all codes; WrongUse for an unknown one."""
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
