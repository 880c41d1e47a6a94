"""A delivery together with what it says: what filters, books and drawings work on."""

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
from vmon.events.timestamps import FUTURE_MS, in_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.delivery import Delivery
    from vmon.events.models import Event, Known
    from vmon.events.verdict import Verdict


_ABSOLUTE = re.compile(r"[^:/?#]+://[^/?#]*([^#]*)")


def url_for(base: str, path: str) -> str:
    """The URL a delivery is sent to: `base` with its path appended, unless it is `/`; both queries.

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
    """A request target as path and query; of `http://host/path` those, of `*` only `/`."""
    if path.startswith("/"):
        return path
    found = _ABSOLUTE.match(path)
    return "/" + (found[1].removeprefix("/") if found else "")


class Entry:
    """A delivery and what its body says, which is worked out when first asked for.

    `type` and `session` are at hand at once: the receiver has just read the body, and a stored
    line tells them before it. What a line tells is the contract: filters go by it.
    `verdict` is that of the signature, where there is one.
    """

    __slots__ = ("_event", "_payload", "_read", "delivery", "session", "type", "verdict")

    def __init__(
        self,
        delivery: Delivery,
        payload: Payload | None = None,
        told: tuple[str, str | None] | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        self.delivery = delivery
        self.verdict = verdict
        if told is None:
            payload = payload or read_body(delivery.body, encoding_of(delivery))
            told = payload.type, payload.session
        self.type, self.session = told
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
        """The typed event; total, like all decoding."""
        if self._event is None:
            payload = self.payload
            if payload.type != self.type:
                payload = replace(payload, type=self.type)
            self._event = event_of(payload, self._read)
        return self._event

    @property
    def fields(self) -> Event:
        """The event, but for its warnings, which cost more to find than all the rest."""
        return self._event or self._read or self._read_fields()

    def _read_fields(self) -> Event:
        if self.type in SHAPES:
            try:
                self._read = read = _decoder(self.type)(self.delivery.body)
            except (MsgspecError, ValueError, RecursionError):
                return self.event  # not as documented, or in a wrapping
            return read
        return self.event

    @property
    def received_ms(self) -> int:
        """When it was received, ms since the epoch; 0 for a bare body that tells no time."""
        return int(self.delivery.received_at.timestamp() * 1000)

    @property
    def occurred_ms(self) -> int:
        """When it happened, ms since the epoch; 0 where neither payload nor receipt tells it.

        As the payload states it, else when it was received, but no earlier than it can have been.
        """
        event = self.fields
        stated_ms = in_ms(event.occurred_ms)
        if stated_ms is None:
            return max(self.received_ms, event.earliest_ms or 0)
        return stated_ms

    @property
    def lag_s(self) -> float | None:
        """Delivery lag in seconds: receipt less the event's own time; None when there is none.

        Nor is there one to an event of a later day than its receipt: that time is wrong.
        """
        stated_ms = in_ms(self.fields.occurred_ms)
        if stated_ms is None or self.delivery.remote is None:
            return None  # a bare body was received by nobody
        lag_s = self.delivery.received_at.timestamp() - stated_ms / 1000
        return None if lag_s < -FUTURE_MS / 1000 else lag_s


@cache
def _decoder(type_: str) -> Callable[[bytes], Known]:
    return Decoder(SHAPES[type_]).decode
