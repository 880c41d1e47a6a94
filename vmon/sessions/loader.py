"""Load sessions from stored deliveries, and order them for display."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from vmon.events.timestamps import LATE_AFTER_S
from vmon.locks import is_in_use
from vmon.sessions.snapshot import Order, as_of
from vmon.sessions.store import SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.sessions.model import Session
    from vmon.sessions.store import ApplyResult


class SessionLoader:
    """A session store, the order of its sessions, and when the last delivery was received."""

    def __init__(
        self, name_of: Callable[[str | None], str | None], late_after_s: float = LATE_AFTER_S
    ) -> None:
        self.store = SessionStore(name_of, late_after_s=late_after_s)
        self.order = Order(self.store.session)

    def apply(self, entry: Entry) -> ApplyResult:
        """Apply a delivery to the store; what it changed."""
        if entry.session is not None:
            self.order.note(entry.session)
        return self.store.apply(entry)

    @property
    def last_ms(self) -> int:
        """When the last delivery was received, ms since the epoch; 0 when there was none."""
        return self.store.newest_ms

    def order_as_of(self, at_ms: int) -> Order:
        """Order the sessions by their state at an instant."""

        def find(identifier: str) -> Session | None:
            session = self.store.session(identifier)
            return as_of(session, at_ms) if session else None

        order = Order(find)
        for session in self.store.sessions():
            order.note(session.id)
        return order


def now_ms_of(sources: tuple[str | None, ...], last_ms: int) -> int:
    """Return the end of open spans, ms: now while a capture is being written, else its end."""
    if any(source is not None and is_in_use(Path(source)) for source in sources):
        return int(time.time() * 1000)
    return last_ms
