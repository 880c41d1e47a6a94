"""Deliveries, entries, bodies and lines of a capture, in as few words as a test needs."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from vmon.capture.codec import write_line
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.events.verdict import Verdict
from vmon.sessions.model import Session
from vmon.sessions.store import SessionStore

DATA = Path(__file__).parents[1] / "data"
RECEIVED = datetime(2016, 8, 3, 21, 16, 0, 318_542, tzinfo=UTC)
"""When a delivery was received, unless a test says when."""
T = 1_700_000_000_000
"""The instant that bodies count from, in ms since the epoch."""
START = datetime.fromtimestamp(T / 1000, UTC)


# Deliveries, entries, lines.


def make_delivery(body: object = b"{}", after_s: float | None = None, **changed: Any) -> Delivery:
    """A body that was posted to `/` from loopback, or as the keywords (fields of a delivery) say.

    A body that is not bytes is coded as JSON; `after_s` counts from `T` to its receipt.
    """
    fields: dict[str, Any] = {
        "id": "00053932d7f0ab-5a17c0de",
        "received_at": RECEIVED if after_s is None else START + timedelta(seconds=after_s),
        "method": "POST",
        "path": "/",
        "headers": (("Content-Type", "application/json"),),
        "remote": "127.0.0.1:50412",
    }
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(**fields | changed, body=raw)


def make_entry(
    body: object = b"{}",
    after_s: float | None = None,
    *,
    stated: tuple[str, str | None] | None = None,
    verdict: Verdict | None = None,
    **changed: Any,
) -> Entry:
    """The entry of a delivery; `stated` are the type and the session that its line says."""
    return Entry(make_delivery(body, after_s, **changed), stated=stated, verdict=verdict)


def make_line(body: object = b"{}", after_s: float | None = None, **changed: Any) -> bytes:
    """The line of an entry in a capture."""
    return write_line(make_entry(body, after_s, **changed))


# Bodies.


def make_body(
    event: str, after_s: float | None = 0.0, session: str = "S", **more: Any
) -> dict[str, Any]:
    """A body of session monitoring; with None it has no time."""
    time = {} if after_s is None else {"timestamp": T + round(after_s * 1000)}
    return {"sessionId": session, "projectId": "7", "event": event} | time | more


def connection(verb: str, after_s: float | None, identifier: str = "c", **more: Any) -> Any:
    """The body of a connection event."""
    one = {"id": identifier, "createdAt": T, "data": ""} | more.pop("connection", {})
    return make_body(f"connection{verb}", after_s, connection=one, **more)


def stream(verb: str, after_s: float, identifier: str = "s", by: str = "c", **more: Any) -> Any:
    """The body of a stream event."""
    one = {"id": identifier, "createdAt": T + 1, "connection": {"id": by, "createdAt": T}}
    return make_body(f"stream{verb}", after_s, stream=one | more.pop("stream", {}), **more)


# Session stores fed with them.


def sessions_of(entries: Iterable[Entry], **options: Any) -> dict[str, Session]:
    store = SessionStore(**options)
    for one in entries:
        store.apply(one)
    return {session.id: session for session in store.sessions()}


def only(*bodies: Any) -> Session:
    """The one session of bodies, the same from whichever end they come."""
    (ahead,) = sessions_of(make_entry(body, number) for number, body in enumerate(bodies)).values()
    backward = reversed(list(enumerate(bodies)))
    assert list(sessions_of(make_entry(body, number) for number, body in backward).values()) == [
        ahead
    ]
    return ahead


# Bodies of every type, about a few IDs that occur again and again.

IDS = st.sampled_from(["a", "b", "c", None, ""])
TIMES = st.sampled_from([None, -1, 0, T, T + 1, T + 5000, T // 1000, T // 1000 + 3, 10**16])
WORDS = st.sampled_from([None, "", "Ann", "Bob", "\ud800", "forceDisconnected"])
SESSIONS = st.sampled_from(["S", "S", "S2"])
STATUSES = st.sampled_from(["started", "paused", "stopped", "uploaded", "failed", "odd", None])
CONNECTIONS = st.fixed_dictionaries({"id": IDS, "createdAt": TIMES, "data": WORDS})
STREAMS = {"id": IDS, "createdAt": TIMES, "name": WORDS, "videoType": WORDS}
COMMON = {"sessionId": SESSIONS, "projectId": st.sampled_from(["7", "8", None])}
MONITORED = COMMON | {"timestamp": TIMES, "reason": WORDS}


def either(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


BODIES = st.one_of(
    st.fixed_dictionaries(MONITORED | {"event": either("sessionCreated", "sessionDestroyed")}),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("connectionCreated", "connectionDestroyed"),
            "connection": st.one_of(st.none(), CONNECTIONS),
        }
    ),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("streamCreated", "streamDestroyed"),
            "stream": st.fixed_dictionaries(STREAMS | {"connection": CONNECTIONS}),
        }
    ),
    st.fixed_dictionaries(
        MONITORED
        | {
            "event": either("callCreated", "callUpdated", "callDestroyed"),
            "call": st.fixed_dictionaries({"id": IDS, "connectionId": IDS, "createdAt": TIMES}),
            "state": either("RINGING", "ACTIVE"),
            "reason_message": WORDS,
        }
    ),
    st.fixed_dictionaries(
        COMMON
        | {"event": either("archive", "broadcast"), "id": IDS, "status": STATUSES}
        | {"createdAt": TIMES, "updatedAt": TIMES, "reason": WORDS, "name": WORDS}
        | {"duration": st.integers(0, 3), "size": st.integers(0, 3)}
        | {"multiArchiveTag": WORDS, "multiBroadcastTag": WORDS}
    ),
    st.fixed_dictionaries(COMMON | {"id": IDS, "streamId": IDS, "status": STATUSES, "name": WORDS}),
    st.fixed_dictionaries(
        COMMON | {"captionsId": IDS, "status": STATUSES, "createdAt": TIMES, "reason": WORDS}
    ),
    st.fixed_dictionaries(MONITORED | {"event": either("somethingNew", "sessionNotification")}),
)
"""Any body; of few IDs, so that many are about the same."""
