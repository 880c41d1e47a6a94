import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import BODIES, T, connection, make_body, make_entry, only, sessions_of
from vmon.events.entry import Entry
from vmon.events.verdict import Claims, Verdict
from vmon.security.signature import Secret, sign
from vmon.sessions.model import Totals
from vmon.sessions.packing import Packed, StoredSession, pack
from vmon.sessions.store import ApplyResult, SessionStore

NEVER = -T // 1000  # as a bare body without a time
RECEIPTS = st.lists(st.integers(-20, 100_000) | st.just(NEVER), min_size=1, max_size=4)
DELIVERIES = st.lists(st.tuples(BODIES, RECEIPTS), max_size=12)


@settings(max_examples=150, deadline=None)
@given(DELIVERIES, st.randoms(use_true_random=False), st.integers(0, 8))
def test_neither_order_nor_packing_changes_the_store(
    deliveries: list[tuple[dict[str, Any], list[int]]], random: Random, room: int
) -> None:
    entries = [make_entry(body, at) for body, receipts in deliveries for at in receipts]
    shuffled = random.sample(entries, len(entries))
    store = sessions_of(entries)
    assert sessions_of(shuffled) == store
    assert sessions_of(shuffled, room=room) == store


@settings(max_examples=100, deadline=None)
@given(DELIVERIES, st.randoms(use_true_random=False))
def test_copies_received_later_change_nothing_but_their_number(
    deliveries: list[tuple[dict[str, Any], list[int]]], random: Random
) -> None:
    known: dict[str, int] = {}
    for body, receipts in deliveries:
        coded = json.dumps(body)
        known[coded] = min(known.get(coded, 10**6), *(abs(at) % 100_000 for at in receipts))
    once = [make_entry(body.encode(), at) for body, at in known.items()]
    again = [make_entry(body.encode(), at + 35) for body, at in known.items()]
    entries = random.sample([*once, *again], len(once) * 2)
    doubled = sessions_of(entries)
    for session in doubled.values():
        assert session.duplicates == session.events
        session.duplicates = 0
    assert doubled == sessions_of(once)


def test_a_copy_tells_which_it_is_and_how_long_after_the_first() -> None:
    store, body = SessionStore(), connection("Created", 0)
    changes = [store.apply(make_entry(body, at)) for at in (0, 5, 15)]
    (session,) = store.sessions()
    assert changes == [
        ApplyResult(session, 1, 0.0),
        ApplyResult(session, 2, 5.0),
        ApplyResult(session, 3, 15.0),
    ]
    assert (session.events, session.duplicates) == (1, 2)


def test_a_copy_received_before_the_first_one_known_becomes_the_first() -> None:
    store, body = SessionStore(), {"id": "r", "sessionId": "S", "status": "started"}
    seen = [store.apply(make_entry(body, at)) for at in (NEVER, 40, 5, NEVER, 10)]
    assert [change.since_first_s for change in seen] == [0, 0, 0, 0, 5]
    (session,) = store.sessions()
    assert session.outputs["render", "r"].statuses == {"started": T + 5000}


def test_an_empty_reason_is_none_whichever_comes_first() -> None:
    said = [make_body("sessionDestroyed", 1, reason=reason) for reason in ("", None)]
    said += [connection("Destroyed", 1, reason=reason) for reason in (None, "")]
    one = only(*said)
    assert (one.destroyed, one.people["c"].reason) == ({T + 1000: None}, None)


def test_the_same_body_is_another_event_in_another_session() -> None:
    store = SessionStore()
    body = json.dumps({"event": "sessionCreated"}).encode()
    for name in ("A", "B"):
        assert store.apply(make_entry(body, 0, stated=("sessionCreated", name))).copies == 1


def test_an_event_older_than_one_seen_is_late_by_event_time() -> None:
    store = SessionStore()
    assert store.apply(make_entry(connection("Destroyed", 10), 0)).late_s == 0
    assert store.apply(make_entry(connection("Created", 6.8), 0)).late_s == pytest.approx(3.2)
    assert store.apply(make_entry(connection("Created", 11, "d"), 0)).late_s == 0
    assert store.apply(make_entry(connection("Created", 5, session="T"), 0)).late_s == 0


def signed(body: dict[str, Any], jti: str, kind: str = "valid") -> Entry:
    return make_entry(body, 0, verdict=Verdict(kind, claims=Claims(jti=jti)))


def test_a_copy_is_sure_when_a_verified_token_has_the_same_jti() -> None:
    body = connection("Created", 0)
    store = SessionStore(room=0)
    assert not store.apply(signed(body, "1")).sure
    assert store.apply(signed(body, "1")).sure
    assert not store.apply(signed(body, "2")).sure
    assert not store.apply(signed(body, "9", "invalid")).sure
    assert not store.apply(signed(body, "9", "invalid")).sure
    assert store.apply(signed(body, "2", "stale")).sure


