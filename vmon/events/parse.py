"""Parse a decoded payload into a typed event; never raises, whatever the payload holds.

`payload.read_body` runs before the response: one decoding to plain objects and a few lookups.
`event_of` runs after it: types, and a warning for everything that is not as documented.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import MsgspecError, Struct, inspect
from msgspec.json import encode as _encode

from vmon.events.catalogue import TYPES
from vmon.events.models import (
    ArchiveEvent,
    BroadcastEvent,
    CallEvent,
    CaptionsEvent,
    ConnectionEvent,
    Event,
    Known,
    RenderEvent,
    SessionEvent,
    StreamEvent,
    Undecodable,
    UnknownEvent,
)
from vmon.events.payload import COLON, Payload, is_guess, kind_of
from vmon.events.timestamps import FIRST_MS, LAST_MS
from vmon.sanitize import disarm

_Shape = TypeVar("_Shape", bound=Struct)


SHAPES: dict[str, type[Known]] = {
    "sessionCreated": SessionEvent,
    "sessionDestroyed": SessionEvent,
    "sessionNotification": SessionEvent,
    "connectionCreated": ConnectionEvent,
    "connectionDestroyed": ConnectionEvent,
    "streamCreated": StreamEvent,
    "streamDestroyed": StreamEvent,
    "archive": ArchiveEvent,
    "broadcast": BroadcastEvent,
    "render": RenderEvent,
    "captions": CaptionsEvent,
    "callCreated": CallEvent,
    "callUpdated": CallEvent,
    "callDestroyed": CallEvent,
    "muteForced": CallEvent,
}
"""The struct of each type's payload."""


def event_of(payload: Payload, fields: Known | None = None) -> Event:
    """Convert a payload to its event; `warnings` are the payload's notes and all deviations.

    `fields` is the event already decoded, where the body is as documented.
    """
    shape = SHAPES.get(payload.type)
    if shape is None or type(payload.value) is not dict:  # a capture may state any type
        return _untyped_event(payload)
    warnings: list[str] = []
    event = fields or _fit(payload.value, shape, warnings)
    warnings += _undocumented(payload, event)
    if payload.notes or warnings or event.warnings:
        return _with_warnings(event, (*payload.notes, *warnings))
    return event


def _untyped_event(payload: Payload) -> Event:
    if payload.problem is not None:
        return Undecodable(problem=payload.problem, warnings=payload.notes)
    if type(payload.value) is not dict:
        return UnknownEvent(warnings=payload.notes)
    value = payload.value
    event = _fit(value, UnknownEvent, [])  # nothing is documented, so nothing deviates
    event = msgspec.structs.replace(
        event, keys=(*islice(value, _MOST_KEYS),), status_like=_status_like(value)
    )
    return _with_warnings(event, (*payload.notes, *_repeated(payload)))


_MOST_KEYS = 12
_STATUS_LIKE = ("status", "state", "type", "eventType", "event_type", "action", "kind")
"""Keys under which other services say what an event is, or how far something has come."""


def _status_like(value: dict[str, Any]) -> tuple[str, str] | None:
    """What JSON of no known type says of itself, and under which key."""
    stated = ((key, value.get(key)) for key in _STATUS_LIKE)
    return next(((key, text) for key, text in stated if text and isinstance(text, str)), None)


_MOST_WARNINGS = 20


def _with_warnings(event: _Shape, warnings: tuple[str, ...]) -> _Shape:
    if (more := len(warnings) - _MOST_WARNINGS) > 0:
        warnings = (*warnings[:_MOST_WARNINGS], f"and {more} more")
    return msgspec.structs.replace(event, warnings=warnings)


def _undocumented(payload: Payload, event: Known) -> list[str]:
    """List what is well-formed but not as documented."""
    value, known = payload.value, TYPES[payload.type]
    warnings = [*_repeated(payload), *_unlisted(payload, event)]
    if known.closed_reasons and (reason := event.reason) and reason not in known.reasons:
        warnings.append(f"unknown reason {_quoted(reason)}")
    if type(at := value.get("timestamp")) is int and not FIRST_MS <= at <= LAST_MS:
        warnings.append("timestamp is not in milliseconds since the epoch")
    return warnings


def _unlisted(payload: Payload, event: Known) -> Iterator[str]:
    """The event's name and its status, as far as the catalogue does not have them."""
    value, entry = payload.value, TYPES[payload.type]
    named, status, other, strange = value.get("event"), event.status, "", ""
    if named != payload.type and type(named) is str:
        other = f"unknown event {_quoted(named)}"
    if entry.statuses and status and status not in entry.statuses:
        strange = f"unknown {'state' if entry.group == 'call' else 'status'} {_quoted(status)}"
    if strange and is_guess(payload.type, value):
        yield f"perhaps a {payload.type}: {other or 'no `event`'}, {strange}"
        return
    if other:
        yield f"{other}: treated as {payload.type}"
    if strange:
        yield strange


_LONGEST_QUOTE = 60


def _quoted(text: str) -> str:
    """Quote untrusted text as one short line, disarmed."""
    quoted = disarm(text[:_LONGEST_QUOTE])
    return f'"{quoted}"' if len(text) <= _LONGEST_QUOTE else f'"{quoted}…"'


