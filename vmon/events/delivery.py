"""The delivery: an HTTP request as received."""

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


class Delivery(Struct, frozen=True):
    """One HTTP request as received.

    `received_at` is aware UTC; `path` includes the query; `headers` are (name, value) in their
    original order and spelling; `body` is the exact bytes of the body, still content-encoded.
    """

    id: str
    received_at: datetime
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    remote: str | None
    body: bytes
