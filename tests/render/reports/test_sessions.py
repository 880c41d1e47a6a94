"""A session's tree, line by line; test_timeline.py has whole trees."""

from __future__ import annotations

import pytest

from vmon.render.reports.sessions import rows
from vmon.render.style import LineStyle, Paint
from vmon.sessions.model import (
    BEGUN,
    ENDED,
    Call,
    ConnectionState,
    OutputState,
    Session,
    StreamState,
)
from vmon.sessions.snapshot import snapshot

NOON, MIN = 1_764_072_000_000, 60_000

pytestmark = pytest.mark.usefixtures("utc")


def tree(session: Session, width: int | None = None, *, fold: bool = False) -> list[str]:
    return list(rows(snapshot(session), LineStyle(Paint(), width), NOON + 9 * MIN, fold=fold))


@pytest.fixture
def session() -> Session:
    people = (
        ConnectionState(
            "c1-aaaaaaaa", BEGUN | ENDED, NOON, NOON + MIN, "forceDisconnected", "Bob\x1b[2J"
        ),
        ConnectionState("c2-aaaaaaaa", BEGUN, NOON + MIN, name="Ann"),
    )
    streams = (
        StreamState("s1", BEGUN, NOON + 2 * MIN, connection="c2-aaaaaaaa", video_type="screen"),
        StreamState(
            "s2", ENDED, None, NOON + 5 * MIN, "mediaStopped", "c2-aaaaaaaa", "desk", "camera"
        ),
        StreamState("s3", BEGUN, NOON + MIN, connection="c9"),
    )
    output = OutputState("a1", "archive", BEGUN, NOON, NOON + MIN, "failure", "x", 60.0, 1_804_219)
    output.statuses = {"started": NOON, "failed": NOON + MIN}
    return Session(
        "2_A",
        created_ms={NOON - 9 * MIN, NOON},
        destroyed={NOON - 2 * MIN: "serverRotation"},
        first_ms=NOON - 9 * MIN,
        last_ms=NOON + 5 * MIN,
        events=1204,
        duplicates=2,
        people={one.id: one for one in people},
        streams={one.id: one for one in streams},
        calls={"k": Call("k", BEGUN, NOON, connection="c1-aaaaaaaa", states={"RINGING": NOON})},
        outputs={("archive", "a1"): output},
    )


HEAD = (
    "● 2_A  2025-11-25 12:00  open for 9 min  opened 2 times  1 of 2 connections, "
    "2 of 3 streams, 1 call, 1 archive, 1,204 events, 2 duplicates"
)


def test_open_connections_come_first_and_missing_events_are_noted(session: Session) -> None:
    assert tree(session) == [
        HEAD,
        "├─ ● Ann  8 min  c2-aaaaa",
        "│  ├─ ● screen  7 min  s1",
        '│  └─ ○ camera "desk"  14 min, no start event received  mediaStopped  s2',
        "├─ ○ Bob␛[2J  1 min  forceDisconnected  c1-aaaaa",
        "│  └─ ○ call RINGING  at most 1 min, no end event received  k",
        "├─ ● audio only  8 min  s3",
        '└─ ○ archive "x"  failed  1 min  1.8 MB  failure  a1',
    ]


def test_no_line_is_wider_than_the_terminal(session: Session) -> None:
    lines = tree(session, 40)
    assert lines[0] == "● 2_A  2025-11-25 12:00  open for 9 min…"
    assert max(map(len, lines)) == 40


def test_of_many_who_left_the_last_are_shown_and_the_others_counted() -> None:
    people = {
        str(n): ConnectionState(str(n), BEGUN | ENDED, NOON + n, NOON + MIN) for n in range(25)
    }
    people["here"] = ConnectionState("here", BEGUN, NOON, name="Ann")
    crowd = Session("2_A", first_ms=NOON, last_ms=NOON + MIN, people=people)
    assert len(tree(crowd)) == 27
    folded = tree(crowd, fold=True)
    assert len(folded) == 1 + 1 + 20 + 1
    assert folded[1].startswith("├─ ● Ann")
    assert folded[-1] == "└─ … 5 more who left"


def test_a_clock_that_differs_makes_no_negative_time() -> None:
    ahead = Session("2_A", first_ms=NOON + 20 * MIN, last_ms=NOON + 30 * MIN)
    ahead.people["a"] = ConnectionState("a", BEGUN, NOON + 20 * MIN, name="Ann")
    assert tree(ahead)[1] == "└─ ● Ann  10 min  a"


def test_two_archives_are_told_apart_by_their_tags(session: Session) -> None:
    session.outputs["archive", "a1"].tag = "left\x1b"
    assert tree(session)[-1] == '└─ ○ archive "x" tag left␛  failed  1 min  1.8 MB  failure  a1'
