"""A listener is told once of what does not add up, and not too early."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_entry
from tests.support.waiting import until
from vmon.analysis.oddities import monitor as watching
from vmon.analysis.oddities.monitor import LiveOddities, OddityMonitor
from vmon.analysis.oddities.rules import oddities_of
from vmon.events.catalogue import TYPES
from vmon.sessions.model import BEGUN, ENDED, ConnectionState, OutputState, Session
from vmon.sessions.store import ApplyResult, SessionStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.analysis.oddities.codes import Oddity
    from vmon.events.entry import Entry

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
    one.outputs["archive", "a"] = OutputState("a", "archive", statuses={"stopped": T0})
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


# The sessions of a run.


def say(event: str, at_s: float, **more: Any) -> Entry:
    """An entry of an event so many seconds into a session, received at once."""
    body = {"sessionId": "2_A", "event": event, "timestamp": T0 + int(at_s * 1000)} | more
    received_at = datetime.fromtimestamp(T0 / 1000 + at_s, UTC)
    return make_entry(body, id="1", received_at=received_at, headers=(), remote=None)


def connection(identifier: str) -> dict[str, Any]:
    return {"connection": {"id": identifier, "createdAt": T0, "data": '{"name":"Ann"}'}}


def stream(identifier: str, owner: str) -> dict[str, Any]:
    return {"stream": {"id": identifier, "createdAt": T0, **connection(owner)}}


OUTLIVED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sessionCreated", {}),
    ("connectionCreated", connection("c1")),
    ("streamCreated", stream("s1", "c1")),
    ("connectionDestroyed", connection("c1")),
)
"""A stream that outlives its connection."""


class Live:
    """A store, its live oddities, and what they reported."""

    def __init__(self, beat_s: float = 0.001) -> None:
        self.store = SessionStore()
        self.reported: list[Oddity] = []
        self.bugs: list[Exception] = []
        self.oddities = LiveOddities(
            self.store, self.reported.append, self.bugs.append, beat_s=beat_s
        )

    def receive(self, event: str, at_s: float, **more: Any) -> None:
        self.enter(say(event, at_s, **more))

    def enter(self, entry: Entry) -> None:
        self.oddities.note(entry, self.store.apply(entry))

    def receive_odd(self, session: str = "2_A") -> None:
        for at_s, (event, more) in enumerate(OUTLIVED):
            self.receive(event, at_s, sessionId=session, **more)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour pass from one look at the clock to the next."""
    seconds = count(T0 // 1000 + 60, 3600)
    monkeypatch.setattr(watching, "time", lambda: next(seconds))


async def test_what_does_not_add_up_is_reported_once_and_only_when_it_has_settled() -> None:
    live = Live(beat_s=3600)
    live.receive_odd()
    found = [
        (second, oddity.code)
        for second in range(60)
        for oddity in live.oddities.look(T0 + second * 1000, 10)
    ]
    live.oddities.close()
    assert [code for _, code in found] == ["stream-outlives-connection"]
    assert found[0][0] >= 11  # ten seconds after it was seen to be odd
    assert live.oddities.total == 1


async def test_a_failure_of_the_platform_in_two_sessions_is_reported_as_one() -> None:
    live = Live(beat_s=3600)
    failed = {"id": "a", "status": "failed", "reason": "forceDisconnected", "updatedAt": T0 + 1500}
    at = datetime.fromtimestamp(T0 / 1000 + 1.5, UTC)
    live.enter(make_entry(failed | {"event": "archive", "sessionId": "2_A"}, received_at=at))
    live.receive("sessionCreated", 0, sessionId="2_B")
    live.receive("sessionDestroyed", 2, sessionId="2_B", reason="forceDisconnected")
    found = [one for second in range(60) for one in live.oddities.look(T0 + second * 1000, 10)]
    live.oddities.close()
    assert [(one.code, one.session) for one in found] == [("service-disruption", None)]
    assert live.oddities.total == 1


@pytest.mark.usefixtures("hurried")
async def test_beats_find_it_by_themselves_and_end_when_nothing_is_to_be_looked_at() -> None:
    live = Live()
    live.receive_odd()
    assert live.reported == []
    await until(lambda: live.reported)
    live.receive("sessionDestroyed", 4)
    await until(lambda: live.oddities._timer is None)
    assert [(one.code, one.session) for one in live.reported] == [
        ("stream-outlives-connection", "2_A")
    ]
    assert live.oddities.total == 1


@pytest.mark.usefixtures("hurried")
async def test_a_bug_in_a_look_is_noted_and_the_beats_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = Live()
    look, failures = live.oddities.look, [ZeroDivisionError(), ZeroDivisionError()]

    def failing(now_ms: int, within_s: float) -> list[Oddity]:
        if failures:
            raise failures.pop()
        return look(now_ms, within_s)

    monkeypatch.setattr(live.oddities, "look", failing)
    live.receive_odd()
    await until(lambda: live.reported)
    live.oddities.close()
    assert [type(bug) for bug in live.bugs] == [ZeroDivisionError] * 2
    assert live.oddities.total == 1


async def test_a_bug_in_a_look_at_a_session_costs_no_other_session_its_oddities(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = Live(beat_s=3600)
    sessions = ["2_A", "2_B", "2_C"]
    for identifier in sessions:
        live.receive_odd(identifier)
    live.oddities.look(T0, 10)
    live.oddities.look(T0 + 1000, 10)

    def failing(session: Session, *args: Any) -> Iterable[Oddity]:
        if session.id == "2_B":
            raise ZeroDivisionError
        return oddities_of(session, *args)

    monkeypatch.setattr(watching, "oddities_of", failing)
    found = [live.oddities.look(T0 + second * 1000, 10) for second in (12, 13, 14)]
    assert [{one.session for one in look} for look in found] == [{"2_A", "2_C"}, set(), set()]
    assert [type(bug) for bug in live.bugs] == [ZeroDivisionError]
    assert live.oddities.total == 2
    monkeypatch.undo()
    live.receive_odd("2_B")
    late = [live.oddities.look(T0 + second * 1000, 10) for second in (20, 21)]
    assert [[one.session for one in look] for look in late] == [[], ["2_B"]]
    live.oddities.close()


async def test_after_the_close_nobody_looks() -> None:
    live = Live(beat_s=3600)
    live.receive_odd()
    timer = live.oddities._timer
    assert timer is not None
    live.oddities.close()
    assert timer.cancelled()


async def test_a_session_that_the_store_let_go_of_is_not_looked_at_any_more() -> None:
    live = Live(beat_s=3600)
    live.receive_odd()
    live.receive_odd("2_B")
    assert live.oddities.look(T0, 10) == []
    assert live.oddities.look(T0 + 1000, 10) == []
    live.oddities.forget("2_A")
    del live.store._sessions["2_B"]  # and this one is gone before it is looked at again
    assert live.oddities.look(T0 + 20_000, 10) == []
    live.oddities.close()
    assert not live.oddities._monitor.waits
    assert live.oddities.total == 0


async def test_a_look_ends_in_time_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = Live(beat_s=3600)
    for number in range(5):
        live.receive_odd(f"2_{number}")
    live.oddities.look(T0, 10)
    live.oddities.look(T0 + 1000, 10)
    ticks = iter(range(10**6))
    monkeypatch.setattr(watching, "perf_counter", lambda: next(ticks))
    found = [len(live.oddities.look(T0 + 12_000, 2.5)) for _ in range(3)]
    live.oddities.close()
    assert found == [2, 2, 1]
    assert live.oddities.total == 5


async def test_what_is_of_no_session_wakes_nobody() -> None:
    live = Live()
    live.oddities.note(say("sessionCreated", 0), ApplyResult(None))
    assert live.oddities._timer is None


# Payloads.


async def test_what_is_odd_in_a_payload_is_reported_at_once_and_once_a_run() -> None:
    live = Live(beat_s=3600)
    urls = {"hlsStatus": "error", "rtmp": {"main": {"status": "error"}, "other": {}}}
    for at_s in (1, 2):
        live.enter(make_entry(TYPES["archive"].sample | {"transcription": {"status": "failed"}}))
        live.enter(make_entry(TYPES["broadcast"].sample | {"broadcastUrls": urls, "size": at_s}))
        live.receive("sessionCreated", at_s, shard=7)
        live.receive("roomOpened", at_s)
    live.oddities.close()
    assert [(one.code, one.text) for one in live.reported] == [
        ("failed", "transcription of archive 832641bf failed"),
        ("unknown-field", 'broadcast: unknown field "size"'),
        ("failed", "HLS of broadcast 1748b707 failed"),
        ("failed", "broadcast 1748b707 cannot reach its RTMP target main"),
        ("unknown-field", 'sessionCreated: unknown field "shard"'),
        ("unknown-event", 'unknown event "roomOpened"'),
    ]
    assert live.oddities.total == 6
