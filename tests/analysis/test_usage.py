import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.busy_day import Day
from tests.support.factories import make_entry
from tests.support.usage_events import MIN, S, T, connected, connection, session_event, stream
from vmon.analysis.usage import DAY_MS, Bounds, By, LastSeen, Usage, minutes, spans_of, usage_of
from vmon.capture.codec import bare
from vmon.sessions.model import BEGUN, ENDED, ConnectionState, Session, StreamState
from vmon.sessions.store import SessionStore

Run = Callable[..., tuple[int, str, str]]
SEED = Path(__file__).parents[1] / "data" / "seed"


def usage_from(bodies: list[dict[str, Any]], by: By = "session", **window: int) -> Usage:
    store, seen = SessionStore(), LastSeen()
    for body in bodies:
        entry = bare(json.dumps(body).encode())
        seen.span(int(entry.delivery.received_at.timestamp() * 1000))
        seen.note(entry)
        store.apply(entry)
    return usage_of(store.sessions(), seen, by, **window)


# What counts.


def test_a_duplicate_counts_once_and_overlapping_connections_count_each() -> None:
    said = connected("a", T, T + 20 * MIN) + connected("b", T + 10 * MIN, T + 30 * MIN)
    found = usage_from(said + said[:3])
    assert found.total.connected == Bounds(40 * MIN, 40 * MIN)
    assert (found.duplicates, found.explained) == (3, [])


def test_participant_minutes_begin_with_the_first_stream_and_end_with_the_last() -> None:
    said = connected("a", T, T + 30 * MIN) + connected("b", T + 5 * MIN, T + 20 * MIN)
    for name, begin, end in (("1", 10, 15), ("2", 12, 18), ("3", 25, 26)):
        said += [
            stream(name, "a", "streamCreated", T + begin * MIN, T + begin * MIN),
            stream(name, "a", "streamDestroyed", T + end * MIN, T + begin * MIN),
        ]
    found = usage_from(said).total
    assert found.published.low == (5 + 6 + 1) * MIN
    assert found.participant.low == (8 + 1 + 8) * MIN
    assert found.participant == Bounds(found.participant.low, found.participant.low)


def test_what_is_open_counts_to_its_last_sign_of_life_and_may_last_until_the_capture_ends() -> None:
    said = [
        connection("a", "connectionCreated", T, T),
        stream("1", "a", "streamCreated", T + 5 * MIN, T + 4 * MIN),
        session_event("sessionNotification", T + 60 * MIN),
    ]
    found = usage_from(said)
    assert found.total.connected == Bounds(5 * MIN, 60 * MIN)
    assert found.total.published == Bounds(1 * MIN, 56 * MIN)
    assert [(one.id, one.why, one.until, adds) for one, adds in found.explained] == [
        ("a", "open", "capture", 55 * MIN),
        ("1", "open", "capture", 55 * MIN),
    ]


def test_an_archive_that_records_a_stream_proves_it_alive() -> None:
    archive = {
        "id": "x", "event": "archive", "status": "started", "sessionId": S,
        "createdAt": T, "updatedAt": T + 9 * MIN, "streams": [{"streamId": "1"}],
    }  # fmt: skip # one thing a line
    found = usage_from([stream("1", "a", "streamCreated", T, T), archive])
    assert found.total.published == Bounds(9 * MIN, 9 * MIN)


def test_what_is_open_ended_with_its_connection_or_its_session_at_the_latest() -> None:
    said = [
        *connected("a", T, T + 20 * MIN),
        stream("1", "a", "streamCreated", T + 5 * MIN, T + 5 * MIN),
        connection("b", "connectionCreated", T + 10 * MIN, T + 10 * MIN),
        session_event("sessionDestroyed", T + 5 * MIN - 1),
        session_event("sessionDestroyed", T + 30 * MIN),
        session_event("sessionCreated", T + 90 * MIN),
    ]
    found = usage_from(said)
    assert found.total.published == Bounds(0, 15 * MIN)
    assert found.total.connected == Bounds(20 * MIN, 40 * MIN)
    assert [(one.id, one.until) for one, _ in found.explained] == [
        ("b", "session"),
        ("1", "connection"),
    ]


def test_a_span_from_before_the_capture_counts_from_created_at_and_is_explained() -> None:
    gone = connection("a", "connectionDestroyed", T + 10 * MIN, T - 5 * MIN)
    found = usage_from([gone])
    assert found.total.connected == Bounds(15 * MIN, 15 * MIN)
    assert [(one.why, adds) for one, adds in found.explained] == [("unannounced", 0)]


def test_spans_without_a_begin_or_with_an_earlier_end_count_nothing_and_are_explained() -> None:
    said = [
        connection("a", "connectionDestroyed", T, None),
        connection("b", "connectionCreated", T, T),
        connection("b", "connectionDestroyed", T - 3200, T),
    ]
    found = usage_from(said)
    assert found.total.connected == Bounds()
    assert {one.id: one.why for one, _ in found.explained} == {"a": "unbegun", "b": "backwards"}


def test_an_end_far_after_the_capture_counts_until_the_capture_ends() -> None:
    session = Session(S)
    session.people["a"] = ConnectionState("a", BEGUN | ENDED, T, T + 400 * DAY_MS)
    seen = LastSeen()
    seen.span(T + MIN)
    found = usage_of([session], seen, "day")
    assert found.total.connected == Bounds(MIN, MIN)
    assert [one.why for one, _ in found.explained] == ["ahead"]
    assert len(found.rows) == 1


