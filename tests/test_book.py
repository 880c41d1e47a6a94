import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.book import Book, Change
from vmon.entry import Entry
from vmon.events import Delivery
from vmon.session import BEGUN, ENDED, NAMED, SECONDS, Session, Totals
from vmon.signature import Secret, sign
from vmon.verdict import Claims, Verdict

T = 1_700_000_000_000  # in ms; what a test counts from
START = datetime.fromtimestamp(T / 1000, UTC)


def entry(body: dict[str, Any] | bytes, after_s: float = 0.0, **changed: Any) -> Entry:
    coded = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = START + timedelta(seconds=after_s)
    headers = (("Content-Type", "application/json"), *changed.pop("headers", ()))
    return Entry(Delivery("0", at, "POST", "/", headers, None, coded), **changed)


def told(
    event: str, after_s: float | None = 0.0, session: str = "S", **more: Any
) -> dict[str, Any]:
    said = {} if after_s is None else {"timestamp": T + round(after_s * 1000)}
    return {"sessionId": session, "projectId": "7", "event": event} | said | more


def connection(verb: str, after_s: float | None, identifier: str = "c", **more: Any) -> Any:
    one = {"id": identifier, "createdAt": T, "data": ""} | more.pop("connection", {})
    return told(f"connection{verb}", after_s, connection=one, **more)


def stream(verb: str, after_s: float, identifier: str = "s", by: str = "c", **more: Any) -> Any:
    one = {"id": identifier, "createdAt": T + 1, "connection": {"id": by, "createdAt": T}}
    return told(f"stream{verb}", after_s, stream=one | more.pop("stream", {}), **more)


def facts(entries: Iterable[Entry], **asked: Any) -> dict[str, Session]:
    book = Book(**asked)
    for one in entries:
        book.apply(one)
    return {session.id: session for session in book.sessions()}


def only(*bodies: Any) -> Session:
    """The one session of bodies, the same from whichever end they come."""
    (ahead,) = facts(entry(body, number) for number, body in enumerate(bodies)).values()
    backward = reversed(list(enumerate(bodies)))
    assert list(facts(entry(body, number) for number, body in backward).values()) == [ahead]
    return ahead


# Any order, any copies.

IDS = st.sampled_from(["a", "b", "c", None, ""])
TIMES = st.sampled_from([None, -1, 0, T, T + 1, T + 5000, T // 1000, T // 1000 + 3, 10**16])
WORDS = st.sampled_from([None, "", "Ann", "Bob", "forceDisconnected"])
SESSIONS = st.sampled_from(["S", "S", "S2"])
STATUSES = st.sampled_from(["started", "paused", "stopped", "uploaded", "failed", "odd", None])
CONNECTIONS = st.fixed_dictionaries({"id": IDS, "createdAt": TIMES, "data": WORDS})
STREAMS = {"id": IDS, "createdAt": TIMES, "name": WORDS, "videoType": WORDS}
COMMON = {"sessionId": SESSIONS, "projectId": st.sampled_from(["7", "8", None])}
MONITORED = COMMON | {"timestamp": TIMES, "reason": WORDS}


def either(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


BODIES = st.one_of(
    st.fixed_dictionaries(MONITORED | {"event": either("sessionCreated", "sessionDestroyed")}),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("connectionCreated", "connectionDestroyed"),
            "connection": st.one_of(st.none(), CONNECTIONS),
        }
    ),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("streamCreated", "streamDestroyed"),
            "stream": st.fixed_dictionaries(STREAMS | {"connection": CONNECTIONS}),
        }
    ),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("callCreated", "callUpdated", "callDestroyed"),
            "call": st.fixed_dictionaries({"id": IDS, "connectionId": IDS, "createdAt": TIMES}),
            "state": either("RINGING", "ACTIVE"),
            "reason_message": WORDS,
        }
    ),
    st.fixed_dictionaries(
        COMMON
        | {"event": either("archive", "broadcast"), "id": IDS, "status": STATUSES}
        | {"createdAt": TIMES, "updatedAt": TIMES, "reason": WORDS, "name": WORDS}
        | {"duration": st.integers(0, 3), "size": st.integers(0, 3)}
    ),
    st.fixed_dictionaries(COMMON | {"id": IDS, "streamId": IDS, "status": STATUSES}),
    st.fixed_dictionaries(
        COMMON | {"captionsId": IDS, "status": STATUSES, "createdAt": TIMES, "reason": WORDS}
    ),
    st.fixed_dictionaries(MONITORED | {"event": either("somethingNew", "sessionNotification")}),
)
RECEIPTS = st.lists(st.integers(-20, 100_000), min_size=1, max_size=4)
DELIVERIES = st.lists(st.tuples(BODIES, RECEIPTS), max_size=12)


