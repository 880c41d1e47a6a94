"""What does not add up: every code by real bodies that make it and bodies that do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmon.analysis.oddities import conflicts
from vmon.analysis.oddities.codes import CODES
from vmon.analysis.oddities.survey import OddityAnalysis
from vmon.events.catalogue import TYPES
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.events.names import called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmon.analysis.oddities.codes import Oddity

    Body = dict[str, Any]

S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"  # decodes to project 13112571
T0 = 1_470_257_700_000
HOUR = 3600.0


# Bodies, at so many seconds after T0.


def ms(at: float) -> int:
    return T0 + round(at * 1000)


def said(event: str, at: float, session: str = S, **more: Any) -> Body:
    head = {"sessionId": session, "projectId": "13112571", "event": event, "timestamp": ms(at)}
    return head | more


def opened(at: float = 0.0, **more: Any) -> Body:
    return said("sessionCreated", at, **more)


def closed(at: float, **more: Any) -> Body:
    return said("sessionDestroyed", at, **more)


def _of(who: str, since: float) -> Body:
    return {"id": who, "createdAt": ms(since), "data": ""}


def came(who: str, at: float, **more: Any) -> Body:
    connection = _of(who, at) | {"data": json.dumps({"name": who.title()})}
    return said("connectionCreated", at + 0.2, connection=connection, **more)


def left(who: str, at: float, since: float, reason: str = "clientDisconnected") -> Body:
    return said("connectionDestroyed", at, reason=reason, connection=_of(who, since))


def _stream(what: str, who: str, at: float, since: float, kind: str | None) -> Body:
    stream = {"id": what, "connection": _of(who, since), "createdAt": ms(at), "name": ""}
    return stream | ({"videoType": kind} if kind else {})


def begun(what: str, who: str, at: float, since: float, kind: str | None = "camera") -> Body:
    return said("streamCreated", at + 0.3, stream=_stream(what, who, at, since, kind))


def ended(  # noqa: PLR0913 - a stream has so many parts
    what: str, who: str, at: float, born: float, since: float, *,
    reason: str = "clientDisconnected", kind: str | None = "camera",
) -> Body:  # fmt: skip # one thing a line
    stream = _stream(what, who, born, since, kind)
    return said("streamDestroyed", at, reason=reason, stream=stream)


def archive(status: str, at: float, **more: Any) -> Body:
    sample = TYPES["archive"].sample
    return sample | {"status": status, "createdAt": ms(5), "updatedAt": ms(at)} | more


def call(event: str, at: float, **more: Any) -> Body:
    the_call = {"id": "call-1", "connectionId": "sip", "createdAt": ms(2)}
    return said(event, at, call=the_call, **more)


def sample(name: str, **more: Any) -> Body:
    return TYPES[name].sample | more


def entry(body: Body | bytes, after_s: float = 0.1) -> Entry:
    """A delivery of a body, received so long after its own time."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = 0 if isinstance(body, bytes) else body.get("timestamp") or body.get("updatedAt") or T0
    at = at if isinstance(at, int) and 10**12 < at < 10**13 else T0
    received_at = datetime.fromtimestamp(at / 1000, UTC) + timedelta(seconds=after_s)
    headers = (("Content-Type", "application/json"),)
    return Entry(Delivery("1-2", received_at, "POST", "/", headers, "127.0.0.1:5", raw))


def survey(bodies: Sequence[Body | bytes], ghost_after_s: float = 12 * HOUR) -> list[Oddity]:
    one = OddityAnalysis()
    for body in bodies:
        one.note(entry(body))
    return one.oddities(ghost_after_s)


def codes(bodies: Sequence[Body | bytes]) -> dict[str, str]:
    return {odd.code: odd.severity for odd in survey(bodies)}


ANN = [opened(), came("ann", 1)]
GONE = [left("ann", 60, 1), closed(120)]
LATER = opened(20 * HOUR, session="2_other")

