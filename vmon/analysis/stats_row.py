"""A delivery in brief: the few fields of a capture line that figures need, decoded many at a time.

A line that is not plainly a capture's, or whose fields have other types than usual, has no brief of
its own: it is made of the entry that every other command reads.
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
"""The verdicts under which a token's `iat` is taken for Vonage's."""

BODY, END = b',"body":', b"}\n"
_DATED = frozenset({"archive", "broadcast", "render", "captions"})
"""The types that say when they happened by `updatedAt`; others do so by `timestamp`."""
_DATED_SINCE = frozenset({"render", "captions"})
"""Those that also say so by `createdAt` and `duration`."""
_TOKEN = re.compile(rb'\["authorization","Bearer [^".]*\.([\w-]+)\.', re.IGNORECASE)


class Thing(Struct, rename="camel", gc=False):
    """A connection, stream or call, as far as figures need it."""

    id: str | None = None
    created_at: int | None = None
    connection: Thing | None = None
    reason_message: str | None = field(default=None, name="reason_message")
    reason_code: str | None = field(default=None, name="reason_code")


class Body(Struct, rename="camel", gc=False):
    """A body, as far as figures need it."""

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


class _Judged(Struct, gc=False):
    kind: str = ""


class StatsRow(Struct, gc=False):
    """A capture line, as far as figures need it."""

    type: str
    received_at: datetime
    body: Body
    session: str | None = None
    remote: str | None = None
    verdict: _Judged | None = None


class _Claims(Struct, gc=False):
    iat: float | None = None


plain = msgspec.json.Decoder(StatsRow)
"""Decodes capture lines; what it refuses, or has no `END`, is read as an entry."""
_claims = msgspec.json.Decoder(_Claims)


def occurred_ms(told: StatsRow) -> int | None:
    """When an event happened by its own clock; None where it does not say."""
    said, body = told.body.timestamp, told.body
    if said is None and told.type in _DATED:
        dated = body.updated_at
        if told.type in _DATED_SINCE:
            lived_s = body.duration if told.type == "captions" else None
            dated = dated_ms(body.status, body.created_at, body.updated_at, lived_s)
        said = int(dated) if dated is not None else None
    return said if said is not None and FIRST_MS <= said <= LAST_MS else in_ms(said)


def reason_of_call(body: Body, call: Thing) -> str | None:
    """Why a call ended: in words or else as a code, beside it or in it."""
    told = body.reason_message or call.reason_message
    return told or body.reason_code or call.reason_code


def signed_ms(told: StatsRow, line: bytes) -> int | None:
    """When the token was signed that stands in a line; None where nobody can trust or read it."""
    if told.verdict is None or told.verdict.kind not in _SIGNED:
        return None
    if (token := _TOKEN.search(line)) is None:
        return None
    try:
        at = _claims.decode(urlsafe_b64decode(token[1] + b"=" * (-len(token[1]) % 4))).iat
    except ValueError:
        return None
    return round(at * 1000) if at is not None and 0 < at < LAST_MS / 1000 else None


def stats_row_of(entry: Entry) -> StatsRow:
    """The brief of an entry that was read with all its tolerance."""
    at, remote = entry.delivery.received_at, entry.delivery.remote
    judged = _Judged(entry.verdict.kind) if entry.verdict else None
    return StatsRow(entry.type, at, _body_of(entry), entry.session, remote, judged)


def token_of(entry: Entry) -> bytes:
    """The header of an entry's token, as its line has it."""
    return f'["authorization","{header(entry.delivery, "authorization")}'.encode()


def _body_of(entry: Entry) -> Body:
    """The few fields of an event."""
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
