from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.factories import BODIES, make_entry, sessions_of
from vmon.events.timestamps import FUTURE_MS
from vmon.sessions.model import (
    ConnectionState,
    OutputState,
    Session,
    StreamState,
    Totals,
    active_counts,
    is_open,
    lasted_ms,
    latest_end_ms,
)
from vmon.sessions.snapshot import snapshot


@pytest.mark.parametrize(
    ("born", "ended", "lived"),
    [(5, 9, 4), (9, 5, 0), (5, None, 0), (None, 9, 0), (0, 9, 0), (5, 0, 0), (5, 5, 0)],
)
def test_a_duration_needs_a_begin_and_an_end(
    born: int | None, ended: int | None, lived: int
) -> None:
    assert lasted_ms(ConnectionState("c", created_ms=born, ended_ms=ended)) == lived


def session(*lives: tuple[int, int | None], created: set[int], destroyed: set[int]) -> Session:
    people = {
        str(at): ConnectionState(str(at), 0, born, end) for at, (born, end) in enumerate(lives)
    }
    return Session("S", created_ms=created, destroyed=dict.fromkeys(destroyed), people=people)


def test_a_session_is_open_while_a_connection_is_open() -> None:
    assert is_open(session((1, None), created={1}, destroyed=set()))
    assert is_open(session((1, 5), (2, None), created=set(), destroyed=set()))
    assert not is_open(session((1, 5), (2, 7), created={1}, destroyed=set()))


def test_its_end_is_everybodys_even_if_theirs_never_came() -> None:
    assert not is_open(session((1, None), created={1}, destroyed={9}))
    assert is_open(session((1, None), (10, None), created={1, 10}, destroyed={9}))
    assert is_open(session(created={1, 10}, destroyed={9}))
    assert not is_open(session(created={1}, destroyed={9}))


def test_a_session_without_connections_is_open_unless_its_outputs_have_ended() -> None:
    one = session(created=set(), destroyed=set())
    assert is_open(one)
    one.outputs["archive", "a"] = OutputState("a", "archive", statuses={"started": 5})
    assert is_open(one)
    one.outputs["archive", "a"].ended_ms = 9
    assert not is_open(one)
    one.outputs["archive", "b"] = OutputState("b", "archive", statuses={"started": 10})
    assert is_open(one)
    one.destroyed[11] = None
    assert not is_open(one)


@pytest.mark.parametrize(
    ("began", "destroyed", "owner", "ended"),
    [
        (5, [], None, None),
        (5, [3], None, None),
        (5, [3, 8, 9], None, 8),
        (5, [5], None, 5),
        (5, [8], 7, 7),
        (5, [8], 2, 5),
        (5, [], 7, 7),
    ],
)
def test_what_has_no_end_ended_with_its_round_or_its_connection(
    began: int, destroyed: list[int], owner: int | None, ended: int | None
) -> None:
    assert latest_end_ms(began, destroyed, owner) == ended


def test_a_stream_is_gone_with_its_connection() -> None:
    one = session((1, 5), (2, None), created={1}, destroyed=set())
    one.streams = {
        "s": StreamState("s", 0, 3, None, None, "0"),
        "t": StreamState("t", 0, 3, None, None, "1"),
    }
    assert active_counts(one) == (1, 1, 0)


def test_a_stream_is_gone_with_a_connection_that_went_with_its_round() -> None:
    one = session((1, None), created={1}, destroyed={4})
    one.streams = {"s": StreamState("s", 0, 5, None, None, "0")}
    assert active_counts(one) == (0, 0, 0)
    assert not any(each.span.is_open for each in snapshot(one).all_streams())


def test_a_connection_created_in_the_future_has_the_begin_of_its_session() -> None:
    one = session((3 * FUTURE_MS, None), created=set(), destroyed={10})
    one.first_ms, one.last_ms = 5, 10
    assert active_counts(one) == (0, 0, 0)
    assert not any(member.span.is_open for member in snapshot(one).members)


@settings(max_examples=300, deadline=None)
@given(st.lists(BODIES, max_size=12))
def test_active_counts_agree_with_the_snapshot(bodies: list[dict[str, Any]]) -> None:
    for one in sessions_of(map(make_entry, bodies)).values():
        laid = snapshot(one)
        seen = (laid.members, list(laid.all_streams()), list(laid.all_calls()))
        assert active_counts(one) == tuple(sum(each.span.is_open for each in kind) for kind in seen)
        assert is_open(one) == laid.is_open


def test_totals_add_up() -> None:
    one = session((1, 5), (2, 12), created={1}, destroyed={15})
    one.streams["s"] = StreamState("s", created_ms=3, ended_ms=4)
    one.events, one.duplicates = 7, 2
    found = Totals()
    found.add(one)
    found.add(one)
    assert found == Totals(2, 4, 2, 28, 2, 14, 4)