@settings(max_examples=150, deadline=None)
@given(DELIVERIES, st.randoms(use_true_random=False), st.integers(0, 8))
def test_no_order_and_no_packing_changes_the_book(
    deliveries: list[tuple[dict[str, Any], list[int]]], random: Random, room: int
) -> None:
    entries = [entry(body, at) for body, receipts in deliveries for at in receipts]
    shuffled = random.sample(entries, len(entries))
    book = facts(entries)
    assert facts(shuffled) == book
    assert facts(shuffled, room=room) == book


@settings(max_examples=100, deadline=None)
@given(DELIVERIES, st.randoms(use_true_random=False))
def test_copies_received_later_change_nothing_but_their_number(
    deliveries: list[tuple[dict[str, Any], list[int]]], random: Random
) -> None:
    known: dict[str, int] = {}
    for body, receipts in deliveries:
        coded = json.dumps(body)
        known[coded] = min(known.get(coded, 10**6), *receipts)
    once = [entry(body.encode(), at) for body, at in known.items()]
    again = [entry(body.encode(), at + 35) for body, at in known.items()]
    entries = random.sample([*once, *again], len(once) * 2)
    doubled = facts(entries)
    for session in doubled.values():
        assert session.duplicates == session.events
        session.duplicates = 0
    assert doubled == facts(once)


# What is known of things.


def test_a_person_is_joined_from_all_events_of_the_connection() -> None:
    session = only(
        connection("Created", 0.1, connection={"data": '{"name":"Ann"}'}),
        stream("Created", 1.5, stream={"name": "cam", "videoType": "camera"}),
        stream("Destroyed", 9, reason="mediaStopped"),
        connection("Destroyed", 10, reason="clientDisconnected"),
    )
    (ann,), (cam,) = session.people.values(), session.feeds.values()
    assert (ann.name, ann.created_ms, ann.ended_ms) == ("Ann", T, T + 10_000)
    assert (ann.reason, ann.seen) == ("clientDisconnected", BEGUN | ENDED | NAMED)
    assert (cam.connection, cam.name, cam.video_type) == ("c", "cam", "camera")
    assert (cam.created_ms, cam.ended_ms, cam.reason) == (T + 1, T + 9000, "mediaStopped")
    assert (session.first_ms, session.last_ms, session.events) == (T + 100, T + 10_000, 4)
    assert session.projects == {"7"}


def test_a_capture_that_starts_in_the_middle_knows_beginnings_from_later_events() -> None:
    session = only(stream("Destroyed", 60), connection("Destroyed", 70, "other"))
    assert session.people["c"].seen == NAMED
    assert session.people["c"].created_ms == T
    assert session.people["other"].seen == ENDED
    assert session.people["other"].created_ms == T
    assert session.feeds["s"].created_ms == T + 1


def test_the_earliest_end_counts_with_its_own_reason() -> None:
    session = only(
        connection("Destroyed", 9, reason="networkDisconnected"),
        connection("Destroyed", 8, reason="forceDisconnected"),
        connection("Destroyed", 8, reason="clientDisconnected"),
        connection("Destroyed", 8),
    )
    assert session.people["c"].ended_ms == T + 8000
    assert session.people["c"].reason == "clientDisconnected"