STORIES: dict[str, tuple[list[Body | bytes], list[Body | bytes]]] = {
    "destroyed-without-created": (
        [*ANN, left("bob", 30, 5), *GONE],
        [*ANN, came("bob", 5), left("bob", 30, 5), *GONE],
    ),
    "unknown-connection": (
        [*ANN, begun("u", "bob", 7, 5), *GONE],
        [*ANN, begun("s", "ann", 7, 1), ended("s", "ann", 59, 7, 1), *GONE],
    ),
    "stream-outlives-connection": (
        [*ANN, begun("s", "ann", 7, 1), *GONE],
        [*ANN, begun("s", "ann", 7, 1), *GONE, ended("s", "ann", 61, 7, 1)],
    ),
    "session-ended-with-people": (
        [*ANN, came("bob", 5), *GONE, opened(HOUR)],
        [*ANN, came("bob", 5), left("bob", 125, 5), *GONE, opened(HOUR)],
    ),
    "ghost": ([*ANN, LATER], [*ANN, opened(11 * HOUR, session="2_other")]),
    "two-cameras": (
        [*ANN, begun("s", "ann", 7, 1), begun("t", "ann", 9, 1), opened(HOUR, session="2_other")],
        [
            *ANN,
            begun("s", "ann", 7, 1),
            begun("screen", "ann", 8, 1, "screen"),
            ended("s", "ann", 21, 7, 1),
            begun("t", "ann", 20, 1),
        ],
    ),
    "publish-after-unpublish": (
        [
            *ANN,
            begun("s", "ann", 7, 1),
            ended("s", "ann", 20, 7, 1, reason="forceUnpublished"),
            begun("t", "ann", 22, 1),
        ],
        [
            *ANN,
            begun("s", "ann", 7, 1),
            ended("s", "ann", 20, 7, 1, reason="forceUnpublished"),
            begun("t", "ann", 50, 1),
        ],
    ),
    "archive-stuck": (
        [*ANN, archive("stopped", 60), opened(3 * HOUR, session="2_other")],
        [*ANN, archive("uploaded", 59), archive("stopped", 60), opened(3 * HOUR, session="2_o")],
    ),
    "failed": (
        [*ANN, archive("failed", 60, reason="failure", id="archive-2")],
        [*ANN, archive("available", 60)],
    ),
    "call-without-connection": (
        [*ANN, call("callCreated", 3), call("callDestroyed", 40, reason_code="486")],
        [
            *ANN,
            came("sip", 2),
            call("callCreated", 3),
            call("callDestroyed", 40, reason_code="700"),
            left("sip", 40, 2),
        ],
    ),
    "unknown-event": ([said("somethingNew", 1)], [*ANN]),
    "unknown-reason": ([*ANN, left("ann", 61, 1, reason="tired")], [*ANN, left("ann", 60, 1)]),
    "unknown-status": ([archive("thawed", 60, id="archive-3")], [archive("paused", 60)]),
    "unknown-field": ([opened(region="eu")], [sample(name) for name in TYPES]),
    "wrong-type": ([opened(timestamp="soon")], [opened()]),
    "undecodable": ([b"hello"], [b"{}"]),
    "malformed-body": ([b'{"event":"sessionCreated","event":"sessionCreated"}'], [opened()]),
    "seconds-for-ms": (
        [sample("captions", createdAt=1_470_257_700)],
        [sample("captions", createdAt=1_470_257_700_000)],
    ),
    "impossible-time": ([opened() | {"timestamp": T0 * 1_000_000}], [opened()]),
    "another-project": (
        [
            *(opened(n, session=f"2_{n}") for n in range(4)),
            opened(5, session="2_x") | {"projectId": "7"},
        ],
        [*(opened(n, session=f"2_{n}") | {"projectId": str(n % 2)} for n in range(5))],
    ),
    "type-never-came": (
        [opened(), *(left(f"p{n}", 60 + n, 5) for n in range(3)), opened(HOUR)],
        [opened(), came("ann", 1), *(left(f"p{n}", 60 + n, 5) for n in range(3))],
    ),
}
"""Of each code: bodies that make it, and bodies that are near and do not."""


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_told_where_it_holds_and_nowhere_else(code: str) -> None:
    odd, even = STORIES[code]
    assert codes(odd).get(code) == CODES[code].severity
    assert code not in codes(even)


def test_the_samples_of_the_documentation_as_one_story_are_not_odd() -> None:
    names = ("connectionCreated", "streamCreated", "streamDestroyed", "connectionDestroyed")
    assert survey([sample(name) for name in names]) == []


def test_the_whole_story_is_odd_in_its_call_alone() -> None:
    found = survey([sample(name) for name in TYPES])
    assert [(odd.code, odd.severity) for odd in found] == [("call-without-connection", "info")]


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


# What cannot be known is an info.


def test_what_began_before_the_capture_is_an_info() -> None:
    another = [
        body | {"sessionId": "2_other"}
        for body in (opened(1), came("eve", 2), begun("e", "eve", 3, 2), call("callCreated", 4))
    ]
    old = call("callDestroyed", 91) | {"call": {"id": "c", "createdAt": ms(-60)}}
    gone = [left("ann", 30, -600), ended("s", "bob", 31, -500, -600), closed(90), old]
    found = survey([said("muteForced", 0), *another, *gone])
    assert {odd.severity for odd in found} == {"info"}
    assert {odd.code for odd in found} == {
        "destroyed-without-created",
        "unknown-connection",
        "call-without-connection",
    }
    assert found[0].said == (
        f"connection ann ({called('ann', None)}) was destroyed, but no connectionCreated was "
        "received; it started before the capture"
    )


