"""What a run knows of deliveries beside what they say."""

from typing import Any

import pytest

from tests.support.tracked import START_MS, AnnotatingTracker, connection, event_at, stream
from vmon.events.entry import Entry
from vmon.events.names import is_two_words
from vmon.events.verdict import Verdict
from vmon.sessions.model import Session
from vmon.sessions.tracker import Annotation, Occupancy, SessionTracker, occupancy_of


def test_a_person_is_named_in_every_later_event_of_the_connection() -> None:
    known = AnnotatingTracker()
    first = event_at("connectionCreated", 0, **connection("c1", '{"userName":"Ann"}'))
    assert known.note(first) == Annotation("Ann", 1, "")
    assert known.note(event_at("streamCreated", 1, **stream("s1", "c1"))).who == "Ann"
    assert (
        known.note(event_at("callCreated", 2, call={"id": "x", "connectionId": "c1"})).who == "Ann"
    )
    assert known.note(event_at("sessionCreated", 3)).who is None
    nameless = known.note(event_at("streamCreated", 4, **stream("s2", "c2"))).who
    assert nameless
    assert nameless == known.note(event_at("connectionDestroyed", 5, **connection("c2"))).who
    assert nameless.count("-") == 1


def test_the_lookup_of_names_can_be_replaced() -> None:
    known = AnnotatingTracker(lambda data: data and data.upper())
    assert known.note(event_at("connectionCreated", 0, **connection("c1", "ann"))).who == "ANN"


@pytest.mark.parametrize(
    ("since_s", "badge"),
    [(0.2, "duplicate #2 +200 ms"), (5.1, "retry #1 +5.1 s"), (35, "retry #3 +35.0 s")],
)
def test_what_comes_again_says_when_and_as_which_retry(since_s: float, badge: str) -> None:
    known = AnnotatingTracker()
    assert known.note(event_at("sessionCreated", 0, 1)).badge == ""
    assert known.note(event_at("sessionCreated", 0, 1 + since_s)) == Annotation(None, 2, badge)
    assert known.duplicates == 1
    assert known.lags.number == 1


def test_what_is_older_than_what_came_before_it_is_late() -> None:
    known = AnnotatingTracker()
    known.apply(event_at("sessionCreated", 3.2))
    late = known.note(event_at("connectionCreated", 0, 4, **connection("c1")))
    assert late.badge == "↩ 3.2 s late"
    archive: Any = {"status": "started", "id": "a", "updatedAt": START_MS}
    assert known.note(event_at("archive", 3, **archive)).badge == "↩ 3.2 s late"


def test_less_than_a_second_out_of_order_is_not_late_unless_late_after_says_so() -> None:
    for late_after_s, badge in ((1.0, ""), (0.25, "↩ 300 ms late")):
        known = AnnotatingTracker(late_after_s=late_after_s)
        known.apply(event_at("sessionCreated", 0.3))
        late = known.note(event_at("connectionCreated", 0, 4, **connection("c1")))
        assert late.badge == badge


def test_the_occupancy_follows_the_events() -> None:
    known = AnnotatingTracker()
    assert known.occupancy() == Occupancy(0, 0, 0)
    known.apply(event_at("sessionCreated", 0))
    known.apply(event_at("connectionCreated", 1, **connection("c1")))
    known.apply(event_at("connectionCreated", 1, **connection("c2")))
    known.apply(event_at("streamCreated", 2, **stream("s1", "c1")))
    assert known.occupancy() == Occupancy(1, 2, 1)
    known.apply(event_at("streamDestroyed", 3, **stream("s1", "c1")))
    known.apply(event_at("connectionDestroyed", 3, **connection("c1")))
    assert known.occupancy() == known.occupancy() == Occupancy(1, 1, 0)
    known.apply(event_at("sessionDestroyed", 4))
    assert known.occupancy() == Occupancy(0, 0, 0)
    assert occupancy_of(Session("x")) == Occupancy(1, 0, 0)  # no end event received


def test_whoever_was_forgotten_is_not_there_any_more() -> None:
    known = SessionTracker(forgets=True)
    known.apply(event_at("connectionCreated", 0, **connection("c1")))
    assert known.occupancy() == Occupancy(1, 1, 0)
    known.apply(event_at("sessionCreated", 8 * 86400, sessionId="2_B"))
    assert known.occupancy() == Occupancy(1, 0, 0)
    assert known.store.totals.sessions == 1


def test_a_name_of_a_delivery_that_is_not_signed_as_it_should_is_not_taken() -> None:
    known = AnnotatingTracker()
    forged = event_at("connectionCreated", 0, **connection("c1", '{"name":"Bob"}'))
    forged = Entry(forged.delivery, verdict=Verdict("unsigned"))
    who = known.note(forged).who
    assert who
    assert is_two_words(who)
    true = event_at("connectionCreated", 1, **connection("c1", '{"name":"Zoé"}'))
    assert known.note(Entry(true.delivery, verdict=Verdict("valid"))).who == "Zoé"