def test_the_claims_of_a_stored_delivery_stand_in_its_header() -> None:
    coded = json.dumps(connection("Created", 0)).encode()
    token = sign(coded, Secret("key", "secret"), now=T / 1000, jti="1", api_key="7")
    headers = (("Authorization", token),)
    store = SessionStore()
    stored = [make_entry(coded, 0, headers=headers, verdict=Verdict("valid")) for _ in range(2)]
    assert [store.apply(one).sure for one in stored] == [False, True]
    broken = make_entry(coded, 0, headers=(("Authorization", "x"),), verdict=Verdict("valid"))
    assert not store.apply(broken).sure


def test_what_belongs_to_no_session_changes_none() -> None:
    store = SessionStore()
    assert store.apply(make_entry(b"{", 0)) == ApplyResult(None)
    assert store.apply(make_entry(b"{", 5)) == ApplyResult(None, 2, 5.0)
    assert store.apply(make_entry(b"", 0)) == store.apply(make_entry(b"", 0)) == ApplyResult(None)
    assert list(store.sessions()) == []
    assert store.session("S") is None


def test_the_lookup_of_names_is_used() -> None:
    def named(data: str | None) -> str | None:
        return data.upper() if data else None

    (session,) = sessions_of(
        [make_entry(connection("Created", 0, connection={"data": "x"}), 0)], name_of=named
    ).values()
    assert session.people["c"].name == "X"


# What is kept.

DAY_S = 86400.0


def test_a_closed_session_is_forgotten_when_no_retry_comes_any_more() -> None:
    store = SessionStore(on_forgotten=list[str]().append)
    for body in (connection("Created", 0), connection("Destroyed", 60)):
        store.apply(make_entry(body, 70))
    store.apply(make_entry(connection("Created", 0, session="open"), 70))
    store.apply(make_entry(b"{", 70 + DAY_S))
    assert len(list(store.sessions())) == 2
    store.apply(make_entry(b"[", 70 + DAY_S + 3601 + 600))
    assert [session.id for session in store.sessions()] == ["open"]
    assert store.totals == Totals(sessions=1, people=1, connected_ms=60_000, events=2)
    assert store.session("S") is None


def test_a_late_retry_keeps_a_session() -> None:
    store = SessionStore(on_forgotten=list[str]().append, room=0)
    gone = connection("Destroyed", 60)
    store.apply(make_entry(gone, 60))
    assert store.apply(make_entry(gone, DAY_S)).copies == 2
    store.apply(make_entry(b"{", DAY_S + 3601 + 600))
    assert len(list(store.sessions())) == 1


def test_an_open_session_that_is_silent_for_a_week_is_forgotten() -> None:
    gone: list[str] = []
    store = SessionStore(on_forgotten=gone.append)
    store.apply(make_entry(connection("Created", 0), 0))
    store.apply(make_entry(b"{", 7 * DAY_S + 601))
    assert list(store.sessions()) == []
    assert gone == ["S"]
    assert store.totals == Totals(sessions=1, people=1, events=1)


def test_a_session_that_never_ends_is_not_remembered_event_by_event() -> None:
    store = SessionStore(on_forgotten=list[str]().append)
    for hour in range(240):
        store.apply(make_entry(make_body("sessionNotification", hour * 3600), hour * 3600))
    assert store._held == 25 + 1
    (session,) = store.sessions()
    assert session.events == 240


def test_a_store_of_stored_deliveries_forgets_nothing() -> None:
    store = SessionStore()
    for body in (connection("Created", 0), connection("Destroyed", 60)):
        store.apply(make_entry(body, 70))
    store.apply(make_entry(b"{", 900 * DAY_S))
    assert len(list(store.sessions())) == 1


def test_what_belongs_to_no_session_is_not_remembered_for_ever() -> None:
    store = SessionStore(on_forgotten=list[str]().append)
    for number in range(20_001):
        store.apply(make_entry(b"%d" % number, 0))
    assert store._held == 20_001
    store.apply(make_entry(b"x", 601))
    assert store._held == 1


def test_a_session_larger_than_the_room_is_not_packed_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed: list[str] = []

    def counted(record: StoredSession) -> Packed:
        packed.append(record.session.id)
        return pack(record)

    monkeypatch.setattr("vmon.sessions.store.pack", counted)
    store = SessionStore(room=400)
    for number in range(3000):
        store.apply(make_entry(make_body("sessionNotification", number), 0))
        store.apply(make_entry(make_body("sessionNotification", number, session="other"), 1))
    assert 0 < len(packed) < 150
