"""The elements of the live feed: what a run tells its subscribers, typed and frozen."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

if TYPE_CHECKING:
    from vmon.capture.codec import Outage
    from vmon.events.entry import Entry
    from vmon.forward.client import ForwardResult
    from vmon.forward.listener import TargetBack, TargetDown
    from vmon.sessions.tracker import Annotation


class _Timed(Struct, frozen=True, kw_only=True):
    """`at_s` is when it was published, in seconds since the epoch."""

    at_s: float = field(default_factory=time)


class Received(Struct, frozen=True, gc=False):
    """A delivery, its capture line if there is one, and what was known when it was entered."""

    entry: Entry
    line: bytes | None
    note: Annotation


class Missed(Struct, frozen=True):
    """Elements that found the queue of this subscriber full; they stood here."""

    deliveries: int = 0
    others: int = 0


class Forwarded(Struct, frozen=True):
    """What became of forwarding a delivery."""

    result: ForwardResult


class TargetChanged(_Timed, frozen=True):
    """A target of forwarding is down, or up again."""

    event: TargetDown | TargetBack


class OddityFound(_Timed, frozen=True):
    """An oddity of a session, reported once; `text` is safe to show."""

    code: str
    severity: Literal["info", "warning", "error"]
    session: str | None
    text: str


class Notice(_Timed, frozen=True):
    """A sentence, safe to show: about a request that is no delivery, or about forwarding."""

    text: str
    about: Literal["request", "forwarding"] = "request"


class TunnelUp(Struct, frozen=True):
    """Requests to the public URL reach the receiver; `was` is the URL it replaces."""

    url: str
    was: str | None = None


class TunnelDown(_Timed, frozen=True):
    """The tunnel is down."""

    detail: str
    code: str | None = None


class TunnelBack(_Timed, frozen=True):
    """The tunnel is up again."""

    outage: Outage


class CaptureTrouble(Struct, frozen=True):
    """The capture cannot be written; `is_full`: nor can more deliveries be kept in memory."""

    why: str = ""
    is_full: bool = False


class CaptureRecovered(Struct, frozen=True):
    """The capture can be written again, and everything that waited is in it."""


class BugFound(Struct, frozen=True):
    """Our own code raised this for the first time in the run."""

    what: str


Urgent = TunnelUp | CaptureTrouble | CaptureRecovered | BugFound
"""What goes ahead of everything that waits, and is never missed."""

Element = (
    Received
    | Missed
    | Forwarded
    | TargetChanged
    | OddityFound
    | Notice
    | TunnelDown
    | TunnelBack
    | Urgent
)
