"""Events inside the lines of an app's log: behind a prefix, or in a field of a JSON object.

An app that logs what it receives has it as `INFO Received webhook: {…}`, or its logger, Docker or a
cloud puts it into an object of its own, as an object or as a string of JSON, under `body`,
`payload`, `log`, `message`, `content` or whatever: every field is searched.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from vmon.events.catalogue import TYPES
from vmon.events.payload import read_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.payload import Payload

_DEEPEST = 8
_TRIES = 64
"""How many braces of a text are tried as the start of an object."""
_LEVELS = frozenset({"level", "lvl", "levelname", "loglevel", "log.level", "severity"})
_MESSAGES = frozenset({"msg", "message", "event", "log"})
_OF_DOCKER = frozenset({"log", "stream", "time"})
_IDS = ("sessionId", "projectId", "applicationId")

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_string = msgspec.json.Decoder(str).decode
_scan = json.JSONDecoder().raw_decode


def may_wrap(payload: Payload) -> bool:
    """Whether JSON is not an event itself, and so may contain one."""
    return not _is_named(payload.value) and (
        payload.type not in TYPES or is_log_line(payload.value)
    )


def is_log_line(value: Any) -> bool:
    """Whether JSON is a line of a logger or of Docker."""
    if not isinstance(value, dict) or _is_named(value):
        return False
    keys = value.keys()
    return keys >= _OF_DOCKER or bool(keys & _LEVELS and keys & _MESSAGES)


def events_in(line: bytes) -> list[bytes]:
    """Find the bodies of the events inside a log line, byte for byte except for line ends."""
    text = line.strip()
    try:
        found = [*_in_value(text, 0)] if text[:1] in _JSON else []
    except (ValueError, RecursionError):
        found = []
    found = found or [*_in_text(text.decode("utf-8", "surrogateescape"), 0)]
    return [body.replace(b"\r", b" ").replace(b"\n", b" ") for body in found]


_JSON = (b"{", b"[", b'"')


def _in_value(value: bytes, depth: int) -> Iterator[bytes]:
    """Find the events in a JSON value; ValueError where it is not JSON."""
    if depth > _DEEPEST or value[:1] not in _JSON:
        return
    if value[:1] == b'"':
        yield from _in_text(_string(value), depth + 1)
    elif depth and value[:1] == b"{" and _is_event(value):
        yield value
    else:
        inner = _object(value).values() if value[:1] == b"{" else _array(value)
        for one in inner:
            yield from _in_value(bytes(one).strip(), depth + 1)


def _is_event(body: bytes) -> bool:
    """Whether a nested object is an event: by its type's name, or by its shape and a session."""
    payload = read_body(body)
    return _is_named(payload.value) or (payload.type in TYPES and payload.session is not None)


def _is_named(value: Any) -> bool:
    """Whether JSON names an event type; an unknown type counts if an ID is beside it."""
    event = value.get("event") if isinstance(value, dict) else None
    if not isinstance(event, str):
        return False
    return event in TYPES or any(isinstance(value.get(key), str) for key in _IDS)


def _in_text(text: str, depth: int) -> Iterator[bytes]:
    """Find the events in a text: objects, also in quoted strings and CSV cells."""
    at, tries = text.find("{"), 0
    while at >= 0 and tries < _TRIES:
        tries += 1
        found, end = _object_at(text, at)
        for one in found:
            yield from _in_value(one.encode("utf-8", "surrogateescape"), depth + 1)
        at = text.find("{", end)


def _object_at(text: str, at: int) -> tuple[Iterable[str], int]:
    """Read the JSON at a brace, or at the quote before it; also returns where to continue."""
    for read in (_plain, _of_csv, _escaped):
        try:
            return read(text, at)
        except (ValueError, RecursionError):
            continue
    return (), at + 1


def _plain(text: str, at: int) -> tuple[Iterable[str], int]:
    """`INFO received {"event":…}`."""
    end = _scan(text, at)[1]
    return (text[at:end],), end


def _escaped(text: str, at: int) -> tuple[Iterable[str], int]:
    r"""`level=info body="{\"event\":…}"`."""
    if not text.startswith('"{\\"', max(at - 1, 0)):
        raise ValueError("not in a string")
    end = _scan(text, at - 1)[1]
    return (text[at - 1 : end],), end


def _of_csv(text: str, at: int) -> tuple[Iterable[str], int]:
    """`12,"{""event"":…}"`."""
    if not text.startswith('{""', at):
        raise ValueError("not in a CSV cell")
    cell = text[at:].replace('""', '"')
    return (cell[: _scan(cell)[1]],), len(text)
