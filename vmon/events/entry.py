"""The entry: a delivery with its decoded event, which filters, stores and formatters work on."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from msgspec import MsgspecError
from msgspec.json import Decoder
from msgspec.structs import replace

from vmon.events.delivery import encoding_of
from vmon.events.parse import SHAPES, event_of
from vmon.events.payload import Payload, read_body
from vmon.events.timestamps import FUTURE_MS, in_ms, not_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.delivery import Delivery
    from vmon.events.models import Event, Known
    from vmon.events.verdict import Verdict


_ABSOLUTE = re.compile(r"[^:/?#]+://[^/?#]*([^#]*)")


def url_for(base: str, path: str) -> str:
    """Build the URL to send a delivery to: `base` plus its path, unless that is `/`; both queries.

    `base` is a URL with a scheme, `path` the request target as received.
    """
    root, _, query = base.partition("#")[0].partition("?")
    own, mark, own_query = origin_form(path).partition("?")
    if own != "/":
        root = root.rstrip("/") + own
    elif root.count("/") == 2:  # noqa: PLR2004 - scheme://host, without a path
        root += "/"
    queries = "&".join(filter(None, (own_query, query)))
    return root + (f"?{queries}" if queries else mark)


def origin_form(path: str) -> str:
    """Reduce a request target to path and query: also of `http://host/path`; `/` for `*`."""
    if path.startswith("/"):
        return path
    found = _ABSOLUTE.match(path)
    return "/" + (found[1].removeprefix("/") if found else "")


class Entry:
    """A delivery and its event, which is decoded lazily.

    `type` and `session` are known at once: the receiver has just decoded the body, and a stored
    line states them before it (`stated`). What the line states is the contract: filters use it.
    `verdict` is that of the signature, where there is one.
    """

    __slots__ = ("_event", "_payload", "_read", "delivery", "session", "type", "verdict")

    def __init__(
        self,
        delivery: Delivery,
        payload: Payload | None = None,
        stated: tuple[str, str | None] | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        self.delivery = delivery
        self.verdict = verdict
        if stated is None:
            payload = payload or read_body(delivery.body, encoding_of(delivery))
            stated = payload.type, payload.session
        self.type, self.session = stated
        self._payload = payload
        self._event: Event | None = None
        self._read: Known | None = None

    @property
    def payload(self) -> Payload:
        """The decoded body."""
        if self._payload is None:
            self._payload = read_body(self.delivery.body, encoding_of(self.delivery))
        return self._payload

    @property
    def event(self) -> Event:
        """The typed event; never raises, like all decoding."""
        if self._event is None:
            payload = self.payload
            if payload.type != self.type:
                payload = replace(payload, type=self.type)
            self._event = event_of(payload, self._read)
        return self._event

    @property
    def fields(self) -> Event:
        """The event without its warnings, which cost more to find than everything else."""
        return self._event or self._read or self._read_fields()

    def _read_fields(self) -> Event:
        if self.type in SHAPES:
            try:
                self._read = read = _decoder(self.type)(self.delivery.body)
            except (MsgspecError, ValueError, RecursionError):
                return self.event  # not as documented, or compressed
            return read
        return self.event

    @property
    def received_ms(self) -> int:
        """When it was received, ms since the epoch; 0 for a bare body without a timestamp."""
        return int(self.delivery.received_at.timestamp() * 1000)

    @property
    def occurred_ms(self) -> int:
        """When the event happened, ms since the epoch: by the payload, else when received.

        No earlier than it can have happened; 0 if neither payload nor receipt tells.
        """
        event = self.fields
        stated_ms = in_ms(event.occurred_ms)
        if stated_ms is None:
            return not_before(self.received_ms, event.earliest_ms)
        return stated_ms

    @property
    def lag_s(self) -> float | None:
        """Delivery lag in seconds: receipt less the event's own time; None when there is none.

        Nor is there one to an event of a later day than its receipt: that time is wrong.
        """
        stated_ms = in_ms(self.fields.occurred_ms)
        if stated_ms is None or self.delivery.remote is None:
            return None  # a bare body was not received over HTTP
        lag_s = self.delivery.received_at.timestamp() - stated_ms / 1000
        return None if lag_s < -FUTURE_MS / 1000 else lag_s


@cache
def _decoder(type_: str) -> Callable[[bytes], Known]:
    return Decoder(SHAPES[type_]).decode
