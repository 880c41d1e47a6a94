import tracemalloc

import pytest
from msgspec.structs import replace

from tests.support.busy_day import Day
from vmon.sessions.model import ConnectionState, OutputState, Session
from vmon.sessions.packing import Packed, StoredSession, drop, pack, unpack, weight
from vmon.sessions.store import SessionStore


def a_record() -> StoredSession:
    session = Session("S", projects={"7"}, created_ms={5, 9}, destroyed={7: None}, events=3)
    session.people["c"] = ConnectionState("c", 3, 8, None, None, "Zoë")
    session.outputs["archive", "a"] = OutputState(
        "a", "archive", statuses={"failed": 6}, duration_s=1.5
    )
    return StoredSession(
        session,
        seen_bodies={2**63 - 1: 1_700_000_000_000, -(2**63): 1_600_000_000_000, 0: -5},
        copies={0: 3},
        unstamped={0: -5},
        tokens={-7: 1_700_000_000_000, 2**62: 5},
        rounds={0: (5, True, None), -(2**63): (7, False, "serverRotation")},
        stamped_ms=9,
        newest_ms=1_700_000_000_000,
    )


def test_a_record_is_the_same_after_it_was_packed() -> None:
    record = a_record()
    packed = pack(record)
    assert unpack(packed) == record
    assert list(unpack(packed).seen_bodies) == list(record.seen_bodies)
    assert (packed.newest_ms, packed.open) == (record.newest_ms, True)
    assert weight(record) == 5


def test_marks_are_dropped_when_no_copy_comes_any_more() -> None:
    record = a_record()
    record.unstamped[-(2**63)] = 12
    facts = replace(record.session)
    drop(record, 1_650_000_000_000)
    assert record.session == facts
    assert record.seen_bodies == {2**63 - 1: 1_700_000_000_000}
    assert (record.copies, record.unstamped, record.stamped_ms) == ({}, {}, 12)
    assert record.tokens == {-7: 1_700_000_000_000}


def test_an_empty_record_can_be_packed() -> None:
    assert unpack(pack(StoredSession(Session("")))) == StoredSession(Session(""))


def test_half_a_surrogate_pair_survives() -> None:
    record = a_record()
    record.session.people["\ud800"] = ConnectionState("\ud800", name="\udfff")
    packed = pack(record)
    assert unpack(packed) == record
    assert packed.open


@pytest.fixture(scope="module")
def books() -> tuple[SessionStore, int]:
    """A store of a day, all unpacked, and how many bytes it takes."""
    entries = list(Day(60, 6000).entries())
    for entry in entries:
        assert entry.event
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    store = SessionStore()
    for entry in entries:
        store.apply(entry)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return store, taken


def test_a_session_takes_little_memory_and_far_less_when_packed(
    books: tuple[SessionStore, int],
) -> None:
    store, taken = books
    records = [held for held in store._sessions.values() if isinstance(held, StoredSession)]
    marks = sum(map(weight, records))
    packed = sum(len(one.fields) + len(one.seen_bodies) for one in map(pack, records))
    assert marks > 5000
    assert taken / marks < 400
    assert packed / marks < 50


@pytest.mark.parametrize("room", [300, 1000, 3000])
def test_no_more_is_held_unpacked_than_there_is_room_for(room: int) -> None:
    store, most = SessionStore(room=room), 0
    for entry in Day(60, 6000).entries():
        store.apply(entry)
        held = [one for one in store._sessions.values() if isinstance(one, StoredSession)]
        most = max(most, sum(map(weight, held)))
    assert sum(isinstance(one, Packed) for one in store._sessions.values()) > 10
    assert most <= room + 200  # the one that was fetched last
    assert store._held == sum(map(weight, held))
