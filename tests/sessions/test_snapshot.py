from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.busy_day import BEGIN_MS, Day, there_at
from tests.support.factories import BODIES, T, make_body, make_entry
from tests.support.factories import connection as make_connection
from vmon.analysis.stats import Stats
from vmon.events.names import name_in_data as person_name
from vmon.humanize import count, duration, handle
from vmon.render.live.summary import session_rows
from vmon.render.reports.sessions import head
from vmon.sessions import snapshot
from vmon.sessions.loader import SessionLoader
from vmon.sessions.model import (
    BEGUN,
    ENDED,
    Call,
    ConnectionState,
    OutputState,
    Session,
    StreamState,
)
from vmon.sessions.snapshot import Span, as_of, state_of, status_of
from vmon.sessions.store import SessionStore
from vmon.sessions.tracker import SessionTracker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry


def session(**told: Any) -> Session:
    things: dict[str, Iterable[Any]] = {
        name: told.pop(name, ()) for name in ("people", "streams", "calls", "outputs")
    }
    keyed = {name: {one.id: one for one in things[name]} for name in ("people", "streams", "calls")}
    outputs = {(one.kind, one.id): one for one in things["outputs"]}
    all_: dict[str, Any] = {"first_ms": 100, "last_ms": 900, **told, **keyed, "outputs": outputs}
    return Session("2_A", **all_)


def laid(**told: Any) -> snapshot.SessionSnapshot:
    return snapshot.snapshot(session(**told))


def person(identifier: str, begin: int | None, end: int | None = None) -> ConnectionState:
    return ConnectionState(identifier, BEGUN | (ENDED if end else 0), begin, end)


# Rounds.


def test_a_session_that_was_created_and_destroyed_is_one_round() -> None:
    one = laid(created_ms={100}, destroyed={500: "serverRotation"})
    assert one.rounds == [Span(100, 500, "serverRotation")]
    assert not one.is_open


def test_a_created_session_without_connections_is_open() -> None:
    assert laid(created_ms={100}).rounds == [Span(100, None)]


def test_a_session_that_all_connections_left_is_closed_without_an_event() -> None:
    one = laid(created_ms={100}, people=[person("a", 150, 400), person("b", 200, 700)])
    assert one.rounds == [Span(100, 700, end_told=False)]


def test_without_session_events_people_make_the_round() -> None:
    assert laid(people=[person("a", 150, 400)]).rounds == [
        Span(150, 400, begin_told=False, end_told=False)
    ]
    assert laid(people=[person("a", 150)]).rounds == [Span(150, None, begin_told=False)]


def test_rounds_follow_each_other_and_the_last_may_be_open() -> None:
    one = laid(
        created_ms={100, 600},
        destroyed={500: None},
        people=[person("a", 150, 450), person("b", 650)],
    )
    assert [(span.began_ms, span.ended_ms) for span in one.rounds] == [(100, 500), (600, None)]
    assert one.is_open


def test_connections_after_the_end_open_an_inferred_round() -> None:
    one = laid(created_ms={100}, destroyed={500: None}, people=[person("a", 700)])
    assert one.rounds[1] == Span(700, None, begin_told=False)


def test_a_destroyed_that_comes_alone_ends_what_was_there_before() -> None:
    assert laid(destroyed={500: None}, people=[person("a", 50)]).rounds == [
        Span(50, 500, None, begin_told=False)
    ]
    assert laid(destroyed={500: None}).rounds == [Span(100, 500, None, begin_told=False)]


def test_a_repeated_end_makes_no_second_round() -> None:
    one = laid(created_ms={100}, destroyed={500: None, 501: None})
    assert len(one.rounds) == 1


def test_a_session_of_an_archive_alone_is_as_open_as_it_is() -> None:
    recording = OutputState("a", "archive", created_ms=200, statuses={"started": 210})
    assert laid(outputs=[recording]).is_open
    done = OutputState("a", "archive", created_ms=200, ended_ms=300, statuses={"stopped": 300})
    assert laid(outputs=[done]).rounds == [Span(200, 300, begin_told=False, end_told=False)]


# Spans.


def test_a_connection_without_an_end_ends_with_the_session() -> None:
    one = laid(created_ms={100}, destroyed={500: None}, people=[person("a", 150)])
    assert one.members[0].span == Span(150, 500, end_told=False)


def test_a_stream_without_an_end_went_with_its_connection() -> None:
    stream = StreamState("s", BEGUN, 200, connection="a")
    one = laid(people=[person("a", 150, 400)], streams=[stream])
    assert one.members[0].streams[0].span == Span(200, 400, end_told=False)


def test_an_unknown_begin_is_the_first_event_of_the_session() -> None:
    one = laid(people=[person("a", None, 400)])
    assert one.members[0].span == Span(100, 400, begin_told=False)


