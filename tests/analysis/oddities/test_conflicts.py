from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.odd_bodies import (
    ANN,
    GONE,
    begun,
    call,
    came,
    closed,
    ended,
    left,
    ms,
    opened,
    sample,
    survey,
)
from vmon.analysis.oddities import conflicts

if TYPE_CHECKING:
    Body = dict[str, Any]


def test_three_cameras_are_one_oddity_and_a_camera_whose_end_is_lost_is_none() -> None:
    three = [begun(name, "ann", 7 + at, 1) for at, name in enumerate("abc")]
    (odd,) = survey([*ANN, *three, opened(60, session="2_o")])
    assert (odd.code, odd.ids, odd.at_ms) == ("two-cameras", ("ann", "a", "b", "c"), ms(8))
    assert "published 3 cameras at once: stream a, stream b, stream c" in odd.text
    lost = [begun("a", "ann", 7, 1), begun("b", "ann", 30, 1), ended("b", "ann", 59, 30, 1), *GONE]
    found = survey([*ANN, *lost])
    assert [odd.code for odd in found] == ["stream-outlives-connection"]
    both = [begun("b", "ann", 7, 1), begun("a", "ann", 9, 1), ended("b", "ann", 30, 7, 1), *GONE]
    found = survey([*ANN, *both])
    assert [odd.code for odd in found] == ["two-cameras", "stream-outlives-connection"]


def test_a_short_overlap_hides_no_long_one() -> None:
    spans = [(0, 100_000, "a"), (50_000, 51_000, "b"), (60_000, 90_000, "c")]
    (group,) = conflicts._overlapping(spans)
    assert [identifier for _, _, identifier in group] == ["a", "c"]
    assert list(conflicts._overlapping([(0, 10_000, "a"), (9_000, 20_000, "b")])) == []


@pytest.mark.parametrize("reason", ["Internal server failure", "forceDisconnected"])
def test_a_failure_of_the_platform_is_one_of_the_session_and_of_the_call(reason: str) -> None:
    found = survey([*ANN, left("ann", 59, 1), closed(60, reason=reason)])
    assert [(odd.code, odd.severity) for odd in found] == [("failed", "error")]
    the_call = [came("sip", 2), call("callCreated", 3), call("callDestroyed", 40, reason=reason)]
    assert [odd.code for odd in survey([*ANN, *the_call])] == ["failed"]


@pytest.mark.parametrize("name", ["broadcast", "render", "captions"])
def test_every_failed_output_is_reported(name: str) -> None:
    (odd,) = survey([sample(name, status="failed", reason="no\x1b[2Jway")])
    assert (odd.code, odd.severity) == ("failed", "error")
    assert odd.text.endswith("failed: no␛[2Jway")
