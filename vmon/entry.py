"""A delivery together with what it says: what filters, books and drawings work on."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vmon.decode import Payload, event_of, read_body

if TYPE_CHECKING:
    from vmon.events import Delivery, Event


class Entry:
    """A delivery and its decoded body; the typed event is worked out when first asked for."""

    def __init__(self, delivery: Delivery, payload: Payload | None = None) -> None:
        self.delivery = delivery
        self.payload = payload or read_body(delivery.body, encoding_of(delivery))

    @cached_property
    def event(self) -> Event:
        """The typed event; total, like all decoding."""
        return event_of(self.payload)


def header(delivery: Delivery, name: str) -> str:
    """The first header of that name (lower case), or an empty string."""
    for key, value in delivery.headers:
        if len(key) == len(name) and key.lower() == name:
            return value
    return ""


def encoding_of(delivery: Delivery) -> str:
    """The delivery's Content-Encoding, or an empty string."""
    return header(delivery, "content-encoding")
