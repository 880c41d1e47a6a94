from __future__ import annotations

from vmon.analysis.oddities.codes import CODES
from vmon.analysis.oddities.severity import SEVERITIES


def test_severities_stand_from_the_mildest_to_the_worst_and_each_has_codes() -> None:
    assert SEVERITIES == ("info", "warning", "error")
    assert {code.severity for code in CODES.values()} == set(SEVERITIES)