def test_a_session_has_one_instant_per_round() -> None:
    session = only(
        told("sessionCreated", 0),
        told("sessionDestroyed", 10),
        told("sessionCreated", 20),
        told("sessionDestroyed", 30, reason="serverRotation"),
    )
    assert session.created_ms == {T, T + 20_000}
    assert session.destroyed == {T + 10_000: None, T + 30_000: "serverRotation"}


def test_seconds_become_milliseconds_and_it_is_remembered() -> None:
    session = only(
        connection("Created", 0.5, connection={"createdAt": T // 1000}),
        connection("Created", 0.5, "d"),
        told("sessionCreated", None, timestamp=T // 1000),
        {"sessionId": "S", "captionsId": "x", "status": "started", "createdAt": T / 1000},
    )
    assert session.people["c"].created_ms == T
    assert session.people["c"].seen == BEGUN | SECONDS
    assert session.people["d"].seen == BEGUN
    assert session.created_ms == {T}
    (captions,) = session.jobs.values()
    assert (captions.created_ms, captions.seen) == (T, SECONDS)
    assert session.seconds == 3


def test_an_end_before_its_beginning_stands_as_it_was_told() -> None:
    session = only(
        connection("Created", 10, connection={"createdAt": T + 9000}),
        connection("Destroyed", 5, connection={"createdAt": T + 9000}),
    )
    assert (session.people["c"].created_ms, session.people["c"].ended_ms) == (T + 9000, T + 5000)
    totals = Totals()
    totals.add(session)
    assert totals == Totals(sessions=1, people=1, events=2)


def test_a_call_has_its_connection_its_states_and_its_reason() -> None:
    call = {"id": "k", "connectionId": "c", "createdAt": T}
    session = only(
        told("callCreated", 1, call=call),
        told("callUpdated", 2, call=call, state="RINGING"),
        told("callUpdated", 3, call=call, state="ACTIVE"),
        told("callUpdated", 4, call=call, state="RINGING"),
        told("callDestroyed", 5, call=call, reason_code="700", reason_message="normal"),
        connection("Created", 1),
    )
    (one,) = session.calls.values()
    assert (one.connection, one.created_ms, one.ended_ms) == ("c", T, T + 5000)
    assert one.states == {"RINGING": T + 2000, "ACTIVE": T + 3000}
    assert one.reason == "normal"
    assert list(session.people) == ["c"]


def archive(status: str, after_s: float, **more: Any) -> dict[str, Any]:
    said = {"sessionId": "S", "event": "archive", "id": "r", "createdAt": T, "status": status}
    return said | {"updatedAt": T + round(after_s * 1000)} | more


def test_an_archive_that_is_uploaded_before_it_is_stopped_is_no_trouble() -> None:
    session = only(
        archive("started", 0, duration=0, size=0),
        archive("uploaded", 8, duration=7, size=99, reason="user initiated", name="lesson"),
        archive("stopped", 9, duration=7, size=0, reason="user initiated"),
        archive("failed", 10, duration=0, reason="failure"),
    )
    one = session.jobs["archive", "r"]
    later = {"uploaded": T + 8000, "stopped": T + 9000, "failed": T + 10_000}
    assert one.statuses == {"started": T} | later
    assert (one.created_ms, one.ended_ms, one.duration_s, one.size) == (T, T + 8000, 7, 99)
    assert (one.name, one.reason) == ("lesson", "failure")


def test_a_render_without_a_time_has_the_receivers() -> None:
    render = {"id": "r", "sessionId": "S", "streamId": "s", "status": "started"}
    late, soon = entry(render, 40), entry(render, 5)
    for order in ((late, soon), (soon, late)):
        (session,) = facts(order).values()
        one = session.jobs["render", "r"]
        assert (one.statuses, one.stream) == ({"started": T + 5000}, "s")
        assert (session.first_ms, session.last_ms) == (T + 5000, T + 5000)


def test_a_bare_body_without_any_time_is_no_event_of_1970() -> None:
    render = {"id": "r", "sessionId": "S", "status": "stopped"}
    book = Book()
    book.apply(entry(render, -T / 1000))
    (session,) = book.sessions()
    assert (session.first_ms, session.last_ms) == (0, 0)
    assert session.jobs["render", "r"].ended_ms == 0
    book.apply(entry(render | {"reason": "x"}, 3))
    assert session.jobs["render", "r"].ended_ms == T + 3000
    assert session.first_ms == T + 3000


# Copies, and order.


def test_a_copy_tells_which_it_is_and_how_long_after_the_first() -> None:
    book, body = Book(), connection("Created", 0)
    changes = [book.apply(entry(body, at)) for at in (0, 5, 15)]
    (session,) = book.sessions()
    assert changes == [
        Change(session, 1, 0.0),
        Change(session, 2, 5.0),
        Change(session, 3, 15.0),
    ]
    assert (session.events, session.duplicates) == (1, 2)


def test_the_same_body_is_another_event_in_another_session() -> None:
    book = Book()
    body = json.dumps({"event": "sessionCreated"}).encode()
    for name in ("A", "B"):
        assert book.apply(entry(body, told=("sessionCreated", name))).copies == 1


def test_an_event_older_than_one_seen_is_late_by_event_time() -> None:
    book = Book()
    assert book.apply(entry(connection("Destroyed", 10))).late_s == 0
    assert book.apply(entry(connection("Created", 6.8))).late_s == pytest.approx(3.2)
    assert book.apply(entry(connection("Created", 11, "d"))).late_s == 0
    assert book.apply(entry(connection("Created", 5, session="T"))).late_s == 0


def signed(body: dict[str, Any], jti: str, kind: str = "valid") -> Entry:
    return entry(body, verdict=Verdict(kind, claims=Claims(jti=jti)))


def test_a_copy_is_sure_when_a_verified_token_has_the_same_jti() -> None:
    body = connection("Created", 0)
    book = Book(room=0)
    assert not book.apply(signed(body, "1")).sure
    assert book.apply(signed(body, "1")).sure
    assert not book.apply(signed(body, "2")).sure
    assert not book.apply(signed(body, "9", "invalid")).sure
    assert not book.apply(signed(body, "9", "invalid")).sure
    assert book.apply(signed(body, "2", "stale")).sure


def test_the_claims_of_a_stored_delivery_stand_in_its_header() -> None:
    coded = json.dumps(connection("Created", 0)).encode()
    token = sign(coded, Secret("key", "secret"), now=T / 1000, jti="1", api_key="7")
    headers = (("Authorization", token),)
    book = Book()
    stored = [entry(coded, headers=headers, verdict=Verdict("valid")) for _ in range(2)]
    assert [book.apply(one).sure for one in stored] == [False, True]
    broken = entry(coded, headers=(("Authorization", "x"),), verdict=Verdict("valid"))
    assert not book.apply(broken).sure


def test_what_belongs_to_no_session_changes_none() -> None:
    book = Book()
    assert book.apply(entry(b"{")) == Change(None)
    assert book.apply(entry(b"{", 5)) == Change(None, 2, 5.0)
    assert book.apply(entry(b"")) == book.apply(entry(b"")) == Change(None)
    assert list(book.sessions()) == []
    assert book.session("S") is None


def test_names_are_found_as_one_is_told_to() -> None:
    def named(data: str | None) -> str | None:
        return data.upper() if data else None

    (session,) = facts(
        [entry(connection("Created", 0, connection={"data": "x"}))], name_of=named
    ).values()
    assert session.people["c"].name == "X"
