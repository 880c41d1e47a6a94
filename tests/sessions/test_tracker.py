"""What a run knows of deliveries beside what they say."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.events.entry import Entry
from vmon.sessions.model import Session
from vmon.sessions.tracker import Annotation, Occupancy, SessionTracker, annotate, occupancy_of


class Noting(SessionTracker):
    """Enters a delivery and tells what there is to say beside it."""

    def note(self, entry: Entry) -> Annotation:
        return annotate(entry, self.apply(entry))


START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)

Say = Callable[..., Entry]


@pytest.fixture
def say() -> Say:
    """Make an entry of an event so many seconds into a session, and received `later_s` after."""

    def make(event: str, at_s: float, later_s: float = 0.1, **more: Any) -> Entry:
        timestamp = START_MS + int(at_s * 1000)
        said = {"sessionId": "2_A", "event": event, "timestamp": timestamp, **more}
        received_at = START + timedelta(seconds=at_s + later_s)
        body = json.dumps(said).encode()
        return make_entry(body, id="1", received_at=received_at, headers=(), remote="there:1")

    return make


def connection(identifier: str, data: str = "") -> dict[str, object]:
    return {"connection": {"id": identifier, "createdAt": START_MS, "data": data}}


def stream(identifier: str, owner: str) -> dict[str, object]:
    return {"stream": {"id": identifier, "createdAt": START_MS, **connection(owner)}}


def test_a_person_is_named_in_every_later_event_of_the_connection(say: Say) -> None:
    known = Noting()
    first = say("connectionCreated", 0, **connection("c1", '{"userName":"Ann"}'))
    assert known.note(first) == Annotation("Ann", 1, "")
    assert known.note(say("streamCreated", 1, **stream("s1", "c1"))).who == "Ann"
    assert known.note(say("callCreated", 2, call={"id": "x", "connectionId": "c1"})).who == "Ann"
    assert known.note(say("sessionCreated", 3)).who is None
    nameless = known.note(say("streamCreated", 4, **stream("s2", "c2"))).who
    assert nameless
    assert nameless == known.note(say("connectionDestroyed", 5, **connection("c2"))).who
    assert nameless.count("-") == 1


def test_the_name_is_where_it_is_said_to_be(say: Say) -> None:
    known = Noting(lambda data: data and data.upper())
    assert known.note(say("connectionCreated", 0, **connection("c1", "ann"))).who == "ANN"


@pytest.mark.parametrize(
    ("since_s", "badge"),
    [(0.2, "duplicate #2 +200 ms"), (5.1, "retry #1 +5.1 s"), (35, "retry #3 +35.0 s")],
)
def test_what_comes_again_says_when_and_as_which_retry(
    since_s: float, badge: str, say: Say
) -> None:
    known = Noting()
    assert known.note(say("sessionCreated", 0, 1)).badge == ""
    assert known.note(say("sessionCreated", 0, 1 + since_s)) == Annotation(None, 2, badge)
    assert known.duplicates == 1
    assert known.lags.number == 1


def test_what_is_older_than_what_came_before_it_is_late(say: Say) -> None:
    known = Noting()
    known.apply(say("sessionCreated", 3.2))
    assert known.note(say("connectionCreated", 0, 4, **connection("c1"))).badge == "↩ 3.2 s late"
    rounded = {"status": "started", "id": "a", "createdAt": START_MS + 3000}
    assert known.note(say("archive", 3, **rounded)).badge == ""
    rounded["createdAt"] = START_MS
    assert known.note(say("archive", 3, **rounded)).badge == "↩ 3.2 s late"


def test_who_is_there_is_counted_as_events_come(say: Say) -> None:
    known = Noting()
    assert known.occupancy() == Occupancy(0, 0, 0)
    known.apply(say("sessionCreated", 0))
    known.apply(say("connectionCreated", 1, **connection("c1")))
    known.apply(say("connectionCreated", 1, **connection("c2")))
    known.apply(say("streamCreated", 2, **stream("s1", "c1")))
    assert known.occupancy() == Occupancy(1, 2, 1)
    known.apply(say("streamDestroyed", 3, **stream("s1", "c1")))
    known.apply(say("connectionDestroyed", 3, **connection("c1")))
    assert known.occupancy() == known.occupancy() == Occupancy(1, 1, 0)
    known.apply(say("sessionDestroyed", 4))
    assert known.occupancy() == Occupancy(0, 0, 0)
    assert occupancy_of(Session("x")) == Occupancy(1, 0, 0)  # no end event received


def test_whoever_was_forgotten_is_not_there_any_more(say: Say) -> None:
    known = SessionTracker(forgets=True)
    known.apply(say("connectionCreated", 0, **connection("c1")))
    assert known.occupancy() == Occupancy(1, 1, 0)
    known.apply(say("sessionCreated", 8 * 86400, sessionId="2_B"))
    assert known.occupancy() == Occupancy(1, 0, 0)
    assert known.store.totals.sessions == 1
