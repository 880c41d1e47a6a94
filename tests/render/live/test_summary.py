"""What a run says at its end."""

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.render.live.conftest import MakeFacts
from tests.support.factories import make_entry
from vmon.capture.codec import Outage
from vmon.events.entry import Entry
from vmon.receive.pipeline import Totals
from vmon.render.columns import wide
from vmon.render.live.summary import Shown, Summary, by_type, outages_in_words, session_rows
from vmon.render.style import Paint
from vmon.sessions.tracker import SessionTracker

START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
CAPTURE = Path("/tmp/captures/a.jsonl")
ROWS = [
    ("sessions", "2 (0 open), 2 connections, 2 streams"),
    ("a7f2008d", "1 connection, 1 stream, 21 events, 1.6 s, ended"),
]
AS_SHOWN = {
    40: """\
36 deliveries in 1.5 s
  archive                     36  ▇▇▇▇
  sessions  2 (0 open), 2 connections, 2
            streams
  a7f2008d  1 connection, 1 stream, 21
            events, 1.6 s, ended
  capture   /tmp/captures/a.jsonl
  replay
    vmon replay /tmp/captures/a.jsonl""",
    80: """\
36 deliveries in 1.5 s
  archive                     36  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
  sessions  2 (0 open), 2 connections, 2 streams
  a7f2008d  1 connection, 1 stream, 21 events, 1.6 s, ended
  capture   /tmp/captures/a.jsonl
  replay    vmon replay /tmp/captures/a.jsonl""",
}
EVERYTHING = """\
1,236 deliveries in 1.5 s
  archive                  1,200  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
  undecodable                 36  ▇
  hidden by filter    3
  not shown           1,004
  rejected (503)      2: Vonage retries each after 5.0 s, doubling up to 15 min, for 24 h
  signatures          7 valid, 1 unsigned
  blocked (404)       4
  other requests      5
  bugs in vmon        6
  tunnel              down 1 time, 20 min 9 s in total; Vonage retries missed deliveries until \
Wed 09:30
  sessions            2
  capture             /tmp/captures/a.jsonl
  not in the capture  3 deliveries, saved to /tmp/vmon-rescued-x.jsonl
  replay              vmon replay /tmp/captures/a.jsonl"""


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 101.5)


def totals(capture: Path | None = CAPTURE, **types: int) -> Totals:
    made = Totals(capture, started_s=100.0)
    made.types.update(types)
    return made


@pytest.mark.parametrize("width", AS_SHOWN)
def test_a_summary_breaks_no_word(width: int, facts_of: MakeFacts) -> None:
    text = Summary(facts_of(width)).text(totals(archive=36), Shown(), ROWS)
    assert text == "\r" + AS_SHOWN[width]  # over the ^C that the terminal has put there
    assert all(wide(row) <= width for row in text[1:].splitlines())


def test_a_pipe_gets_a_row_a_fact(facts_of: MakeFacts) -> None:
    text = Summary(facts_of()).text(totals(archive=36), Shown(), ROWS)
    assert text == AS_SHOWN[80]


@pytest.mark.usefixtures("utc")
def test_everything_that_can_be_said_stands_in_its_order(facts_of: MakeFacts) -> None:
    known = totals(undecodable=36, archive=1200)
    known.turned_away, known.notices = 2, 5
    known.verdicts.update(valid=7, unsigned=1)
    known.outages = [Outage("https://a", START - timedelta(minutes=20, seconds=9), START, "")]
    known.rescued = "3 deliveries, saved to /tmp/vmon-rescued-x.jsonl"
    shown, more = Shown(hidden=3, not_shown=1004), [("sessions", "2")]
    text = Summary(facts_of()).text(known, shown, more, blocked=4, bugs=6)
    assert text == EVERYTHING


def test_of_a_run_that_received_nothing_there_is_nothing_to_replay(facts_of: MakeFacts) -> None:
    assert Summary(facts_of()).text(totals(), Shown()) == (
        "0 deliveries in 1.5 s\n  capture  /tmp/captures/a.jsonl"
    )
    assert Summary(facts_of()).text(totals(None), Shown()) == "0 deliveries in 1.5 s"
    assert "replay" not in Summary(facts_of()).text(totals(None, archive=1), Shown())


