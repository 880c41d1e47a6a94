"""Encode entries as capture lines, one line of JSON each, and decode stored lines to entries.

Header first, in a fixed order; the body last and byte-exact: verbatim where it is one line of
valid JSON, else in `body_base64`, followed by `body` where it decodes to valid JSON after all.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from vmon.capture.format import ASIDE, START
from vmon.events.delivery import NO_TIME, Delivery, encoding_of
from vmon.events.entry import Entry
from vmon.events.payload import read_body
from vmon.events.redelivery import RETRIES_FOR
from vmon.events.timestamps import instant
from vmon.events.verdict import Verdict
from vmon.humanize import iso
from vmon.sanitize import disarm_json

_BODY = b',"body":'
WHY = b"\n\0"
"""The prefix of a line that holds no delivery but the reason why: `importers` makes such lines.

No line of a file starts so: a newline is where lines end.
"""
_HALF = re.compile("[\ud800-\udfff]")


class _Header(msgspec.Struct):
    """The keys of a capture line that a reader needs."""

    type: str
    id: str
    received_at: datetime | None
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    remote: str | None = None
    session: str | None = None
    verdict: Any = None
    body_base64: str | None = None


_to_json = msgspec.json.Encoder().encode
_header = msgspec.json.Decoder(_Header)


def write_line(entry: Entry) -> bytes:
    """Encode an entry as a capture line, newline included."""
    delivery, body, as_json = entry.delivery, entry.delivery.body, entry.payload.json
    if as_json is body or as_json == body:
        return b'%b,"body":%b}\n' % (_head(entry), body)
    rest = b"}\n" if as_json is None else b"%b%b}\n" % (_BODY, as_json)
    return b'%b,"body_base64":"%b"%b' % (_head(entry), b64encode(delivery.body), rest)


def _head(entry: Entry) -> bytes:
    """Encode a line up to its body; the encoding of values that repeat is cached."""
    delivery = entry.delivery
    return (
        f'{{"vmon":1,"type":{_quoted(entry.type)},"session":{_quoted(entry.session)}'
        f"{'' if entry.verdict is None else _verdict_key(entry.verdict)}"
        f',"id":{quote(delivery.id).decode()},"received_at":{_received(delivery)}'
        f',"method":{_quoted(delivery.method)},"path":{_quoted(delivery.path)}'
        f',"headers":{_quoted(delivery.headers)},"remote":{_quoted(delivery.remote)}'
    ).encode()


def outage_line(identifier: str, outage: Outage) -> bytes:
    """Encode the line of a tunnel outage: not a delivery, and skipped by readers of deliveries."""
    return (
        f'{ASIDE.decode()}null,"id":"{identifier}","received_at":"{iso(outage.up_at)}"'
        f',"down_at":"{iso(outage.down_at)}","up_at":"{iso(outage.up_at)}"'
        f',"url":{quote(outage.url).decode()},"detail":{quote(outage.detail).decode()}}}\n'
    ).encode()


def quote(value: object) -> bytes:
    """Encode a value as capture lines do; what UTF-8 cannot encode is escaped."""
    try:
        return _to_json(value)
    except UnicodeEncodeError:  # a lone surrogate, which can be written only as an escape
        return json.dumps(value, separators=(",", ":")).encode()


def safe_json(value: object) -> bytes:
    """Encode vmon's own output as JSON, safe for a terminal."""
    try:
        return disarm_json(_to_json(value))
    except UnicodeEncodeError:
        return disarm_json(_to_json(without_surrogates(value)))


