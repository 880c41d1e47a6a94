"""The delivery: an HTTP request as received."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Hop-by-hop headers (RFC 9110, 7.6.1): the client sends its own."""


def header(delivery: Delivery, name: str) -> str:
    """Return the first header of that name (lower case), or an empty string."""
    for key, value in delivery.headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return ""


def encoding_of(delivery: Delivery) -> str:
    """Return the delivery's Content-Encoding, or an empty string."""
    return header(delivery, "content-encoding")


NO_TIME = datetime.fromtimestamp(0, UTC)
"""The receipt of a body that nobody received and that tells no time: it is never shown."""


class Delivery(Struct, frozen=True):
    """One HTTP request as received.

    `received_at` is aware UTC, `NO_TIME` for a bare body without one; `path` includes the query;
    `headers` are (name, value) in their original order and spelling; `body` is the exact bytes of
    the body, still content-encoded.
    """

    id: str
    received_at: datetime
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    remote: str | None
    body: bytes

    @property
    def received_or_none(self) -> datetime | None:
        """When it was received; None for a bare body that tells no time."""
        return None if self.received_at == NO_TIME else self.received_at
