from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry
from vmon.events.entry import Entry
from vmon.replay.schedule import PlaybackSpeed, ScheduledDelivery, estimate, schedule


@pytest.fixture(scope="module")
def stored() -> Callable[..., list[tuple[bytes, Entry]]]:
    """Make lines and entries received so many seconds after the first."""
    start = make_entry(b"").delivery.received_at

    def entries(*offsets: float) -> list[tuple[bytes, Entry]]:
        return [
            (
                b"%d\n" % number,
                make_entry(
                    b'{"event":"archive"}' if number % 2 else b"{",
                    received_at=start + timedelta(seconds=offset),
                ),
            )
            for number, offset in enumerate(offsets)
        ]

    return entries


Stored = Callable[..., list[tuple[bytes, Entry]]]


def times(due: list[ScheduledDelivery]) -> list[tuple[float, float]]:
    return [(round(one.at_s, 6), round(one.cut_s, 6)) for one in due]


def test_entries_are_due_in_their_own_time_and_long_pauses_are_cut(stored: Stored) -> None:
    due = list(schedule(stored(0, 1, 1.5, 60), PlaybackSpeed()))
    assert times(due) == [(0, 0), (1, 0), (1.5, 0), (3.5, 56.5)]
    assert [one.line for one in due] == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_a_speed_shortens_what_is_left_of_a_pause(stored: Stored) -> None:
    assert times(list(schedule(stored(0, 1, 60), PlaybackSpeed(10)))) == [
        (0, 0),
        (0.1, 0),
        (0.3, 57),
    ]
    assert times(list(schedule(stored(0, 60), PlaybackSpeed(10, inf)))) == [(0, 0), (6, 0)]
    assert times(list(schedule(stored(0, 1, 9), PlaybackSpeed(inf)))) == [(0, 0), (0, 0), (0, 0)]


def test_what_was_received_earlier_is_due_at_once_and_its_pause_is_not_paid_twice(
    stored: Stored,
) -> None:
    due = list(schedule(stored(0, 2, 1, 3), PlaybackSpeed()))
    assert times(due) == [(0, 0), (2, 0), (2, 0), (3, 0)]


@settings(deadline=None, max_examples=60)
@given(
    offsets=st.lists(st.floats(-1e6, 1e6), max_size=12),
    speed=st.floats(0.1, 1e6),
    gap=st.floats(0, 100),
)
def test_time_never_goes_back_and_no_pause_is_longer_than_it_may_be(
    stored: Stored, offsets: list[float], speed: float, gap: float
) -> None:
    at = [one.at_s for one in schedule(stored(*offsets), PlaybackSpeed(speed, gap))]
    steps = [later - earlier for earlier, later in pairwise(at)]
    assert len(at) == len(offsets)
    assert all(-1e-9 <= step <= gap / speed + 1e-6 for step in steps)


def test_an_estimate_describes_the_replay(stored: Stored) -> None:
    found = estimate(stored(10, 0, 12, 60), PlaybackSpeed(2))
    assert (found.deliveries, found.span_s, found.cut, found.out_of_order) == (4, 60, 1, 1)
    assert found.takes_s == pytest.approx(2)
    assert found.types == {"undecodable": 2, "archive": 2}


def test_where_nothing_is_waited_for_no_pause_is_cut(stored: Stored) -> None:
    found = estimate(stored(0, 60, 120), PlaybackSpeed(inf))
    assert (found.takes_s, found.cut) == (0, 0)


def test_a_survey_of_nothing_is_empty() -> None:
    found = estimate([], PlaybackSpeed())
    assert (found.deliveries, found.span_s, found.takes_s, found.types) == (0, 0, 0, {})
