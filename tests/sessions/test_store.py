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
from vmon.sessions.snapshot import snapshot
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


# What has no time of its own.


def archive_of(status: str, **more: Any) -> dict[str, Any]:
    """An archive as Vonage documents it: without `updatedAt`."""
    one = {"id": "a", "event": "archive", "sessionId": "S", "status": status, "createdAt": T}
    return one | more


@pytest.mark.parametrize("form", [{"outputMode": "composed"}, {"event": "broadcast"}])
def test_without_updated_at_an_archive_is_dated_by_its_receipt_and_never_late(
    form: dict[str, Any],
) -> None:
    book = SessionStore()
    for at, status in ((1, "started"), (1790, "stopped"), (2700, "available")):
        book.apply(make_entry(connection("Created", at, f"c{at}"), at))
        one = make_entry(archive_of(status, duration=1789 * (at > 1)) | form, at + 0.2)
        assert book.apply(one).late_s == 0
        assert one.lag_s is None
    (session,) = book.sessions()
    (output,) = session.outputs.values()
    assert output.statuses == {
        "started": T + 1200, "stopped": T + 1_790_200, "available": T + 2_700_200
    }  # fmt: skip # pairs
    assert (output.created_ms, output.ended_ms) == (T, T + 1_790_200)


def test_an_archive_did_not_end_before_its_creation_and_duration() -> None:
    stopped = make_entry(archive_of("stopped", duration=60), 10)
    assert stopped.occurred_ms == T + 60_000
    (session,) = sessions_of([stopped]).values()
    assert session.outputs["archive", "a"].ended_ms == T + 60_000


@pytest.mark.parametrize(
    "undated",
    [
        {"id": "r", "sessionId": "S", "status": "started"},
        {"captionsId": "r", "sessionId": "S", "status": "started"},
        archive_of("started"),
    ],
)
def test_what_has_no_time_of_its_own_makes_nothing_else_late(undated: dict[str, Any]) -> None:
    book = SessionStore()
    book.apply(make_entry(connection("Created", 0), 1))
    assert book.apply(make_entry(undated, 9)).late_s == 0
    assert book.apply(make_entry(connection("Created", 2, "d"), 9.1)).late_s == 0
    assert book.apply(make_entry(connection("Created", 0.5, "e"), 9.2)).late_s == 1.5


def test_an_event_of_the_year_2058_does_not_make_all_others_late() -> None:
    book = SessionStore()
    far = make_entry(make_body("sessionNotification", 1e9), 1)
    assert book.apply(far).late_s == 0
    assert far.lag_s is None
    assert book.apply(make_entry(connection("Created", 2), 3)).late_s == 0


@pytest.mark.parametrize("kind", ["render", "captions"])
def test_a_render_or_captions_that_tells_times_is_dated_by_them(kind: str) -> None:
    one: dict[str, Any] = {"sessionId": "S", ("id" if kind == "render" else "captionsId"): "r"}
    one |= {"createdAt": T, "event": kind}
    told = [
        one | {"status": "started", "updatedAt": T + 700},
        one | {"status": "stopped", "updatedAt": T + 9000},
    ]
    entries = [make_entry(body, 40) for body in told]
    assert [entry.lag_s for entry in entries] == pytest.approx([39.3, 31.0])
    (session,) = sessions_of(entries).values()
    (output,) = session.outputs.values()
    assert (output.created_ms, output.ended_ms) == (T, T + 9000)


def test_captions_that_tell_how_long_they_ran_ended_then() -> None:
    body = {"captionsId": "r", "sessionId": "S", "status": "stopped", "createdAt": T // 1000}
    entry = make_entry(body | {"duration": 38.5}, 3600)
    assert entry.occurred_ms == T + 38_500


def test_an_archive_created_in_2058_is_dated_by_its_receipt() -> None:
    made = archive_of("started", createdAt=T + 32 * 365 * 86_400_000)
    entry = make_entry(made, 10)
    assert entry.occurred_ms == T + 10_000
    (session,) = sessions_of([entry]).values()
    (part,) = snapshot(session).outputs
    assert (part.span.began_ms, part.span.begin_told) == (T + 10_000, False)


def test_a_creation_long_after_its_own_event_is_not_believed() -> None:
    later = {"createdAt": T + 32 * 365 * 86_400_000}
    one = only(connection("Created", 1, connection=later), connection("Destroyed", 9))
    assert (one.people["c"].created_ms, one.people["c"].ended_ms) == (T, T + 9000)
    one = only(connection("Destroyed", 9, connection=later))
    assert one.people["c"].created_ms is None


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
