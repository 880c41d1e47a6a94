from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.odd_bodies import (
    ANN,
    GONE,
    HOUR,
    LATER,
    begun,
    call,
    came,
    closed,
    ended,
    event_body,
    left,
    ms,
    opened,
    survey,
)
from vmon.events.names import display_name

if TYPE_CHECKING:
    Body = dict[str, Any]


def test_what_began_before_the_capture_is_an_info() -> None:
    another = [
        body | {"sessionId": "2_other"}
        for body in (opened(1), came("eve", 2), begun("e", "eve", 3, 2), call("callCreated", 4))
    ]
    old = call("callDestroyed", 91) | {"call": {"id": "c", "createdAt": ms(-60)}}
    gone = [left("ann", 30, -600), ended("s", "bob", 31, -500, -600), closed(90), old]
    found = survey([event_body("muteForced", 0), *another, *gone])
    assert {odd.severity for odd in found} == {"info"}
    assert {odd.code for odd in found} == {
        "destroyed-without-created",
        "unknown-connection",
        "call-without-connection",
    }
    assert found[0].text == (
        f"connection ann ({display_name('ann', None)}) was destroyed, but no connectionCreated was "
        "received; it started before the capture"
    )


def test_what_is_not_known_to_be_younger_than_the_capture_is_an_info() -> None:
    body = event_body(
        "connectionDestroyed", 30, connection={"id": "ann"}, reason="clientDisconnected"
    )
    (odd,) = survey([opened(), body])
    assert (odd.code, odd.severity) == ("destroyed-without-created", "info")
    assert odd.text.endswith("; it may have started before the capture")


def test_what_the_end_of_the_capture_may_have_cut_off_is_an_info() -> None:
    story = [*ANN, begun("s", "ann", 7, 1), left("ann", 60, 1)]
    (odd,) = survey(story)
    assert (odd.code, odd.severity) == ("stream-outlives-connection", "info")
    assert odd.text.endswith("; the capture ends there, so it may still arrive")


def test_a_person_of_a_later_round_is_not_in_the_one_that_ended() -> None:
    again = [opened(200), came("ann", 201), left("ann", 260, 201), closed(300)]
    story = [*ANN[:1], came("bob", 1), left("bob", 60, 1), closed(100), *again]
    assert survey(story) == []


def test_a_round_that_was_never_opened_is_told_by_itself() -> None:
    found = survey([*ANN, *GONE, came("bob", 201), left("bob", 260, 201), closed(300), LATER])
    assert [(odd.code, odd.at_ms) for odd in found] == [("destroyed-without-created", ms(300))]


def test_a_session_that_everybody_left_and_nothing_destroyed_is_a_ghost() -> None:
    (odd,) = survey([*ANN, left("ann", 60, 1), LATER])
    assert (
        odd.text
        == "everyone left the session 19 h 59 min ago, but no sessionDestroyed was received"
    )
    assert odd.at_ms == ms(60 + 12 * HOUR)


def test_a_ghost_is_one_with_its_streams_and_gone_when_the_session_is() -> None:
    found = survey([*ANN, begun("s", "ann", 7, 1), LATER])
    assert [(odd.code, odd.ids) for odd in found] == [("ghost", ("ann", "s"))]
    found = survey([*ANN, begun("s", "ann", 7, 1), closed(60), LATER])
    assert [odd.code for odd in found] == ["session-ended-with-people"]


def test_how_long_makes_a_ghost_is_for_you_to_say() -> None:
    story = [*ANN, opened(2 * HOUR, session="2_other")]
    assert survey(story) == []
    assert [odd.code for odd in survey(story, HOUR)] == ["ghost"]
