"""Events of one session for tests of usage: connections and streams with given begins and ends."""

from __future__ import annotations

from typing import Any

S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"
T = 1_470_258_000_000  # 2016-08-03 21:00:00Z
MIN = 60_000


def session_event(event: str, at: int) -> dict[str, Any]:
    """The body of an event of the session at `at` ms."""
    return {"sessionId": S, "projectId": "13112571", "event": event, "timestamp": at}


def connection(name: str, event: str, at: int, created: int | None, **more: Any) -> dict[str, Any]:
    """The body of a connection event."""
    own = {"id": name, "createdAt": created, "data": more.pop("data", "")}
    return session_event(event, at) | {"connection": own} | more


def stream(name: str, of: str, event: str, at: int, created: int, **more: Any) -> dict[str, Any]:
    """The body of a stream event; `of` is the publisher's connection."""
    own = {"id": name, "connection": {"id": of}, "createdAt": created}
    return session_event(event, at) | {"stream": own} | more


def connected(name: str, begin: int, end: int, **more: Any) -> list[dict[str, Any]]:
    """The created and the destroyed event of a connection."""
    return [
        connection(name, "connectionCreated", begin, begin, **more),
        connection(name, "connectionDestroyed", end, begin, reason="clientDisconnected"),
    ]
