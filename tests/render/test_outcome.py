import pytest

from vmon.forward.leftovers import Left
from vmon.forward.listener import TargetBack, TargetDown
from vmon.render.outcome import back_in_words, down_in_words, left_in_words

REFUSED = "connection refused: nothing is listening on app:80"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TargetDown("app:80", REFUSED, retrying=True), f"{REFUSED}; retrying"),
        (TargetDown("app:80", REFUSED, retrying=False), REFUSED),
        (
            TargetDown("app:80", "no response within 3.0 s", retrying=True),
            "app:80: no response within 3.0 s; retrying",
        ),
    ],
)
def test_a_target_that_is_down_is_named_with_its_problem(event: TargetDown, text: str) -> None:
    assert down_in_words(event) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TargetBack("app:80", 3.0, 0), "app:80 is back after 3.0 s"),
        (TargetBack("app:80", 3.0, 1), "app:80 is back after 3.0 s"),
        (TargetBack("app:80", 3.0, 2345), "app:80 is back after 3.0 s: sending 2,345 deliveries"),
        (
            TargetBack("app:80", 3.0, 20_000, more=True),
            "app:80 is back after 3.0 s: sending 20,000+ deliveries",
        ),
    ],
)
def test_a_target_that_is_back_is_named_with_what_it_gets(event: TargetBack, text: str) -> None:
    assert back_in_words(event) == text


def test_what_an_earlier_run_left_is_told_with_what_becomes_of_it() -> None:
    assert left_in_words(Left(1, "http://a", is_sent=True)) == (
        "1 delivery from an earlier run was not forwarded to http://a: sending it first"
    )
    assert left_in_words(Left(3, "http://a", is_sent=False)) == (
        "3 deliveries from an earlier run were not forwarded to http://a, which is not a target "
        "now: resend them with vmon replay --failed"
    )
