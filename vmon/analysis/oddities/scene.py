"""The input of the rules: a session as of an instant; and names of its parts in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.analysis.oddities.codes import CODES, Oddity
from vmon.events.names import display_name
from vmon.humanize import handle
from vmon.sanitize import disarm
from vmon.sessions.model import Call, ConnectionState, OutputState, Session, StreamState

if TYPE_CHECKING:
    from collections.abc import Iterable

GHOST_AFTER_S = 12 * 3600.0


SETTLE_S = 10.0
"""Events arrive in any order: a missing one may still arrive for so long."""


class Scene(NamedTuple):
    """A session with the parameters of the rules: `now_ms` is the capture's end, or now.

    `began_ms` is the capture's first event.
    """

    session: Session
    now_ms: int
    ghost_after_s: float
    began_ms: int
    settle_s: float

    def odd(  # noqa: PLR0913, PLR0917 - an oddity has so many parts
        self,
        code: str,
        at_ms: int,
        ids: Iterable[str],
        text: str,
        missing: str | None = None,
        doubt: str | None = None,
    ) -> Oddity:
        """Make an oddity of the session with its code's severity; info where there is a doubt."""
        severity = "info" if doubt else CODES[code].severity
        text = f"{text}; {doubt}" if doubt else text
        return Oddity(code, severity, at_ms, self.session.id, tuple(ids), text, missing)

    def unseen(self, born_ms: int | None) -> str | None:
        """Return the doubt that the missing event was sent before the capture began; else None."""
        if born_ms is None:
            return "it may have started before the capture"
        return "it started before the capture" if born_ms <= self.began_ms else None

    def unsettled(self, at_ms: int) -> str | None:
        """Return the doubt that the missing event may still arrive; else None."""
        soon = self.now_ms - at_ms < self.settle_s * 1000
        return "the capture ends there, so it may still arrive" if soon else None


def what_is(kind: str, one: ConnectionState | StreamState | Call | OutputState) -> str:
    """Name a part: `connection c053fcc8 (Ann)`, `stream 63245362 (desk)`."""
    match one:
        case ConnectionState():
            name: str | None = display_name(one.id, one.name)
        case StreamState():
            name = one.name
        case OutputState():
            tag = f"tag {one.tag}" if one.tag else None
            name = ", ".join(filter(None, (one.name, tag)))
        case _:
            name = None
    return f"{kind} {handle(one.id)}" + (f" ({shortened(name)})" if name else "")


def owner_of(session: Session, connection: str) -> str:
    """Name the connection that a part belongs to."""
    return what_is("connection", session.people.get(connection) or ConnectionState(connection))


_LONGEST = 40


def shortened(text: str) -> str:
    """Disarm untrusted text, and cut it to 40 characters."""
    safe = disarm(text[: _LONGEST + 1])
    return safe if len(text) <= _LONGEST else safe[:_LONGEST] + "…"