def test_an_end_before_its_begin_lasts_no_time() -> None:
    one = laid(people=[person("a", 400, 300)])
    span = one.members[0].span
    assert (span.began_ms, span.ended_ms, span.lasted_s(900)) == (400, 400, 0.0)


def test_streams_and_calls_hang_from_their_connection_or_stand_alone() -> None:
    streams = [
        StreamState("s", BEGUN, 300, connection="a"),
        StreamState("t", BEGUN, 200, connection="z"),
    ]
    calls = [Call("c", BEGUN, 200, connection="a"), Call("d", BEGUN, 200)]
    one = laid(people=[person("a", 150)], streams=streams, calls=calls)
    assert [seen.thing.id for seen in one.members[0].streams] == ["s"]
    assert [seen.thing.id for seen in one.members[0].calls] == ["c"]
    assert [seen.thing.id for seen in one.streams] == ["t"]
    assert [seen.thing.id for seen in one.calls] == ["d"]


def test_the_status_is_the_newest_but_stopped_does_not_undo_uploaded() -> None:
    assert status_of(OutputState("a", "archive", statuses={"started": 1, "paused": 5})) == "paused"
    assert (
        status_of(OutputState("a", "archive", statuses={"uploaded": 3, "stopped": 4})) == "uploaded"
    )
    assert status_of(OutputState("a", "archive")) is None
    assert state_of(Call("c", states={"DIALING": 1, "ACTIVE": 5})) == "ACTIVE"


# As it was.


def test_a_session_as_of_an_instant_has_no_later_state() -> None:
    told = {"started": 200, "stopped": 480}
    recorded = OutputState("j", "archive", created_ms=200, ended_ms=480, statuses=told, size=7)
    whole = session(
        created_ms={100, 600},
        destroyed={500: "serverRotation"},
        people=[person("a", 150, 450), person("b", 650)],
        outputs=[recorded],
    )
    then = as_of(whole, 300)
    assert then is not None
    one = snapshot.snapshot(then)
    assert one.rounds == [Span(100, None)]
    assert [(member.person.id, member.span.is_open) for member in one.members] == [("a", True)]
    (output,) = one.outputs
    archive = output.thing
    assert isinstance(archive, OutputState)
    assert (status_of(archive), output.span.is_open, archive.size) == ("started", True, None)
    assert as_of(whole, 99) is None


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=6),
    st.sets(st.integers(1, 60), max_size=3),
    st.integers(1, 70),
)
def test_open_connections_as_of_an_instant_have_begun_and_not_ended(
    stays: list[tuple[int, int]], ends: set[int], at_ms: int
) -> None:
    people = [
        person(str(number), begin, begin + lasted) for number, (begin, lasted) in enumerate(stays)
    ]
    whole = session(destroyed=dict.fromkeys(ends), people=people, first_ms=1)
    then = as_of(whole, at_ms)
    here = {
        member.person.id
        for member in (snapshot.snapshot(then).members if then else ())
        if member.span.is_open
    }
    present = {
        one.id
        for one in people
        if one.created_ms is not None and one.ended_ms is not None
        and one.created_ms <= at_ms < one.ended_ms
        and not any(one.created_ms <= end <= at_ms for end in ends)
    }  # fmt: skip # one condition a line
    assert here == present


# Their order.


def test_open_sessions_come_first_and_then_those_that_began_last() -> None:
    store = {
        "old": session(created_ms={100}, destroyed={900: None}),
        "new": session(created_ms={300}, destroyed={400: None}),
        "open": session(created_ms={200}),
    }
    for name, one in store.items():
        one.id = name
    order = snapshot.Order(store.get)
    for name in store:
        order.note(name)
    order.settle()
    assert [one.session.id for one in order.first()] == ["open", "new", "old"]
    assert [one.session.id for one in order.first(1)] == ["open"]
    assert order.counts() == (3, 1)


def test_only_noted_sessions_are_sorted_again() -> None:
    store = {"2_A": session(created_ms={100})}
    order = snapshot.Order(store.get)
    order.note("2_A")
    order.settle()
    store["2_A"].destroyed[200] = None
    order.settle()
    assert order.counts() == (1, 1)
    order.note("2_A")
    order.settle()
    assert order.counts() == (1, 0)


@pytest.mark.parametrize("told", [{}, {"first_ms": 0, "last_ms": 0}])
def test_a_session_without_any_state_is_open(told: dict[str, int]) -> None:
    assert laid(**told).is_open


# One definition of open, and of how long: at the end of `listen` as in `vmon sessions` and `stats`.


