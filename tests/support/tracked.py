"""Entries of one session for tests of the tracker, at given times of event and receipt."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.support.factories import make_entry
from vmon.sessions.tracker import Annotation, SessionTracker, annotate

if TYPE_CHECKING:
    from vmon.events.entry import Entry

START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


class AnnotatingTracker(SessionTracker):
    """A tracker that annotates each delivery it applies."""

    def note(self, entry: Entry) -> Annotation:
        """Apply a delivery, and annotate it."""
        return annotate(entry, self.apply(entry))


def event_at(event: str, at_s: float, later_s: float = 0.1, **more: Any) -> Entry:
    """The entry of an event `at_s` seconds into the session, received `later_s` seconds later."""
    timestamp = START_MS + int(at_s * 1000)
    body = json.dumps({"sessionId": "2_A", "event": event, "timestamp": timestamp, **more})
    received_at = START + timedelta(seconds=at_s + later_s)
    return make_entry(body.encode(), id="1", received_at=received_at, headers=(), remote="there:1")


def connection(identifier: str, data: str = "") -> dict[str, Any]:
    """The fields of a connection event."""
    return {"connection": {"id": identifier, "createdAt": START_MS, "data": data}}


def stream(identifier: str, owner: str) -> dict[str, Any]:
    """The fields of a stream event."""
    return {"stream": {"id": identifier, "createdAt": START_MS, **connection(owner)}}
