"""A request as it was received."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import datetime

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
"""Headers about one connection (RFC 9110, 7.6.1): the client makes its own."""


def header(delivery: Delivery, name: str) -> str:
    """The first header of that name (lower case), or an empty string."""
    for key, value in delivery.headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return ""


def encoding_of(delivery: Delivery) -> str:
    """The delivery's Content-Encoding, or an empty string."""
    return header(delivery, "content-encoding")


class Delivery(Struct, frozen=True):
    """One HTTP request as it was received.

    `received_at` is aware UTC; `path` has the query; `headers` are (name, value) in their order
    and spelling; `body` is the exact bytes of the request's body, still encoded as it came.
    """

    id: str
    received_at: datetime
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    remote: str | None
    body: bytes
