from datetime import timedelta

import pytest

from vmon.events.redelivery import (
    DUE_S,
    LIKE_VONAGE,
    RETRIED_MS,
    RETRIES_FOR,
    SCHEDULE_TEXT,
    Schedule,
    copy_of,
    retry_of,
)


def test_waits_double_from_5_s_to_15_min_for_a_day() -> None:
    found = DUE_S
    assert found[:9] == [5, 15, 35, 75, 155, 315, 635, 1275, 2175]
    assert found[-1] - found[-2] == 900
    assert 86400 - 900 < found[-1] <= 86400
    assert len(found) == 102


def test_a_copy_on_the_schedule_has_its_number() -> None:
    assert [retry_of(due) for due in DUE_S] == list(range(1, 103))


def test_a_retry_may_be_late_by_the_time_its_answers_took() -> None:
    assert [retry_of(due + 1.2) for due in DUE_S] == list(range(1, 103))
    assert [retry_of(due - 0.4) for due in DUE_S] == list(range(1, 103))


@pytest.mark.parametrize("since_s", [-5.0, 0.0, 0.02, 3.0, 9.0, 25.0, 60.0, 1800.0, 90_000.0, 1e9])
def test_what_does_not_fit_the_schedule_has_none(since_s: float) -> None:
    assert retry_of(since_s) is None


def test_the_schedule_in_words_and_the_last_retry_are_those_of_the_figures() -> None:
    assert SCHEDULE_TEXT == "after 5.0 s, doubling up to 15 min, for 24 h"
    assert timedelta(hours=24) == RETRIES_FOR
    assert DUE_S[-1] * 1000 < RETRIES_FOR.total_seconds() * 1000 < RETRIED_MS


def test_waits_are_spread_by_chance_but_never_longer_and_vonages_are_not_spread() -> None:
    waits = {Schedule(jitter=0.25).wait_s(3) for _ in range(50)}
    assert len(waits) > 1
    assert all(1.5 <= wait <= 2.0 for wait in waits)
    assert {LIKE_VONAGE.wait_s(3) for _ in range(5)} == {20.0}


def test_what_a_copy_is_called_says_when_it_came() -> None:
    assert copy_of(2, 0.2) == "duplicate #2 +200 ms"
    assert copy_of(2, 35) == "retry #3 +35.0 s"