def test_a_type_that_is_unknown_comes_last_and_cannot_act_on_a_terminal() -> None:
    rows = list(by_type(Counter({"x\x1b[31m": 3, "archive": 1}), Paint(), 3))
    assert rows == [f"  archive {1:>22}  ▇", f"  {'x␛[31m':<20} {3:>9}  ▇▇▇"]


def test_without_room_for_a_bar_there_is_none() -> None:
    assert list(by_type(totals(archive=1).types, Paint(), 0)) == [f"  archive {1:>22}"]


@pytest.mark.usefixtures("utc")
def test_outages_are_added_up_and_the_last_retry_counts() -> None:
    hour = timedelta(hours=1)
    late = Outage("https://a", START + 2 * hour, START + 3 * hour, "")
    early = Outage("https://a", START, START + hour, "")
    assert outages_in_words([late, early]) == (
        "down 2 times, 2 h in total; Vonage retries missed deliveries until Wed 12:30"
    )
    assert outages_in_words([]) == ""


# The sessions.

Say = Callable[..., Entry]


@pytest.fixture
def say() -> Say:
    """Make an entry of an event so many seconds into a session, received `later_s` after."""

    def make(event: str, at_s: float, later_s: float = 0.1, **more: Any) -> Entry:
        body = {"sessionId": "2_A", "event": event, "timestamp": START_MS + int(at_s * 1000)}
        received_at = START + timedelta(seconds=at_s + later_s)
        raw = json.dumps(body | more).encode()
        return make_entry(raw, id="1", received_at=received_at, headers=(), remote="there:1")

    return make


def connection(identifier: str) -> dict[str, object]:
    return {"connection": {"id": identifier, "createdAt": START_MS, "data": ""}}


def rows_of(tracker: SessionTracker, oddities: int = 0) -> list[tuple[str, str]]:
    return [row for row in session_rows(tracker, oddities) if row[1]]


def test_the_end_of_a_run_names_the_busiest_sessions(say: Say) -> None:
    known = SessionTracker()
    assert rows_of(known) == []
    for number in range(7):
        for at_s in range(number + 1):
            who = connection(f"c{number}")
            known.apply(say("connectionCreated", at_s, sessionId=f"2_{number}", **who))
    known.apply(say("sessionDestroyed", 9, sessionId="2_6", reason="serverRotation\x1b"))
    rows = rows_of(known)[1:]
    assert rows[0] == ("sessions", "7 (6 open), 7 connections, 0 streams")
    assert rows[1] == (
        "2_6",
        "1 connection, 0 streams, 8 events, 9.0 s, ended: serverRotation␛",
    )
    assert rows[2] == (
        "2_5",
        "1 connection, 0 streams, 6 events, 9.1 s, open, 1 connected",
    )
    assert rows[6:] == [("", "… 2 more sessions (see vmon sessions)")]


def test_the_slowest_delivery_duplicates_and_oddities_are_told(say: Say) -> None:
    known = SessionTracker()
    for later_s in (0.1, 5, 15):
        known.apply(say("connectionCreated", 1, later_s, **connection("c")))
    rows = rows_of(known, 1204)
    assert rows[0] == ("slowest delivery", "15.0 s")
    assert rows[-2:] == [("duplicates", "2"), ("oddities", "1,204 (see vmon oddities)")]


def test_sessions_that_were_let_go_of_are_counted_and_those_not_named_are_the_rest(
    say: Say,
) -> None:
    known = SessionTracker(forgets=True)
    for number in range(8):
        known.apply(say("connectionCreated", 0, sessionId=f"2_{number}", **connection("c")))
        known.apply(say("sessionDestroyed", 1, sessionId=f"2_{number}"))
    two_days_s = 2 * 86400
    for number in range(2):
        known.apply(say("sessionCreated", two_days_s, sessionId=f"2_new{number}"))
    rows = rows_of(known)[1:]
    assert rows == [
        ("sessions", "10 (2 open), 8 connections, 0 streams"),
        ("2_new0", "0 connections, 0 streams, 1 event, 100 ms, open, 0 connected"),
        ("2_new1", "0 connections, 0 streams, 1 event, 100 ms, open, 0 connected"),
        ("", "… 8 more sessions (see vmon sessions)"),
    ]


def test_equal_numbers_have_no_bars_to_compare() -> None:
    assert not any("▇" in row for row in by_type(Counter({"archive": 1, "render": 1}), Paint(), 9))
    assert any("▇" in row for row in by_type(Counter({"archive": 2, "render": 1}), Paint(), 9))