def without_surrogates(value: object) -> object:
    """Replace lone surrogates, at which jq 1.6 stops, by U+FFFD."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_HALF.sub("\ufffd", text)) if _HALF.search(text) else value


def _received(delivery: Delivery) -> str:
    at = delivery.received_or_none
    return f'"{iso(at)}"' if at else "null"


@lru_cache(maxsize=1024)
def _quoted(value: str | tuple[tuple[str, str], ...] | None) -> str:
    return quote(value).decode()


@lru_cache(maxsize=256)
def _verdict_json(kind: str, why: str, secret: str | None, *, refused: bool) -> str:
    fields: dict[str, object] = {"kind": kind, "why": why, "secret": secret}
    return f',"verdict":{quote(fields | {"refused": True} if refused else fields).decode()}'


def _verdict_key(verdict: Verdict) -> str:
    """Encode the key `verdict`, without the claims: those are in the delivery's own header."""
    return _verdict_json(verdict.kind, verdict.why, verdict.secret, refused=verdict.refused)


def read_line(line: bytes, number: int = 0) -> Entry:
    """Decode a line of a capture or of bare bodies; ValueError with the reason where it is none."""
    if line.startswith(START):
        return _of_capture(line)
    if line.startswith(WHY):
        raise ValueError(line.removeprefix(WHY).decode())
    entry = bare(line.strip(), number)
    if entry.payload.problem:
        raise ValueError(entry.payload.problem)
    value = entry.payload.value
    return _of_rewritten(value) if isinstance(value, dict) and "vmon" in value else entry


def _of_capture(line: bytes) -> Entry:
    try:
        header = _header.decode(line)
    except (ValueError, RecursionError):
        # A lone surrogate or a number out of range: valid JSON all the same.
        header = msgspec.convert(_decoded(line), _Header, strict=False)
    if header.body_base64 is not None:
        return _entry(header, b64decode(header.body_base64))
    # In a string the quotes would be escaped: the first such key is the line's own, and its last.
    at = line.find(_BODY)
    if at < 0:
        raise ValueError("it has no body")
    return _entry(header, line[at + len(_BODY) : line.rindex(b"}")])


def _of_rewritten(value: dict[str, Any]) -> Entry:
    """Decode a capture line that another tool rewrote: its body is no longer byte-exact."""
    header = msgspec.convert(value, _Header, strict=False)
    if header.body_base64 is not None:
        return _entry(header, b64decode(header.body_base64))
    return _entry(header, json.dumps(value.get("body"), separators=(",", ":")).encode())


def _entry(header: _Header, body: bytes) -> Entry:
    delivery = Delivery(
        id=header.id,
        received_at=_utc(header.received_at),
        method=header.method,
        path=header.path,
        headers=header.headers,
        remote=header.remote,
        body=body,
    )
    stated = header.type, header.session
    verdict = None if header.verdict is None else _verdict_of(header.verdict)
    if header.body_base64 is None:
        return Entry(delivery, None, stated, verdict)
    return Entry(delivery, read_body(body, encoding_of(delivery)), stated, verdict)


def _verdict_of(value: Any) -> Verdict | None:
    """Decode the verdict of a line; None where another tool uses that key for something else."""
    try:
        return msgspec.convert(value, Verdict)
    except msgspec.ValidationError:
        return None


def _utc(at: datetime | None) -> datetime:
    if at is None:
        return NO_TIME
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("received_at is out of range") from None


def bare(body: bytes, number: int = 0) -> Entry:
    """Make the entry of a bare body, without its delivery: received at its own timestamp.

    Without one, at the earliest it can have happened; `NO_TIME` if that is unknown, too.
    """
    payload = read_body(body)
    event = Entry(_bare_delivery(body, number, NO_TIME), payload).event
    timestamp_at = event.timestamp_at or instant(event.earliest_ms)
    return Entry(_bare_delivery(body, number, timestamp_at or NO_TIME), payload)


def _bare_delivery(body: bytes, number: int, at: datetime) -> Delivery:
    return Delivery(
        id=f"line-{number}",
        received_at=at,
        method="POST",
        path="/",
        headers=(("Content-Type", "application/json"),),
        remote=None,
        body=body,
    )


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from None


class Outage(Struct, frozen=True):
    """A tunnel outage. Instants are aware UTC."""

    url: str
    down_at: datetime
    up_at: datetime
    detail: str

    @property
    def until(self) -> datetime:
        """When Vonage gives up the last delivery of this outage."""
        return self.up_at + RETRIES_FOR
