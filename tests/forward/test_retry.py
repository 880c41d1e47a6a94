import pytest

from vmon.events.redelivery import LIKE_VONAGE, Schedule
from vmon.forward.client import Outcome
from vmon.forward.retry import EAGER, again_in_s, is_worth_another

GONE = Outcome(None, 0.1, "nothing listens there", kind="unreachable")


def answered(status: int, after_s: float | None = None) -> Outcome:
    return Outcome(status, 0.1, retry_after_s=after_s)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 599])
def test_an_app_that_cannot_now_is_asked_again(status: int) -> None:
    assert is_worth_another(answered(status))


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 405, 410, 413, 422])
def test_an_app_that_does_not_want_it_is_not_asked_again(status: int) -> None:
    assert not is_worth_another(answered(status))
    assert again_in_s(EAGER, answered(status), 1, 0) is None


@pytest.mark.parametrize("kind", ["unreachable", "broken", "late"])
def test_no_answer_is_asked_for_again(kind: str) -> None:
    assert is_worth_another(Outcome(None, 0.1, "…", kind=kind))  # type: ignore[arg-type] # one of them


def test_what_cannot_be_sent_is_not_sent_again() -> None:
    assert not is_worth_another(Outcome(None, 0.1, "a header", kind="unsendable"))
    assert not is_worth_another(Outcome(None, 0.1, "a bug", kind="error"))


def test_waits_double_from_half_a_second_to_a_minute_and_vary() -> None:
    for attempts, most in enumerate([0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60], 1):
        waits = [EAGER.wait_s(attempts) for _ in range(200)]
        assert 0.75 * most <= min(waits) < max(waits) <= most


def test_vonage_s_waits_double_from_5_s_to_15_min() -> None:
    waits = [LIKE_VONAGE.wait_s(attempts) for attempts in range(1, 11)]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_very_long_row_of_attempts_is_no_trouble() -> None:
    assert 45 <= EAGER.wait_s(100_000) <= 60


def test_an_app_that_is_away_is_waited_for_without_end() -> None:
    assert again_in_s(EAGER, GONE, 10_000, 1e7) is not None
    assert again_in_s(EAGER, answered(503), 10_000, 1e7) is not None


def test_an_app_that_fails_itself_is_asked_eight_times() -> None:
    assert again_in_s(EAGER, answered(500), 7, 100) is not None
    assert again_in_s(EAGER, answered(500), 8, 100) is None


def test_like_vonage_everything_is_given_up_after_24_h() -> None:
    assert again_in_s(LIKE_VONAGE, GONE, 99, 85_499) == 900
    assert again_in_s(LIKE_VONAGE, GONE, 99, 85_501) is None
    assert again_in_s(LIKE_VONAGE, answered(500), 99, 100) == 900


def test_what_the_app_asks_for_is_honoured_but_not_for_ever() -> None:
    exact = Schedule(jitter=0)
    assert again_in_s(exact, answered(503, 30), 1, 0) == 30
    assert again_in_s(exact, answered(503, 0), 1, 0) == 0.5
    assert again_in_s(exact, answered(429, 1e9), 1, 0) == 3600
