"""`vmon doctor`: diagnose problems and suggest fixes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.doctor.runner import checks, examine
from vmon.render.reports import doctor as report

if TYPE_CHECKING:
    from vmon.doctor.results import DoctorOptions


def run(options: DoctorOptions, *, as_json: bool) -> int:
    """Print each result as its check ends, then the summary; 1 if a check failed, else 0."""
    results = []
    text = report.DoctorReport()
    for result in examine(checks(options)):
        results.append(result)
        if not as_json:
            sys.stdout.write(text.line(result))
            sys.stdout.flush()
    sys.stdout.write(report.as_json(results) if as_json else text.summary(results))
    return int(any(result.verdict == "fail" for result in results))