def test_a_span_of_decades_counts_nothing_has_one_day_and_is_explained() -> None:
    said = [
        connection("a", "connectionDestroyed", T, 1),
        connection("b", "connectionCreated", T, 1),
        stream("1", "b", "streamDestroyed", T, 1),
        *connected("c", T, T + MIN),
    ]
    found = usage_from(said, "day")
    assert (found.total.connected, found.total.published) == (Bounds(MIN, MIN), Bounds())
    assert [row.day_ms for row in found.rows] == [0, T - 21 * 60 * MIN]
    assert [(one.id, one.why) for one, _ in found.explained] == [
        ("a", "ancient"),
        ("b", "ancient"),
        ("1", "ancient"),
    ]


def test_what_is_open_counts_for_a_year_at_most() -> None:
    begin = connection("a", "connectionCreated", T, T)
    found = usage_from([begin], "day", until_ms=T + 9000 * DAY_MS)
    assert (len(found.rows), found.total.connected) == (367, Bounds(0, 366 * DAY_MS))
    assert [(one.why, one.until) for one, _ in found.explained] == [("open", "year")]


# Windows and days.


def test_a_night_is_shared_out_to_its_days_in_utc() -> None:
    found = usage_from(connected("a", T, T + 30 * 60 * MIN), "day")
    assert [(row.day_ms, row.connected.low) for row in found.rows] == [
        (T - 21 * 60 * MIN, 3 * 60 * MIN),
        (T + 3 * 60 * MIN, 24 * 60 * MIN),
        (T + 27 * 60 * MIN, 3 * 60 * MIN),
    ]
    assert found.total.connections == 1


def test_midnight_itself_belongs_to_no_second_day() -> None:
    found = usage_from(connected("a", T, T + 3 * 60 * MIN), "day")
    assert len(found.rows) == 1


def test_since_and_until_clip_minutes_and_what_is_open_may_last_until_then() -> None:
    said = [*connected("a", T, T + 60 * MIN), connection("b", "connectionCreated", T, T)]
    found = usage_from(said, since_ms=T + 10 * MIN, until_ms=T + 70 * MIN)
    assert found.total.connected == Bounds(50 * MIN, 110 * MIN)
    assert [adds for _, adds in found.explained] == [60 * MIN]
    early = usage_from(said, until_ms=T)
    assert (early.rows, early.total.connections) == ([], 0)


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    span = st.tuples(st.integers(T, T + 4 * DAY_MS), st.none() | st.integers(0, 2 * DAY_MS))
    made = Session(S)
    for number, (begin, lasts) in enumerate(draw(st.lists(span, max_size=5))):
        end = None if lasts is None else begin + lasts
        made.people[f"p{number}"] = ConnectionState(f"p{number}", BEGUN, begin, end)
    for number, (begin, lasts) in enumerate(draw(st.lists(span, max_size=5))):
        end = None if lasts is None else begin + lasts
        owner = f"p{number % 3}"
        made.streams[f"s{number}"] = StreamState(f"s{number}", BEGUN, begin, end, connection=owner)
    return made


@given(sessions(), st.integers(0, 5 * DAY_MS))
def test_days_and_connections_add_up_to_the_total_and_low_is_never_above_high(
    session: Session, later: int
) -> None:
    seen = LastSeen()
    seen.span(T)
    seen.span(T + later)
    whole = usage_of([session], seen).total
    bys: tuple[By, ...] = ("day", "connection", "session")
    for by in bys:
        rows = usage_of([session], seen, by).rows
        for figure in ("connected", "participant", "published"):
            of_all: Bounds = getattr(whole, figure)
            assert sum(getattr(row, figure).low for row in rows) == of_all.low
            assert sum(getattr(row, figure).high for row in rows) == of_all.high
            assert 0 <= of_all.low <= of_all.high
    assert whole.participant.high <= whole.connected.high
    cut = [usage_of([session], seen, since_ms=a, until_ms=b).total for a, b in _halves(T + later)]
    assert sum(one.connected.low for one in cut) == whole.connected.low


def _halves(end: int) -> Iterator[tuple[int | None, int | None]]:
    middle = (T + end) // 2
    yield None, middle
    yield middle, T + 99 * DAY_MS


@pytest.mark.parametrize(
    ("ms", "said"), [(0, "0.0"), (2999, "0.0"), (3000, "0.1"), (1_208_810, "20.1")]
)
def test_minutes_are_rounded_once_half_up(ms: int, said: str) -> None:
    assert minutes(ms) == said


# A generated day.


@pytest.mark.parametrize("odd", [0.0, 0.5])
def test_the_minutes_of_a_day_are_the_true_ones_shuffled_and_copied_as_it_is(odd: float) -> None:
    day, store, seen = Day(40, 4000, odd=odd), SessionStore(), LastSeen()
    for entry in day.entries():
        seen.span(int(entry.delivery.received_at.timestamp() * 1000))
        seen.note(entry)
        store.apply(entry)
    spans = [one for each in store.sessions() for one in spans_of(each, seen, seen.end_ms)]
    ended = [one for one in spans if one.why != "open"]
    for kind, lives in (("connection", day.truth.people), ("stream", day.truth.streams)):
        true = sum(max(0, end - begin) for begin, end in lives.values() if end is not None)
        assert sum(max(0, one.low - one.begin) for one in ended if one.kind == kind) == true
    assert usage_of(store.sessions(), seen).duplicates == day.truth.duplicates


def test_an_entry_is_named_by_when_it_was_received_where_it_tells_no_time() -> None:
    seen = LastSeen()
    body = {"id": "x", "sessionId": S, "status": "started", "streamId": "1"}
    seen.note(make_entry(json.dumps(body).encode()))
    assert seen.last == {"1": 1_470_258_960_318}
