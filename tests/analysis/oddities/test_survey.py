from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import make_entry
from tests.support.odd_bodies import (
    ANN,
    STORIES,
    T0,
    S,
    archive,
    begun,
    ended,
    entry,
    left,
    opened,
    sample,
    survey,
)
from vmon.analysis.oddities.survey import OddityAnalysis
from vmon.search.filter import Filter

if TYPE_CHECKING:
    Body = dict[str, Any]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_neither_order_nor_copies_change_what_is_odd(data: st.DataObject) -> None:
    story = [body for odd, _ in STORIES.values() for body in odd]
    entries = list({one.delivery.body: one for one in map(entry, story)}.values())
    whole = OddityAnalysis()
    for one in entries:
        whole.note(one)
    copies = data.draw(st.lists(st.sampled_from(entries), max_size=10))
    shuffled = OddityAnalysis()
    for one in data.draw(st.permutations([*entries, *copies])):
        shuffled.note(one)
    assert shuffled.oddities() == whole.oddities()
    assert len({odd.code for odd in whole.oddities()}) > 12


def test_a_time_far_in_the_future_makes_no_ghosts() -> None:
    future = opened(session="2_other") | {"timestamp": T0 + 10**10}
    one = OddityAnalysis()
    for body in ANN:
        one.note(entry(body))
    raw = json.dumps(future).encode()
    at = datetime.fromtimestamp(T0 / 1000 + 5, UTC)
    one.note(make_entry(raw, id="1", received_at=at, headers=(), remote="127.0.0.1:5"))
    assert one.oddities() == []


def test_events_with_two_projects_are_reported_for_their_session() -> None:
    (odd,) = survey([*ANN, archive("started", 9, projectId=7, partnerId=7, applicationId="7")])
    assert (odd.code, odd.ids) == ("another-project", ("13112571", "7"))
    assert odd.text == "events of this session name 2 projects: 13112571, 7"


def test_what_the_session_id_says_counts_only_where_no_event_does() -> None:
    rendered = sample("render") | {"sessionId": S}
    assert survey([opened() | {"projectId": "7"}, rendered]) == []


TWICE = [
    *ANN,
    begun("s", "ann", 7, 1),
    begun("t", "ann", 9, 1),
    archive("failed", 9),
    ended("s", "ann", 40, 7, 1),
    left("ann", 60, 1),
]


def analysed(chosen: Filter | None, *bodies: Body | bytes) -> OddityAnalysis:
    one = OddityAnalysis(chosen)
    for body in bodies:
        one.note(entry(body))
    return one


def test_a_filter_selects_the_sessions_reported_and_all_events_are_applied() -> None:
    chosen = Filter(types=frozenset({"connectionDestroyed"}))
    elsewhere = left("eve", 30, 5) | {"sessionId": "2_other", "event": "streamDestroyed"}
    one = analysed(chosen, *TWICE, elsewhere, b"hello")
    assert (one.number, one.sessions) == (1, 1)
    # What single deliveries tell is told of those chosen alone.
    assert {odd.code for odd in one.oddities()} == {
        "two-cameras",
        "stream-outlives-connection",
        "failed",
    }
    assert "undecodable" in {odd.code for odd in analysed(None, *TWICE, b"hello").oddities()}


def test_an_analysis_gives_the_changes_of_its_sessions() -> None:
    one, body = OddityAnalysis(), entry(ANN[0])
    assert [one.note(body).copies, one.note(body).copies] == [1, 2]
    (session,) = one.store.sessions()
    assert session.duplicates == 1


def test_oddities_come_in_the_order_of_time() -> None:
    found = analysed(None, *TWICE[::-1]).oddities()
    assert [odd.at_ms for odd in found] == sorted(odd.at_ms for odd in found)
    assert len(found) == 3


def test_without_timestamps_the_time_of_receipt_counts() -> None:
    render = {"id": "r", "sessionId": S, "status": "started"}
    assert analysed(None, render, render).oddities() == []
    assert OddityAnalysis().oddities() == []
