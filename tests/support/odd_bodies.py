"""Bodies of one session that oddities are found in, at so many seconds after T0."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.support.factories import make_entry
from vmon.analysis.oddities.survey import OddityAnalysis
from vmon.events.catalogue import TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmon.analysis.oddities.codes import Oddity
    from vmon.events.entry import Entry

    Body = dict[str, Any]


S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"  # decodes to project 13112571


T0 = 1_470_257_700_000


HOUR = 3600.0


def ms(at: float) -> int:
    return T0 + round(at * 1000)


def event_body(event: str, at: float, session: str = S, **more: Any) -> Body:
    head = {"sessionId": session, "projectId": "13112571", "event": event, "timestamp": ms(at)}
    return head | more


def opened(at: float = 0.0, **more: Any) -> Body:
    return event_body("sessionCreated", at, **more)


def closed(at: float, **more: Any) -> Body:
    return event_body("sessionDestroyed", at, **more)


def _of(who: str, since: float) -> Body:
    return {"id": who, "createdAt": ms(since), "data": ""}


def came(who: str, at: float, **more: Any) -> Body:
    connection = _of(who, at) | {"data": json.dumps({"name": who.title()})}
    return event_body("connectionCreated", at + 0.2, **{"connection": connection} | more)


def left(who: str, at: float, since: float, reason: str = "clientDisconnected") -> Body:
    return event_body("connectionDestroyed", at, reason=reason, connection=_of(who, since))


def _stream(what: str, who: str, at: float, since: float, kind: str | None) -> Body:
    stream = {"id": what, "connection": _of(who, since), "createdAt": ms(at), "name": ""}
    return stream | ({"videoType": kind} if kind else {})


def begun(what: str, who: str, at: float, since: float, kind: str | None = "camera") -> Body:
    return event_body("streamCreated", at + 0.3, stream=_stream(what, who, at, since, kind))


def ended(  # noqa: PLR0913 - a stream has so many parts
    what: str, who: str, at: float, born: float, since: float, *,
    reason: str = "clientDisconnected", kind: str | None = "camera",
) -> Body:  # fmt: skip # one thing a line
    stream = _stream(what, who, born, since, kind)
    return event_body("streamDestroyed", at, reason=reason, stream=stream)


def archive(status: str, at: float, **more: Any) -> Body:
    sample = TYPES["archive"].sample
    return sample | {"status": status, "createdAt": ms(5), "updatedAt": ms(at)} | more


def call(event: str, at: float, **more: Any) -> Body:
    the_call = {"id": "call-1", "connectionId": "sip", "createdAt": ms(2)}
    return event_body(event, at, call=the_call, **more)


def sample(name: str, **more: Any) -> Body:
    return TYPES[name].sample | more


def entry(body: Body | bytes, after_s: float = 0.1) -> Entry:
    """A delivery of a body, received so long after its own time."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = 0 if isinstance(body, bytes) else body.get("timestamp") or body.get("updatedAt") or T0
    at = at if isinstance(at, int) and 10**12 < at < 10**13 else T0
    received_at = datetime.fromtimestamp(at / 1000, UTC) + timedelta(seconds=after_s)
    headers = (("Content-Type", "application/json"),)
    return make_entry(raw, id="1-2", received_at=received_at, headers=headers, remote="127.0.0.1:5")


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
    "service-disruption": (
        [
            *ANN,
            call("callDestroyed", 40, reason="forceDisconnected"),
            archive("failed", 41, reason="forceDisconnected"),
            closed(42, reason="forceDisconnected"),
        ],
        [
            *ANN,
            archive("failed", 20, reason="forceDisconnected"),
            archive("failed", 21, reason="forceDisconnected", id="another"),
            closed(42, reason="forceDisconnected"),
        ],
    ),
    "created-after-event": (
        [*ANN, came("bob", 5, connection={"id": "bob", "createdAt": ms(32 * 365 * 24 * HOUR)})],
        [*ANN, came("bob", 5, connection={"id": "bob", "createdAt": ms(60)})],
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
    "unknown-event": ([event_body("somethingNew", 1)], [*ANN]),
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
