"""What a run knows of deliveries beside what they say."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.render.live.status_line import StatusLine, told
from vmon.render.live.summary import summed_up
from vmon.sessions.model import Session
from vmon.sessions.tracker import Annotation, Occupancy, SessionTracker, annotate, occupancy_of


class Noting(SessionTracker):
    """Enters a delivery and tells what there is to say beside it."""

    def note(self, entry: Entry) -> Annotation:
        return annotate(entry, self.enter(entry))


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
        return Entry(Delivery("1", received_at, "POST", "/", (), "there:1", body))

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
    assert known.copies == 1
    assert known.lags.number == 1


def test_what_is_older_than_what_came_before_it_is_late(say: Say) -> None:
    known = Noting()
    known.enter(say("sessionCreated", 3.2))
    assert known.note(say("connectionCreated", 0, 4, **connection("c1"))).badge == "↩ 3.2 s late"
    rounded = {"status": "started", "id": "a", "createdAt": START_MS + 3000}
    assert known.note(say("archive", 3, **rounded)).badge == ""
    rounded["createdAt"] = START_MS
    assert known.note(say("archive", 3, **rounded)).badge == "↩ 3.2 s late"


def test_who_is_there_is_counted_as_events_come(say: Say) -> None:
    known = Noting()
    assert known.present() == Occupancy(0, 0, 0)
    known.enter(say("sessionCreated", 0))
    known.enter(say("connectionCreated", 1, **connection("c1")))
    known.enter(say("connectionCreated", 1, **connection("c2")))
    known.enter(say("streamCreated", 2, **stream("s1", "c1")))
    assert known.present() == Occupancy(1, 2, 1)
    known.enter(say("streamDestroyed", 3, **stream("s1", "c1")))
    known.enter(say("connectionDestroyed", 3, **connection("c1")))
    assert known.present() == known.present() == Occupancy(1, 1, 0)
    known.enter(say("sessionDestroyed", 4))
    assert known.present() == Occupancy(0, 0, 0)
    assert occupancy_of(Session("x")) == Occupancy(1, 0, 0)  # nobody told its end


def test_whoever_was_forgotten_is_not_there_any_more(say: Say) -> None:
    known = SessionTracker(forgets=True)
    known.enter(say("connectionCreated", 0, **connection("c1")))
    assert known.present() == Occupancy(1, 1, 0)
    known.enter(say("sessionCreated", 8 * 86400, sessionId="2_B"))
    assert known.present() == Occupancy(1, 0, 0)
    assert known.book.totals.sessions == 1


def test_what_does_not_add_up_is_told_once_and_only_when_it_has_settled(say: Say) -> None:
    known = Noting()
    known.enter(say("sessionCreated", 0))
    known.enter(say("connectionCreated", 1, **connection("c1", '{"name":"Ann"}')))
    known.enter(say("streamCreated", 2, **stream("s1", "c1")))
    known.enter(say("connectionDestroyed", 3, **connection("c1")))
    found = [
        (second, odd.code)
        for second in range(60)
        for odd in known.news(START_MS + second * 1000, 10)
    ]
    assert [code for _, code in found] == ["stream-outlives-connection"]
    assert found[0][0] >= 11  # ten seconds after it was seen to be odd
    assert known.oddities == 1


def test_the_foot_says_who_is_there_and_leaves_out_what_there_is_none_of(say: Say) -> None:
    known = Noting()
    assert told(known, 0) == "0 sessions open · 0 connections · 0 streams"
    known.enter(say("connectionCreated", 1, 0.18, **connection("c1")))
    assert told(known, 0) == "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    known.enter(say("connectionCreated", 1, 5, **connection("c1")))
    known.oddities = 2
    lag = "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    assert told(known, 3) == f"{lag} · 1 duplicate · 3 hidden · 2 oddities"


def test_the_foot_leaves_room_for_an_echo_and_is_drawn_only_when_it_changes(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    foot, known = StatusLine(), Noting()
    known.enter(say("connectionCreated", 1, 0.18, **connection("c1")))
    assert foot(known, 0) == "1 session open · 1 connection · 0 streams".encode()
    assert foot(known, 0) is None
    known.enter(say("connectionCreated", 1, **connection("c2")))
    assert (foot(known, 0) or b"").startswith("1 session open · 2 connections".encode())


def test_a_narrow_foot_leaves_out_whole_parts_and_oddities_last(say: Say) -> None:
    known = SessionTracker()
    known.enter(say("connectionCreated", 1, 0.18, **connection("c1")))
    known.enter(say("connectionCreated", 1, 5, **connection("c1")))
    known.oddities = 2
    assert [told(known, 3, width) for width in (83, 64, 49, 44, 30, 20)] == [
        "1 session open · 1 connection · 0 streams · p95 lag 180ms · 3 hidden · 2 oddities",
        "1 session open · 1 connection · 0 streams · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 2 oddities",
        "1 session open",
    ]
    assert told(known, 3, 9) == "1 sessio…"


def test_the_end_of_a_run_names_the_busiest_sessions(say: Say) -> None:
    known = Noting()
    assert [row for row in summed_up(known) if row[1]] == []
    for number in range(7):
        for at_s in range(number + 1):
            who = connection(f"c{number}")
            known.enter(say("connectionCreated", at_s, sessionId=f"2_{number}", **who))
    known.enter(say("sessionDestroyed", 9, sessionId="2_6", reason="serverRotation\x1b"))
    rows = list(summed_up(known))
    assert rows[0] == ("sessions", "7 (6 open), 7 connections, 0 streams")
    assert "ended: serverRotation" in rows[1][1]
    assert "\x1b" not in rows[1][1]
    assert rows[2][1] == "1 connection, 0 streams, 6 events, 9.1 s, open, 1 connected"
    assert rows[6] == ("", "… 2 more sessions (see vmon sessions)")
