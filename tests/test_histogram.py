import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.histogram import Histogram

MS = st.lists(
    st.integers(-(10**6), 10**6) | st.integers(-3000, 3000) | st.integers(0, 10**13), min_size=1
)


def noted(values: list[int]) -> Histogram:
    lags = Histogram()
    for one in values:
        lags.note(one)
    return lags


@given(MS, st.floats(0, 1))
def test_a_percentile_is_the_nearest_rank_within_a_thousandth(
    values: list[int], share: float
) -> None:
    found = noted(values).percentile(share)
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    assert found is not None
    assert 0 <= true - found <= abs(true) * 0.001
    if abs(true) < 2048:
        assert found == true


@given(MS)
def test_the_least_the_most_and_the_number_are_exact(values: list[int]) -> None:
    lags = noted(values)
    assert (lags.least, lags.most, lags.number) == (min(values), max(values), len(values))


@given(MS, MS)
def test_two_counted_apart_and_added_are_as_if_counted_together(
    one: list[int], other: list[int]
) -> None:
    sum_ = noted(one)
    sum_.add(noted(other))
    assert sum_ == noted(one + other)


def test_without_lags_there_is_no_percentile() -> None:
    lags = Histogram()
    assert (lags.percentile(0.5), lags.least, lags.most, lags.number) == (None, 0, 0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_million_different_lags_are_some_thousand_counters(sign: int) -> None:
    lags = noted([sign * number * 137 for number in range(200_000)])
    assert len(lags.counts) < 20_000
