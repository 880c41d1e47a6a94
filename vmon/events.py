"""What a callback is: the delivery as it was received, and the events it can carry.

Field names on the wire are camelCase and become snake_case here. Every field is optional:
payloads gained and lost fields over the years without notice, and a missing field is no error.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct


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
