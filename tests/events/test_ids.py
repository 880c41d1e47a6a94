import time

import pytest

from vmon.events.ids import Ids


def test_ids_of_one_run_are_unique_sorted_and_of_one_length() -> None:
    ids = Ids()
    made = [ids.next() for _ in range(5000)]
    assert made == sorted(set(made))
    assert {len(one) for one in made} == {23}
    assert {one.partition("-")[2] for one in made} == {ids.salt}


def test_an_id_begins_with_the_microsecond_it_was_made_in() -> None:
    before = time.time_ns() // 1000
    made = int(Ids().next().partition("-")[0], 16)
    assert before <= made <= time.time_ns() // 1000


def test_a_clock_that_is_set_back_does_not_unsort_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = Ids()
    monkeypatch.setattr(time, "time_ns", lambda: 9_000_000)
    later = ids.next()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000)
    assert ids.next() > later


def test_two_runs_have_different_salts() -> None:
    assert Ids().salt != Ids().salt
