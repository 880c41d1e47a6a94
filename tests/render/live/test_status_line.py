"""The line at the foot of the terminal."""

import pytest

from tests.support.tracked import AnnotatingTracker, connection, event_at
from vmon.render.live.status_line import StatusLine, status_text
from vmon.sessions.tracker import SessionTracker


def test_the_foot_says_who_is_there_and_leaves_out_what_there_is_none_of() -> None:
    known = AnnotatingTracker()
    assert status_text(known, 0, 0) == "0 sessions open · 0 connections · 0 streams"
    known.apply(event_at("connectionCreated", 1, 0.18, **connection("c1")))
    assert status_text(known, 0, 0) == "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    known.apply(event_at("connectionCreated", 1, 5, **connection("c1")))
    lag = "1 session open · 1 connection · 0 streams · p95 lag 180ms"
    assert status_text(known, 2, 3) == f"{lag} · 1 duplicate · 3 hidden · 2 oddities"


def test_the_foot_leaves_room_for_an_echo_and_is_drawn_only_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "44")
    known = AnnotatingTracker()
    foot = StatusLine(known, lambda: 0)
    known.apply(event_at("connectionCreated", 1, 0.18, **connection("c1")))
    assert foot(0) == "1 session open · 1 connection · 0 streams".encode()
    assert foot(0) is None
    known.apply(event_at("connectionCreated", 1, **connection("c2")))
    assert (foot(0) or b"").startswith("1 session open · 2 connections".encode())


def test_a_narrow_foot_leaves_out_whole_parts_and_oddities_last() -> None:
    known = SessionTracker()
    known.apply(event_at("connectionCreated", 1, 0.18, **connection("c1")))
    known.apply(event_at("connectionCreated", 1, 5, **connection("c1")))
    assert [status_text(known, 2, 3, width) for width in (83, 64, 49, 44, 30, 20)] == [
        "1 session open · 1 connection · 0 streams · p95 lag 180ms · 3 hidden · 2 oddities",
        "1 session open · 1 connection · 0 streams · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 1 connection · 2 oddities",
        "1 session open · 2 oddities",
        "1 session open",
    ]
    assert status_text(known, 2, 3, 9) == "1 sessio…"
