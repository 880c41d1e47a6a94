"""The feed enters deliveries in the order of receipt, whatever its subscribers do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.support.factories import make_entry
from tests.support.waiting import until
from vmon.forward.client import ForwardResult, Outcome
from vmon.forward.listener import TargetBack, TargetDown
from vmon.receive import feed as module
from vmon.receive.elements import (
    BugFound,
    CaptureTrouble,
    Forwarded,
    Missed,
    Notice,
    Received,
    TargetChanged,
)
from vmon.receive.feed import Feed, ForwardPublisher, Subscription
from vmon.sessions.tracker import SessionTracker

if TYPE_CHECKING:
    import pytest

    from vmon.events.entry import Entry
    from vmon.receive.elements import Element

START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


def delivery(number: int, *, at_ms: int | None = None, event: str = "connectionCreated") -> Entry:
    """A delivery received `number` ms after the start; it happened then, or at `at_ms`."""
    happened_ms = START_MS + (number if at_ms is None else at_ms)
    connection = {"id": f"c{happened_ms}", "createdAt": happened_ms, "data": '{"name":"Ann"}'}
    body = {"sessionId": "2_S", "event": event, "timestamp": happened_ms, "connection": connection}
    received_at = START + timedelta(milliseconds=number)
    raw = json.dumps(body).encode()
    return make_entry(
        raw, id=f"{number:06}", received_at=received_at, headers=(), remote="127.0.0.1:1"
    )


class Reader:
    """A subscriber that reads when it is told to."""

    def __init__(self, *, deliveries: bool = True) -> None:
        self.wakes = 0
        self.queue = Subscription(self.wake, deliveries=deliveries)

    def wake(self) -> None:
        self.wakes += 1

    def read(self, most: int = 1_000_000) -> list[Element]:
        return [self.queue.take() for _ in range(min(most, len(self.queue)))]


def received(elements: list[Element]) -> list[Received]:
    return [element for element in elements if isinstance(element, Received)]


def a_feed(*readers: Reader) -> tuple[Feed, SessionTracker, list[Exception]]:
    bugs: list[Exception] = []
    tracker = SessionTracker()
    feed = Feed(tracker, bugs.append)
    for reader in readers:
        feed.subscribe(reader.queue)
    return feed, tracker, bugs


async def test_nothing_happens_on_the_answer_s_path_but_an_append() -> None:
    reader = Reader()
    feed, tracker, _ = a_feed(reader)
    for number in range(100):
        feed.deliver(delivery(number), None)
    assert (reader.wakes, len(reader.queue), list(tracker.store.sessions())) == (0, 0, [])
    await until(lambda: len(reader.queue) == 100)
    assert reader.wakes == 1
    ids = [element.entry.delivery.id for element in received(reader.read())]
    assert ids == [f"{number:06}" for number in range(100)]


async def test_behind_a_reader_that_is_stuck_nothing_in_order_is_late() -> None:
    reader = Reader()
    feed, tracker, _ = a_feed(reader)
    for number in range(14_000):
        feed.deliver(delivery(number), None)
    feed.flush()
    elements = reader.read()
    assert [element.note.badge for element in received(elements)] == [""] * 10_000
    assert elements[10_000:] == [Missed(4_000)]
    (session,) = tracker.store.sessions()
    assert session.events == 14_000


async def test_no_original_is_called_the_duplicate_of_its_retry() -> None:
    reader = Reader()
    feed, tracker, _ = a_feed(reader)
    for number in range(12_000):
        feed.deliver(delivery(number), None)
    for number in range(12_000):  # each again, 20 s later
        feed.deliver(delivery(20_000 + number, at_ms=number), None)
    feed.flush()
    first = received(reader.read())
    assert {element.note.copies for element in first} == {1}
    assert tracker.duplicates == 12_000


async def test_two_subscribers_of_different_speed_see_the_same_annotations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 50)
    fast, slow = Reader(), Reader()
    feed, _, _ = a_feed(fast, slow)
    seen_fast: list[Element] = []
    seen_slow: list[Element] = []
    for number in range(1000):
        at_ms = number - 5_000 if number % 10 == 3 else number - number % 2  # late ones, duplicates
        feed.deliver(delivery(number, at_ms=at_ms), None)
        feed.flush()
        seen_fast += fast.read()
        if number % 100 == 99:
            seen_slow += slow.read()
    notes = {one.entry.delivery.id: one.note for one in received(seen_fast)}
    assert len(notes) == 1000
    assert {note.badge[:1] for note in notes.values()} == {"", "d", "↩"}
    slowly = received(seen_slow)
    assert 400 <= len(slowly) < 600
    assert all(one.note == notes[one.entry.delivery.id] for one in slowly)
    missed = sum(one.deliveries for one in seen_slow if isinstance(one, Missed))
    assert missed + len(slowly) == 1000


async def test_what_is_missed_is_counted_in_its_place_by_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 2)
    reader = Reader()
    feed, _, _ = a_feed(reader)
    for number in range(4):
        feed.deliver(delivery(number), None)
    feed.publish(Notice("a probe"))
    feed.flush()
    *first, missed = reader.read()
    assert [type(element) for element in first] == [Received, Received]
    assert missed == Missed(2, 1)
    feed.deliver(delivery(9), None)
    feed.flush()
    assert [type(element) for element in reader.read()] == [Received]


async def test_large_bodies_fill_a_queue_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100_000)
    reader = Reader()
    feed, _, _ = a_feed(reader)
    for number in range(10):
        feed.deliver(delivery(number), b"x" * 40_000)
    feed.flush()
    assert [type(element) for element in reader.read()] == [*[Received] * 3, Missed]


async def test_long_answers_of_an_app_fill_a_queue_by_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    reader = Reader()
    outcome = Outcome(200, 0.1, body=b"x" * 2000, headers=((b"X-Why", b"y" * 1000),))
    for number in range(10):
        result = ForwardResult(delivery(number), "localhost:3000", outcome)
        reader.queue.put(Forwarded(result))
    *answers, missed = reader.read()
    assert (len(answers), missed) == (4, Missed(0, 6))
    reader.queue.put(Forwarded(result))
    assert len(reader.read()) == 1


async def test_trouble_goes_ahead_and_is_never_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 1)
    reader = Reader()
    feed, _, _ = a_feed(reader)
    for number in range(3):
        feed.deliver(delivery(number), None)
    feed.publish(CaptureTrouble("a.jsonl: No space left on device"))
    feed.publish(BugFound("ValueError: x"))
    feed.flush()
    kinds = [type(element) for element in reader.read()]
    assert kinds == [CaptureTrouble, BugFound, Received, Missed]


async def test_elements_keep_their_place_among_deliveries() -> None:
    reader = Reader()
    feed, _, _ = a_feed(reader)
    feed.deliver(delivery(1), None)
    feed.publish(Notice("a probe"))
    feed.deliver(delivery(2), None)
    feed.flush()
    assert [type(element) for element in reader.read()] == [Received, Notice, Received]


async def test_who_wants_no_deliveries_gets_the_rest_and_everything_is_entered() -> None:
    reader = Reader(deliveries=False)
    feed, tracker, _ = a_feed(reader)
    feed.deliver(delivery(1), None)
    feed.publish(Notice("a probe"))
    feed.flush()
    assert [type(element) for element in reader.read()] == [Notice]
    assert sum(session.events for session in tracker.store.sessions()) == 1


async def test_a_watcher_is_told_of_every_delivery_at_its_moment() -> None:
    feed, tracker, _ = a_feed()
    seen: list[tuple[int, int]] = []
    feed.watch(lambda _entry, result: seen.append((result.copies, tracker.duplicates)))
    for number in (1, 1, 2):
        feed.deliver(delivery(number, at_ms=number), None)
    feed.flush()
    assert seen == [(1, 0), (2, 1), (1, 1)]


async def test_a_full_inbox_is_entered_at_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ELEMENTS", 40)
    reader = Reader()
    feed, tracker, _ = a_feed(reader)
    for number in range(100):
        feed.deliver(delivery(number), None)
    entered = sum(session.events for session in tracker.store.sessions())
    assert entered >= 60  # and not one turn of the event loop has passed
    feed.flush()
    notes = [element.note.badge for element in received(reader.read())]
    assert notes == [""] * len(notes)


async def test_a_bug_in_entering_costs_one_annotation(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    feed, tracker, bugs = a_feed(reader)
    apply = tracker.apply

    def failing(entry: Entry) -> object:
        if entry.delivery.id == "000001":
            raise ZeroDivisionError
        return apply(entry)

    monkeypatch.setattr(tracker, "apply", failing)
    for number in range(3):
        feed.deliver(delivery(number), None)
    feed.flush()
    elements = received(reader.read())
    assert [element.note.who for element in elements] == ["Ann", None, "Ann"]
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


async def test_entering_leaves_turns_to_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE_S", 0.0)
    reader = Reader()
    feed, _, _ = a_feed(reader)
    for number in range(200):
        feed.deliver(delivery(number), None)
    await until(lambda: reader.wakes == 1)
    entered = len(reader.queue)
    assert entered < 200  # one slice does not enter everything
    await until(lambda: len(reader.queue) == 200)


async def test_what_becomes_of_forwarding_is_published_as_typed_elements() -> None:
    reader = Reader()
    feed, _, bugs = a_feed(reader)
    publisher = ForwardPublisher(feed, bugs.append)
    result = ForwardResult(delivery(1), "app:80", Outcome(200, 0.01))
    down, back = TargetDown("app:80", "refused", retrying=True), TargetBack("app:80", 3.0, 2)
    publisher.forwarded(result)
    publisher.target_down(down)
    publisher.target_back(back)
    publisher.notice("2 deliveries left")
    publisher.bug(ZeroDivisionError())
    feed.flush()
    first, second, third, last = reader.read()
    assert first == Forwarded(result)
    assert isinstance(second, TargetChanged)
    assert isinstance(third, TargetChanged)
    assert (second.event, third.event) == (down, back)
    assert isinstance(last, Notice)
    assert (last.text, last.about) == ("2 deliveries left", "forwarding")
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]
