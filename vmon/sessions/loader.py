"""What the commands that look at sessions read: a book, and the order in which it is looked at."""

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
    """A book, the order of its sessions, and when the last delivery was received."""

    def __init__(
        self, name_of: Callable[[str | None], str | None], late_after_s: float = LATE_AFTER_S
    ) -> None:
        self.book = SessionStore(name_of, late_after_s=late_after_s)
        self.order = Order(self.book.session)

    def enter(self, entry: Entry) -> ApplyResult:
        """Enter a delivery."""
        if entry.session is not None:
            self.order.note(entry.session)
        return self.book.apply(entry)

    @property
    def last_ms(self) -> int:
        """When the last delivery was received, ms since the epoch; 0 when there was none."""
        return self.book.newest_ms

    def as_it_was(self, at_ms: int) -> Order:
        """The order of the sessions as they stood at an instant."""

        def find(identifier: str) -> Session | None:
            session = self.book.session(identifier)
            return as_of(session, at_ms) if session else None

        order = Order(find)
        for session in self.book.sessions():
            order.note(session.id)
        return order


def now_ms_of(sources: tuple[str | None, ...], last_ms: int) -> int:
    """Until when what is open goes on: now while somebody writes, else the end of the capture."""
    if any(one is not None and is_in_use(Path(one)) for one in sources):
        return int(time.time() * 1000)
    return last_ms
