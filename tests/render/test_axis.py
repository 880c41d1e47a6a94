from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.render.axis import Tick, ticks

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = 1_764_072_000_000
S, MIN, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("span_ms", "most", "labels"),
    [
        (900, 4, ["00.000", "00.500"]),
        (59 * S, 6, ["12:00:00", "12:00:10", "12:00:20", "12:00:30", "12:00:40", "12:00:50"]),
        (20 * MIN, 5, ["12:00", "12:05", "12:10", "12:15", "12:20"]),
        (3 * HOUR, 4, ["12:00", "13:00", "14:00", "15:00"]),
        (30 * DAY, 5, ["11-27", "12-04", "12-11", "12-18", "12-25"]),
        (50 * 365 * DAY, 5, ["2035-10", "2046-09", "2057-09", "2068-08"]),
    ],
)
def test_ticks_are_round_and_written_as_coarsely_as_they_stand(
    span_ms: int, most: int, labels: list[str]
) -> None:
    assert [tick.label for tick in ticks(NOON, NOON + span_ms, most)] == labels


def test_ticks_are_round_in_local_time(zone: Callable[[str], None]) -> None:
    zone("Asia/Kathmandu")  # 5:45 ahead of UTC
    assert ticks(NOON, NOON + 2 * HOUR, 3)[0] == Tick(NOON + 15 * MIN, "18:00")


@given(st.integers(0, 4 * 10**12), st.integers(0, 10**12), st.integers(0, 30))
def test_there_are_never_more_ticks_than_the_limit_and_none_outside(
    from_ms: int, span_ms: int, most: int
) -> None:
    found = ticks(from_ms, from_ms + span_ms, most)
    assert len(found) <= max(1, most) + 1
    assert all(from_ms <= tick.at_ms <= from_ms + span_ms for tick in found)
