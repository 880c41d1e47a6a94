from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_entry
from vmon.analysis.stats import Stats
from vmon.render.reports.stats import StatsReport, as_json, busiest

if TYPE_CHECKING:
    from collections.abc import Callable


AT = datetime(2016, 8, 3, 21, 15, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)


@pytest.fixture
def stats() -> Stats:
    """Two sessions: one has two deliveries of an archive that failed, the other a copy of it."""
    figures = Stats()
    for number, session in enumerate(("2_B", "2_A", "2_A", "2_A")):
        body = json.dumps(
            {
                "event": "archive", "sessionId": session, "id": "a", "status": "failed",
                "reason": "\x1b[31m", "updatedAt": MS - 60_000, "timestamp": MS - 1000,
                "n": min(number, 2),
            }
        ).encode()  # fmt: skip # pairs
        figures.entry(make_entry(body, received_at=AT + timedelta(seconds=5 * number)))
    return figures


@pytest.mark.usefixtures("utc")
def test_the_figures_are_these(stats: Stats) -> None:
    text = "\n".join(StatsReport(1).lines(stats))
    assert text == REPORT
    assert "\x1b" not in text


REPORT = """\
4 deliveries in 15.0 s, from 2016-08-03 21:15:00: 2 sessions, 0 connections, 0 streams
█
1 minute per bar; busiest minute: 21:15, with 4

                             delivery lag            event delay
type         count      p50    p95    max      p50    p95    max
archive          4      65s    70s    70s
  ␛[31m 3
  failed 3

duplicates 1, of 1 delivery; 1 at Vonage's retry times; half within 5.0s of the first, \
the last after 5.0s
busiest    2_A 3"""


@pytest.mark.usefixtures("utc")
def test_on_a_narrow_terminal_no_line_is_wider(
    stats: Stats, terminal: Callable[[int], None]
) -> None:
    terminal(44)
    lines = list(StatsReport(5).lines(stats))
    assert max(map(len, lines)) <= 44
    assert "archive 4" in lines


def test_the_busiest_sessions_come_first_up_to_the_limit(stats: Stats) -> None:
    assert busiest(stats, 1) == [("2_A", 3)]
    assert busiest(stats, 9) == [("2_A", 3), ("2_B", 1)]
    assert busiest(stats, 0) == []


def test_json_is_one_document_with_lags_in_ms(stats: Stats) -> None:
    document = json.loads(as_json(stats, 1))
    assert (document["deliveries"], document["duplicates"]["number"]) == (4, 1)
    assert document["types"]["archive"]["statuses"] == {"failed": 3}
    assert document["types"]["archive"]["delivery_lag_ms"]["max"] >= 11_000
    assert document["per_minute"] == {"2016-08-03T21:15:00.000000Z": 4}
    assert document["oddities"] is None
