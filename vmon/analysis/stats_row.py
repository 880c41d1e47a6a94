"""The row of a delivery for statistics: the few fields they need, decoded many lines at a time.

A line that is not a canonical capture line, or has fields of unusual types, is decoded to an entry
first, as in all other commands, and the row is made from that.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from vmon.events.delivery import header
from vmon.events.models import CallEvent, ConnectionEvent, StreamEvent, dated_ms
from vmon.events.timestamps import FIRST_MS, LAST_MS, in_ms

if TYPE_CHECKING:
    from vmon.events.entry import Entry

_SIGNED = frozenset({"valid", "stale", "unchecked"})
"""The verdicts with which a token's `iat` is trusted to be Vonage's."""

BODY, END = b',"body":', b"}\n"
_DATED = frozenset({"archive", "broadcast", "render", "captions"})
"""The types whose timestamp is `updatedAt` instead of `timestamp`."""
_DATED_SINCE = frozenset({"render", "captions"})
"""Those of them that `createdAt` and `duration` date, too."""
_TOKEN = re.compile(rb'\["authorization","Bearer [^".]*\.([\w-]+)\.', re.IGNORECASE)


class Thing(Struct, rename="camel", gc=False):
    """A connection, stream or call, with the fields that statistics need."""

    id: str | None = None
    created_at: int | None = None
    connection: Thing | None = None
    reason_message: str | None = field(default=None, name="reason_message")
    reason_code: str | None = field(default=None, name="reason_code")


class Body(Struct, rename="camel", gc=False):
    """A body, with the fields that statistics need."""

    timestamp: int | None = None
    created_at: int | float | None = None
    updated_at: int | float | None = None
    duration: int | float | None = None
    connection: Thing | None = None
    stream: Thing | None = None
    call: Thing | None = None
    reason: str | None = None
    reason_message: str | None = field(default=None, name="reason_message")
    reason_code: str | None = field(default=None, name="reason_code")
    status: str | None = None
    state: str | None = None


class _VerdictKind(Struct, gc=False):
    kind: str = ""


class StatsRow(Struct, gc=False):
    """A capture line, with the fields that statistics need."""

    type: str
    received_at: datetime
    body: Body
    session: str | None = None
    remote: str | None = None
    verdict: _VerdictKind | None = None


class _Claims(Struct, gc=False):
    iat: float | None = None


plain = msgspec.json.Decoder(StatsRow)
"""Decodes capture lines; one that it rejects, or without `END`, is decoded as an entry."""
_claims = msgspec.json.Decoder(_Claims)


def occurred_ms(row: StatsRow) -> int | None:
    """Return an event's own timestamp, ms; None where it has none."""
    stated, body = row.body.timestamp, row.body
    if stated is None and row.type in _DATED:
        dated = body.updated_at
        if row.type in _DATED_SINCE:
            duration_s = body.duration if row.type == "captions" else None
            dated = dated_ms(body.status, body.created_at, body.updated_at, duration_s)
        stated = int(dated) if dated is not None else None
    return stated if stated is not None and FIRST_MS <= stated <= LAST_MS else in_ms(stated)


def reason_of_call(body: Body, call: Thing) -> str | None:
    """Return why a call ended: the message, else the code; beside the call or in it."""
    message = body.reason_message or call.reason_message
    return message or body.reason_code or call.reason_code


def signed_ms(row: StatsRow, line: bytes) -> int | None:
    """Return the `iat` of a line's token, ms; None where it is not trusted or cannot be decoded."""
    if row.verdict is None or row.verdict.kind not in _SIGNED:
        return None
    if (token := _TOKEN.search(line)) is None:
        return None
    try:
        at = _claims.decode(urlsafe_b64decode(token[1] + b"=" * (-len(token[1]) % 4))).iat
    except ValueError:
        return None
    return round(at * 1000) if at is not None and 0 < at < LAST_MS / 1000 else None


def stats_row_of(entry: Entry) -> StatsRow:
    """Make the row of an entry, which was decoded leniently."""
    at, remote = entry.delivery.received_at, entry.delivery.remote
    verdict = _VerdictKind(entry.verdict.kind) if entry.verdict else None
    return StatsRow(entry.type, at, _body_of(entry), entry.session, remote, verdict)


def token_of(entry: Entry) -> bytes:
    """Encode the header with an entry's token as its line has it."""
    return f'["authorization","{header(entry.delivery, "authorization")}'.encode()


def _body_of(entry: Entry) -> Body:
    """Reduce an event to the fields that statistics need."""
    event = entry.event
    dated, created = event.type in _DATED, event.created_ms
    body = Body(
        timestamp=None if dated else event.occurred_ms,
        updated_at=event.occurred_ms if dated else None,
        reason=event.reason,
        status=event.status,
    )
    match event:
        case ConnectionEvent():
            body.connection = Thing(event.connection_id, created)
        case StreamEvent():
            owner = event.stream.connection if event.stream else None
            whose = Thing(owner.id, owner.created_at) if owner else None
            body.stream = Thing(event.stream_id, created, whose)
        case CallEvent():
            body.call = Thing(event.call_id, created)
        case _:
            pass
    return body