def test_what_is_not_known_to_be_younger_than_the_capture_is_an_info() -> None:
    body = said("connectionDestroyed", 30, connection={"id": "ann"}, reason="clientDisconnected")
    (odd,) = survey([opened(), body])
    assert (odd.code, odd.severity) == ("destroyed-without-created", "info")
    assert odd.said.endswith("; it may have started before the capture")


def test_what_the_end_of_the_capture_may_have_cut_off_is_an_info() -> None:
    story = [*ANN, begun("s", "ann", 7, 1), left("ann", 60, 1)]
    (odd,) = survey(story)
    assert (odd.code, odd.severity) == ("stream-outlives-connection", "info")
    assert odd.said.endswith("; the capture ends there, it may still arrive")


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
        odd.said
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


def test_a_time_far_in_the_future_makes_no_ghosts() -> None:
    future = opened(session="2_other") | {"timestamp": T0 + 10**10}
    one = OddityAnalysis()
    for body in ANN:
        one.note(entry(body))
    raw = json.dumps(future).encode()
    at = datetime.fromtimestamp(T0 / 1000 + 5, UTC)
    one.note(Entry(Delivery("1", at, "POST", "/", (), "127.0.0.1:5", raw)))
    assert one.oddities() == []


def test_three_cameras_are_one_oddity_and_a_camera_whose_end_is_lost_is_none() -> None:
    three = [begun(name, "ann", 7 + at, 1) for at, name in enumerate("abc")]
    (odd,) = survey([*ANN, *three, opened(60, session="2_o")])
    assert (odd.code, odd.ids, odd.at_ms) == ("two-cameras", ("ann", "a", "b", "c"), ms(8))
    assert "published 3 cameras at once: stream a, stream b, stream c" in odd.said
    lost = [begun("a", "ann", 7, 1), begun("b", "ann", 30, 1), ended("b", "ann", 59, 30, 1), *GONE]
    found = survey([*ANN, *lost])
    assert [odd.code for odd in found] == ["stream-outlives-connection"]
    both = [begun("b", "ann", 7, 1), begun("a", "ann", 9, 1), ended("b", "ann", 30, 7, 1), *GONE]
    found = survey([*ANN, *both])
    assert [odd.code for odd in found] == ["two-cameras", "stream-outlives-connection"]


def test_a_short_overlap_hides_no_long_one() -> None:
    spans = [(0, 100_000, "a"), (50_000, 51_000, "b"), (60_000, 90_000, "c")]
    (group,) = conflicts._overlapping(spans)
    assert [identifier for _, _, identifier in group] == ["a", "c"]
    assert list(conflicts._overlapping([(0, 10_000, "a"), (9_000, 20_000, "b")])) == []


@pytest.mark.parametrize("reason", ["Internal server failure", "forceDisconnected"])
def test_a_failure_of_the_platform_is_one_of_the_session_and_of_the_call(reason: str) -> None:
    found = survey([*ANN, left("ann", 59, 1), closed(60, reason=reason)])
    assert [(odd.code, odd.severity) for odd in found] == [("failed", "error")]
    the_call = [came("sip", 2), call("callCreated", 3), call("callDestroyed", 40, reason=reason)]
    assert [odd.code for odd in survey([*ANN, *the_call])] == ["failed"]


@pytest.mark.parametrize("name", ["broadcast", "render", "captions"])
def test_whatever_fails_is_told(name: str) -> None:
    (odd,) = survey([sample(name, status="failed", reason="no\x1b[2Jway")])
    assert (odd.code, odd.severity) == ("failed", "error")
    assert odd.said.endswith("failed: no␛[2Jway")


def test_what_strangers_named_is_disarmed_and_short() -> None:
    named = came("bob", 5)
    named["connection"]["data"] = json.dumps({"name": "\x1b[31m\u202e" + "x" * 100})
    found = survey([*ANN, named, *GONE, opened(HOUR)])
    assert "␛[31m‹U+202E›xxx" in found[0].said
    assert max(len(odd.said) for odd in found) < 200


def test_events_that_name_two_projects_are_told_by_their_session() -> None:
    (odd,) = survey([*ANN, archive("started", 9, projectId=7, partnerId=7, applicationId="7")])
    assert (odd.code, odd.ids) == ("another-project", ("13112571", "7"))
    assert odd.said == "events of this session name 2 projects: 13112571, 7"


def test_what_the_session_id_says_counts_only_where_no_event_does() -> None:
    rendered = sample("render") | {"sessionId": S}
    assert survey([opened() | {"projectId": "7"}, rendered]) == []
