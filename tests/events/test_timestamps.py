from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from vmon.events.models import StreamEvent
from vmon.events.timestamps import (
    FIRST_MS,
    LAST_MS,
    in_ms,
    instant,
    is_in_seconds,
    local,
    not_before,
)

T = 1_470_258_860_571


@pytest.mark.parametrize("ms", [None, 0, -1, 2**64, 10**400, 253_402_300_800_000])
def test_an_absurd_time_is_no_time(ms: int | None) -> None:
    assert instant(ms) is None
    assert StreamEvent(timestamp=ms).timestamp_at is None


def test_an_instant_is_aware_and_exact_to_the_millisecond() -> None:
    assert instant(T) == datetime(2016, 8, 3, 21, 14, 20, 571_000, UTC)
    assert instant(LAST_MS) == datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)


@pytest.mark.parametrize(
    ("stated", "ms"),
    [
        (T, T),
        (T // 1000, T // 1000 * 1000),
        (1_470_258_860.571, T),
        (FIRST_MS, FIRST_MS),
        (FIRST_MS - 1, (FIRST_MS - 1) * 1000),
        (LAST_MS, LAST_MS),
        (LAST_MS + 1, None),
        (0, None),
        (-1, None),
        (None, None),
    ],
)
def test_a_time_in_seconds_is_one_in_ms_and_an_absurd_one_is_none(
    stated: float | None, ms: int | None
) -> None:
    assert in_ms(stated) == ms


def test_what_is_too_small_for_ms_is_in_seconds() -> None:
    assert is_in_seconds(FIRST_MS - 1)
    assert [is_in_seconds(one) for one in (FIRST_MS, 0, -1, None)] == [False] * 4


def test_a_local_time_is_that_of_the_zone_and_the_last_one_exists_in_all(
    zone: Callable[[str], None],
) -> None:
    zone("Asia/Tokyo")
    assert local(T).strftime("%Y-%m-%d %H:%M:%S %z") == "2016-08-04 06:14:20 +0900"
    assert local(LAST_MS).year == 9999


@pytest.mark.parametrize(
    ("received", "earliest", "at"),
    [(T, None, T), (T, T - 5, T), (T, T + 5, T + 5), (0, T, T), (0, None, 0), (T, 2 * T, T)],
)
def test_a_receipt_stands_unless_something_cannot_have_happened_yet(
    received: int, earliest: int | None, at: int
) -> None:
    assert not_before(received, earliest) == at
