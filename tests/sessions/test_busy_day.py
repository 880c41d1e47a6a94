"""A generated day, found out exactly: shuffled, with copies, and read from torn captures."""

import random
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.busy_day import BEGIN, BEGIN_MS, PLANTED, Day, Life, Truth, there_at, torn
from tests.support.factories import make_entry
from vmon.capture.codec import read_line
from vmon.events.redelivery import retry_of
from vmon.search import reader
from vmon.search.filter import Filter
from vmon.sessions.model import ConnectionState, StreamState, Totals, is_open
from vmon.sessions.store import SessionStore

SESSIONS, EVENTS = 120, 6000
TOLD_ONCE = {"unknown-reason", "seconds-for-ms"}  # for the whole capture


@pytest.fixture(scope="module")
def day() -> tuple[Truth, list[bytes]]:
    """The truth of a day, and its lines."""
    one = Day(SESSIONS, EVENTS, odd=0.3)
    return one.truth, list(one.lines())


def _book(lines: Iterable[bytes], **asked: Any) -> SessionStore:
    store = SessionStore(**asked)
    for line in lines:
        store.apply(read_line(line))
    return store


def _life(one: ConnectionState | StreamState) -> Life:
    assert one.created_ms is not None
    return one.created_ms, one.ended_ms


def _totals(store: SessionStore) -> Totals:
    found = Totals()
    for session in store.sessions():
        found.add(session)
    return found


def _check(store: SessionStore, truth: Truth) -> None:
    sessions = list(store.sessions())
    people = {(one.id, who): _life(p) for one in sessions for who, p in one.people.items()}
    streams = {(one.id, what): _life(f) for one in sessions for what, f in one.streams.items()}
    rng = random.Random(1)
    for _ in range(50):
        at_ms = BEGIN_MS + rng.randrange(0, 24 * 3_600_000)
        assert there_at(people, at_ms) == there_at(truth.people, at_ms)
        assert there_at(streams, at_ms) == there_at(truth.streams, at_ms)
    assert (people, streams) == (truth.people, truth.streams)
    assert {one.id: one.created_ms for one in sessions} == truth.opened
    assert {one.id: set(one.destroyed) for one in sessions if one.destroyed} == truth.closed
    assert _totals(store) == Totals(
        sessions=SESSIONS,
        people=len(truth.people),
        streams=len(truth.streams),
        connected_ms=truth.connected_ms(),
        published_ms=truth.published_ms(),
        events=truth.events,
        duplicates=truth.duplicates,
    )


def test_the_day_is_found_out_from_its_capture(day: tuple[Truth, list[bytes]]) -> None:
    truth, lines = day
    assert len(lines) == truth.events + truth.duplicates
    assert truth.events == pytest.approx(EVENTS, rel=0.1)
    assert truth.duplicates == pytest.approx(0.05 * EVENTS, rel=0.3)
    _check(_book(lines), truth)


def test_and_from_any_order_of_it_even_packed_all_the_time(day: tuple[Truth, list[bytes]]) -> None:
    truth, lines = day
    shuffled = random.Random(2).sample(lines, len(lines))
    _check(_book(shuffled), truth)
    _check(_book(lines, room=500), truth)


def test_and_from_captures_that_were_torn(day: tuple[Truth, list[bytes]], tmp_path: Path) -> None:
    truth, lines = day
    files = [tmp_path / f"{number}.jsonl" for number in range(7)]
    for file, content in zip(files, torn(lines, 7), strict=True):
        file.write_bytes(content)
    bad: list[int] = []
    store = SessionStore()
    for entry in reader.entries(map(str, files), Filter(), lambda line: bad.append(line.number)):
        store.apply(entry)
    _check(store, truth)
    assert len(bad) == 6


def test_every_copy_is_labelled_with_its_number_in_the_schedule(
    day: tuple[Truth, list[bytes]],
) -> None:
    truth, lines = day
    store, copies = SessionStore(), 0
    for entry in map(read_line, lines):
        change = store.apply(entry)
        if change.copies > 1:
            copies += 1
            assert change.copies == 2
            assert retry_of(change.since_first_s) in range(1, 8)
    assert copies == truth.duplicates


def test_a_store_that_forgets_keeps_the_totals(day: tuple[Truth, list[bytes]]) -> None:
    truth, lines = day
    store, much_later = (
        _book(lines, on_forgotten=list[str]().append, room=2000),
        BEGIN + timedelta(hours=51),
    )
    stays = {session.id for session in store.sessions() if is_open(session)}
    assert 0 < len(stays) < 30
    store.apply(make_entry(b"{", id="0", received_at=much_later, headers=(), remote=None))
    assert {session.id for session in store.sessions()} == stays
    assert store.totals.sessions == SESSIONS - len(stays)
    store.apply(
        make_entry(
            b"{", id="0", received_at=much_later + timedelta(days=7), headers=(), remote=None
        )
    )
    assert list(store.sessions()) == []
    assert store.totals == _totals(_book(lines))
    assert store.totals.connected_ms == truth.connected_ms()


def test_every_planted_oddity_is_there_and_no_other() -> None:
    survey = pytest.importorskip("vmon.analysis.oddities.survey").OddityAnalysis()
    one = Day(400, 12_000, odd=0.3)
    for entry in one.entries():
        survey.note(entry)
    assert {code for code, _ in one.truth.planted} == set(PLANTED)
    found = {(odd.code, odd.session) for odd in survey.oddities()}
    assert {code for code, _ in found} == set(PLANTED)
    assert {odd for odd in found if odd[0] not in TOLD_ONCE} == {
        odd for odd in one.truth.planted if odd[0] not in TOLD_ONCE
    }