def assert_told_alike(entries: list[Entry]) -> dict[str, str]:
    """Compare what is told of the same deliveries; the rows that `listen` ends with."""
    tracker, loader, stats = SessionTracker(), SessionLoader(person_name), dict[str, Stats]()
    for one in entries:
        tracker.apply(one)
        loader.apply(one)
        if one.session:
            stats.setdefault(one.session, Stats()).entry(one)
    loader.order.settle()
    total, is_open = loader.order.counts()
    rows = dict(session_rows(tracker, 0))
    if total:
        assert rows["sessions"].startswith(f"{total:,} ({is_open:,} open), ")
    for each in loader.order.first():
        figures = stats[each.session.id]
        row = rows[handle(each.session.id, "session")]
        lasted = duration(each.lasted_s(loader.last_ms))
        people = count(len(each.members), "connection")
        streams = count(len(list(each.all_streams())), "stream")
        state = "open" if each.is_open else "ended"
        assert row.startswith(
            f"{people}, {streams}, {count(each.session.events, 'event')}, {lasted}, {state}"
        )
        assert ("open for " + lasted in drawn_head(each, loader.last_ms)) == each.is_open
        assert len(figures.people) == len(each.members)
        assert len(figures.streams) == len(list(each.all_streams()))
        assert figures.duplicates == each.session.duplicates
    return rows


def drawn_head(one: snapshot.SessionSnapshot, now_ms: int) -> str:
    return "".join(text for _, text in head(one, now_ms))


def heard(*bodies: dict[str, Any]) -> list[Entry]:
    """Deliveries of bodies, each received half a second after the one before."""
    return [make_entry(body, number / 2) for number, body in enumerate(bodies)]


RUNNING = {"sessionId": "S", "event": "archive", "id": "a", "status": "started"}


@pytest.mark.parametrize(
    ("bodies", "state"),
    [
        pytest.param([RUNNING | {"createdAt": T}], "0 ms, open, 0 connected", id="archive running"),
        pytest.param(
            [
                make_connection("Created", 0),
                RUNNING | {"createdAt": T + 100},
                make_connection("Destroyed", 0.41),
            ],
            "410 ms, ended",
            id="everybody left while an archive runs",
        ),
        pytest.param(
            [make_body("somethingNew", 0), make_body("somethingNew", 0.4)],
            "500 ms, open, 0 connected",
            id="unknown types only",
        ),
        pytest.param(
            [make_body("sessionNotification", 0), make_body("sessionNotification", 0.1)],
            "500 ms, open, 0 connected",
            id="notifications only",
        ),
        pytest.param(
            [
                make_body("sessionCreated", 0),
                make_body("sessionDestroyed", 24.1, reason="serverRotation"),
                make_body("sessionCreated", 30),
                make_connection("Created", 31, connection={"createdAt": T + 31_000}),
                make_connection("Destroyed", 61, connection={"createdAt": T + 31_000}),
            ],
            "31.0 s, ended",
            id="opened again and left",
        ),
        pytest.param(
            [
                make_body("sessionCreated", 0),
                make_body("sessionDestroyed", 24.1, reason="serverRotation"),
                make_connection("Created", 31, connection={"createdAt": T + 31_000}),
            ],
            "0 ms, open, 1 connected",
            id="opened again",
        ),
    ],
)
def test_the_end_of_a_run_says_of_a_session_what_vmon_sessions_says(
    bodies: list[dict[str, Any]], state: str
) -> None:
    rows = assert_told_alike(heard(*bodies))
    assert rows[handle("S", "session")].endswith(state)


@settings(max_examples=300, deadline=None)
@given(st.lists(BODIES, max_size=14))
def test_a_run_and_its_capture_have_the_same_summary(
    bodies: list[dict[str, Any]],
) -> None:
    assert_told_alike(heard(*bodies))


# A day of which the truth is known.


def test_at_any_instant_of_a_generated_day_the_open_connections_are_right() -> None:
    day, store = Day(60, 3000), SessionStore()
    entries = list(day.entries())
    random.Random(5).shuffle(entries)
    seen = 0
    for entry in entries:
        store.apply(entry)
    for at_ms in random.Random(6).sample(range(BEGIN_MS, BEGIN_MS + 20 * 3_600_000), 40):
        here = set[tuple[str, str]]()
        for one in store.sessions():
            then = as_of(one, at_ms)
            members = snapshot.snapshot(then).members if then else ()
            here |= {(one.id, each.person.id) for each in members if each.span.is_open}
        true = there_at(day.truth.people, at_ms)
        assert here - true == set()
        seen += len(here)
        for identifier, gone in true - here:  # nobody told their end, but that of the session
            born, end = day.truth.people[identifier, gone]
            assert end is None
            assert any(born <= closed <= at_ms for closed in day.truth.closed[identifier])
    assert seen > 100