# Duplicate keys. Counting colons is cheap; the body is parsed again only where the count differs.


def _repeated(payload: Payload) -> list[str]:
    line = payload.json
    if line is None or _encoded(payload.value) == line:
        return []
    keys = _count_keys(payload.value)
    if line.count(COLON) == keys:
        return []
    # Colons in strings: an address, or JSON in token data, where the quote is escaped.
    if line.count(b'":') - line.count(b'\\":') == keys and b'" :' not in line:
        return []
    seen: list[str] = []
    json.loads(line, object_pairs_hook=lambda pairs: _note_repeated(pairs, seen))
    return seen


def _encoded(value: Any) -> bytes:
    """Encode a value as most senders do; a body equal to that has no duplicate key."""
    try:
        return _encode(value)
    except (MsgspecError, ValueError, RecursionError):
        return b""


def _note_repeated(pairs: list[tuple[str, Any]], seen: list[str]) -> dict[str, Any]:
    kept = dict(pairs)
    if len(kept) < len(pairs):
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1:
                often = "twice" if times == 2 else f"{times} times"  # noqa: PLR2004 - "twice" is 2
                seen.append(f"{_quoted(key)} appears {often} (the last counts)")
    return kept


def _count_keys(value: dict[str, Any]) -> int:
    return len(value) + _count_inside(value.values())


def _count_inside(values: Iterable[Any]) -> int:
    total = 0
    for inner in values:
        if type(inner) is dict:
            total += len(inner) + _count_inside(inner.values())
        elif type(inner) is list:
            total += _count_inside(inner)
    return total


# Wrong types: every field that fits is kept.


def _fit(value: dict[str, Any], shape: type[_Shape], warnings: list[str]) -> _Shape:
    try:
        return msgspec.convert(value, shape)
    except (MsgspecError, ValueError):
        return shape(**_kept(value, _fields(shape), "", warnings))


@cache
def _fields(shape: type[Struct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(shape)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - narrows the type for mypy
    return info.fields


_OURS = "vmon:"  # what is not on the wire


def _kept(
    value: dict[str, Any], fields: tuple[inspect.Field, ...], path: str, warnings: list[str]
) -> dict[str, Any]:
    return {
        field.name: _fitted(value[key], field.type, path + key, warnings)
        for field in fields
        if (key := field.encode_name) in value and not key.startswith(_OURS)
    }


def _fitted(raw: Any, wanted: inspect.Type, where: str, warnings: list[str]) -> Any:
    """Return `raw` as far as it has the wanted type or can be coerced to it; else None."""
    options = _options(wanted)
    for option in options:
        match option, raw:
            case inspect.StructType(cls, fields=fields), dict():
                return cls(**_kept(raw, fields, f"{where}.", warnings))
            case inspect.ListType(item_type=item), list():
                every = enumerate(raw)
                fits = [_fitted(element, item, f"{where}[{at}]", warnings) for at, element in every]
                return [element for element in fits if element is not None]
            case _ if _is(raw, option):
                return raw
    warnings.append(f"{where} should be {_names(options)}, not {kind_of(raw)}")
    coerced = (_coerced(raw, option) for option in options)
    return next((value for value in coerced if value is not None), None)


def _is(raw: Any, option: inspect.Type) -> bool:
    match option, raw:
        case (inspect.NoneType(), None) | (inspect.DictType(), dict()):
            return True
        case (inspect.StrType(), str()) | (inspect.BoolType(), bool()):
            return True
        case (inspect.IntType(), int()) | (inspect.FloatType(), int() | float()):
            return not isinstance(raw, bool)
        case _:
            return False


def _options(wanted: inspect.Type) -> tuple[inspect.Type, ...]:
    match wanted:
        case inspect.Metadata(type=inner):
            return _options(inner)
        case inspect.UnionType(types=types):
            return types
        case _:
            return (wanted,)


_WHOLE = re.compile(r"\s*-?[0-9]{1,19}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*-?[0-9]{1,19}(\.[0-9]{1,19})?\s*", re.ASCII)


def _coerced(raw: Any, option: inspect.Type) -> Any:
    """Coerce a scalar to a type; None where that is impossible."""
    match option, raw:
        case inspect.StrType(), int() | float() if not isinstance(raw, bool):
            return str(raw)
        case inspect.IntType(), str() if _WHOLE.fullmatch(raw):
            return int(raw)
        case inspect.FloatType(), str() if _NUMBER.fullmatch(raw):
            return float(raw)
        case inspect.IntType(), float() if isfinite(raw):
            return int(raw)
        case inspect.BoolType(), "true" | "false":
            return raw == "true"
    return None


_NAMES: dict[type[inspect.Type], str] = {
    inspect.StrType: "a string",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
    inspect.ListType: "a list",
    inspect.StructType: "an object",
    inspect.DictType: "an object",
}


def _names(options: tuple[inspect.Type, ...]) -> str:
    named = (_NAMES[type(option)] for option in options if type(option) in _NAMES)
    return " or ".join(dict.fromkeys(named))
