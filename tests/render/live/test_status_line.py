"""The line at the foot of the terminal."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.events.entry import Entry
from vmon.render.live.status_line import StatusLine, status_text
from vmon.sessions.tracker import Annotation, SessionTracker, annotate


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


def test_the_foot_says_who_is_there_and_leaves_out_what_there_is_none_of(say: Say) -> None:
    known = Noting()
    assert status_text(known, 0, 0) == "0 sessions open · 0 connections · 0 streams"
    known.apply(say("connectionCreated", 1, 0.18, **connection("c1")))
    assert status_text(known, 0, 0) == "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    known.apply(say("connectionCreated", 1, 5, **connection("c1")))
    lag = "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    assert status_text(known, 2, 3) == f"{lag} · 1 duplicate · 3 hidden · 2 oddities"


def test_the_foot_leaves_room_for_an_echo_and_is_drawn_only_when_it_changes(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    known = Noting()
    foot = StatusLine(known, lambda: 0)
    known.apply(say("connectionCreated", 1, 0.18, **connection("c1")))
    assert foot(0) == "1 session open · 1 connection · 0 streams".encode()
    assert foot(0) is None
    known.apply(say("connectionCreated", 1, **connection("c2")))
    assert (foot(0) or b"").startswith("1 session open · 2 connections".encode())


def test_a_narrow_foot_leaves_out_whole_parts_and_oddities_last(say: Say) -> None:
    known = SessionTracker()
    known.apply(say("connectionCreated", 1, 0.18, **connection("c1")))
    known.apply(say("connectionCreated", 1, 5, **connection("c1")))
    assert [status_text(known, 2, 3, width) for width in (83, 64, 49, 44, 30, 20)] == [
        "1 session open · 1 connection · 0 streams · p95 lag 180ms · 3 hidden · 2 oddities",
        "1 session open · 1 connection · 0 streams · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 2 oddities",
        "1 session open",
    ]
    assert status_text(known, 2, 3, 9) == "1 sessio…"
