from __future__ import annotations

import pytest

from tests.support.odd_bodies import ANN, archive, call, came, closed, left, ms, opened, survey

GONE = "forceDisconnected"


@pytest.mark.parametrize("reason", [GONE, "Internal server failure"])
def test_failures_of_different_kinds_within_seconds_are_one_event(reason: str) -> None:
    bodies = [
        *ANN,
        came("sip", 2),
        call("callCreated", 3),
        left("ann", 40, 1, GONE),
        left("sip", 40, 2, GONE),
        call("callDestroyed", 40.5, reason=reason),
        archive("failed", 42, reason=reason),
        closed(43, reason=reason),
    ]
    (odd,) = survey(bodies)
    assert (odd.code, odd.severity, odd.at_ms) == ("service-disruption", "error", ms(40.5))
    assert odd.text == (
        "the platform failed: it ended 1 archive, 1 call, 1 session within 2.5 s (" + reason + ")"
    )
    assert odd.ids == ("call-1", archive("failed", 42)["id"])
    assert survey(bodies[::-1]) == [odd]


def test_what_fails_in_several_sessions_at_once_is_one_event() -> None:
    other = "2_other"
    bodies = [
        *ANN,
        left("ann", 40, 1, GONE),
        opened(3, session=other),
        archive("failed", 41, reason=GONE),
        closed(41.5, reason=GONE),
        closed(43, session=other, reason=GONE),
    ]
    (odd,) = survey(bodies)
    assert (odd.code, odd.session) == ("service-disruption", None)
    assert "1 archive, 2 sessions in 2 sessions within 2.0 s" in odd.text


def test_failures_of_one_kind_or_minutes_apart_or_of_ones_own_are_told_one_by_one() -> None:
    twice = [archive("failed", at, reason=GONE, id=str(at)) for at in (20, 21)]
    assert [odd.code for odd in survey([*ANN, *twice])] == ["failed", "failed"]
    apart = [archive("failed", 20, reason=GONE), left("ann", 119, 1), closed(120, reason=GONE)]
    assert [odd.code for odd in survey([*ANN, *apart])] == ["failed", "failed"]
    own = [archive("failed", 20, reason="disk full"), left("ann", 20, 1), closed(21, reason=GONE)]
    assert [odd.code for odd in survey([*ANN, *own])] == ["failed", "failed"]


def test_a_moderator_who_disconnects_people_is_no_event_of_the_platform() -> None:
    kicked = [came("bob", 2), left("bob", 30, 2, GONE), left("ann", 30, 1, GONE), closed(90)]
    assert survey([*ANN, *kicked]) == []


def test_an_archive_that_the_platform_stopped_has_failed() -> None:
    (odd,) = survey([*ANN, archive("stopped", 20, reason=GONE)])
    assert (odd.code, odd.at_ms) == ("failed", ms(20))
    assert odd.text.endswith("was ended by the platform: forceDisconnected")
