"""A listener is told once of what does not add up, and not too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.analysis.oddities import monitor as watching
from vmon.analysis.oddities.monitor import OddityMonitor
from vmon.sessions.model import BEGUN, ENDED, ConnectionState, OutputState, Session

if TYPE_CHECKING:
    import pytest

T0 = 1_470_257_700_000


def session(*people: ConnectionState) -> Session:
    one = Session("2_A", created_ms={T0}, first_ms=T0, last_ms=T0 + 5000)
    one.people = {person.id: person for person in people}
    return one


def ghostly(who: str = "bob") -> ConnectionState:
    return ConnectionState(who, seen=ENDED, created_ms=T0 + 1000, ended_ms=T0 + 2000)


def test_an_oddity_is_told_when_it_has_stood_for_a_while_and_only_once() -> None:
    watch, one = OddityMonitor(settle_s=10), session(ghostly())
    now = T0 + 3_600_000  # a late delivery: its own time does not say that it is settled
    assert watch.look(one, now) == []
    assert watch.due(now + 9_999) == []
    assert watch.look(one, now + 9_999) == []
    assert watch.due(now + 10_000) == ["2_A"]
    (odd,) = watch.look(one, now + 10_000)
    assert (odd.code, odd.severity, odd.ids) == ("destroyed-without-created", "warning", ("bob",))
    assert watch.due(now + 99_999) == []
    assert watch.look(one, now + 99_999) == []


def test_what_is_put_right_in_time_is_never_told() -> None:
    watch, one = OddityMonitor(settle_s=10), session(ghostly())
    assert watch.look(one, T0) == []
    one.people["bob"].seen |= BEGUN
    assert watch.look(one, T0 + 5_000) == []
    assert watch.due(T0 + 99_000) == []
    assert watch.look(one, T0 + 99_000) == []


def test_people_who_leave_late_do_not_make_a_new_oddity_of_the_rest() -> None:
    people = [ConnectionState(who, seen=BEGUN, created_ms=T0 + 1000) for who in "abc"]
    watch, one = OddityMonitor(settle_s=10), session(*people)
    one.destroyed[T0 + 60_000] = None
    assert watch.look(one, T0 + 61_000) == []
    assert [odd.ids for odd in watch.look(one, T0 + 72_000)] == [("a", "b", "c")]
    one.people["a"].ended_ms = T0 + 59_000
    one.people["a"].seen |= ENDED
    assert watch.look(one, T0 + 90_000) == []
    assert watch.look(one, T0 + 120_000) == []


def test_a_watch_remembers_a_bounded_number_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_MOST_SESSIONS", 3)
    watch = OddityMonitor(settle_s=10)
    for number in range(9):
        one = session(ghostly())
        one.id = f"2_{number}"
        assert watch.look(one, T0) == []
    assert watch.due(T0 + 10_000) == ["2_6", "2_7", "2_8"]
    assert len(watch._since) == 3
    watch.forget("2_7")
    assert watch.due(T0 + 10_000) == ["2_6", "2_8"]


def test_a_session_is_due_a_second_after_the_first_touch() -> None:
    watch = OddityMonitor()
    for after in (0, 400, 900):
        watch.touch("2_A", T0 + after)
    assert watch.due(T0 + 999) == []
    assert watch.due(T0 + 1000) == ["2_A"]
    assert watch.look(session(), T0 + 1000) == []
    assert watch.due(T0 + 10**9) == []


def test_a_ghost_is_told_when_its_time_comes_and_nobody_touched_it() -> None:
    watch, one = (
        OddityMonitor(ghost_after_s=3600),
        session(ConnectionState("a", seen=BEGUN, created_ms=T0 + 1000)),
    )
    assert watch.look(one, T0 + 2000) == []
    assert watch.due(T0 + 3_600_999) == []
    assert watch.due(T0 + 3_601_000) == ["2_A"]
    assert watch.look(one, T0 + 3_601_000) == []
    assert watch.due(T0 + 3_611_000) == ["2_A"]
    assert [odd.code for odd in watch.look(one, T0 + 3_611_000)] == ["ghost"]
    assert watch.due(T0 + 10**10) == []


def test_an_archive_that_is_stuck_is_told_when_its_time_comes() -> None:
    watch, one = OddityMonitor(settle_s=0), session()
    one.jobs["archive", "a"] = OutputState("a", "archive", statuses={"stopped": T0})
    assert watch.look(one, T0) == []
    assert watch.due(T0 + 3_600_000) == ["2_A"]
    assert [odd.code for odd in watch.look(one, T0 + 3_600_000)] == ["archive-stuck"]


def test_a_session_in_which_all_is_well_costs_a_watch_nothing() -> None:
    watch, ann = (
        OddityMonitor(),
        ConnectionState("a", seen=BEGUN | ENDED, created_ms=T0, ended_ms=T0 + 500),
    )
    one = session(ann)
    one.destroyed[T0 + 900] = None
    watch.touch(one.id, T0)
    assert watch.look(one, T0 + 13 * 3_600_000) == []
    assert not watch._since
    assert not watch._due
