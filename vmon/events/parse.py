"""From a body to what it says. Total: whatever the bytes are, something comes back.

`read_body` is on the road to the answer: one decoding to plain objects and a few look-ups.
`event_of` is off it: types, and a warning for each thing that is not as it should be.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import MsgspecError, Struct, inspect
from msgspec.json import decode as _decode
from msgspec.json import encode as _encode

from vmon.errors import VmonError
from vmon.events.catalogue import TYPES
from vmon.events.models import (
    FIRST_MS,
    LAST_MS,
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
from vmon.humanize import disarm

DEEPEST = 200
"""The deepest nesting that goes into a file as JSON: jq 1.6 stops reading a file at 256."""

_Shape = TypeVar("_Shape", bound=Struct)

_BOM = b"\xef\xbb\xbf"


class TooLarge(VmonError):
    """A compressed body grows beyond the limit: the one thing `read_body` raises."""


class Payload(Struct, frozen=True):
    """A body, decoded.

    `type` is a catalogue name, or `unknown` (JSON of no known type), or `undecodable`;
    `session` the session ID where it is a non-empty string; `value` the decoded JSON.
    `json` is the body as one line of valid JSON, otherwise verbatim; None when it is not JSON,
    or not such that every reader of JSON can read it (`notes` says why then).
    `problem` says in a sentence why it is undecodable; `notes` are about the body as a whole.
    """

    type: str
    session: str | None
    value: Any
    json: bytes | None
    problem: str | None
    notes: tuple[str, ...]


def read_body(body: bytes, encoding: str = "", *, limit: int = 64 << 20) -> Payload:
    """Decode a body as it came; `encoding` is its Content-Encoding header.

    Raises TooLarge when the body decompresses to more than `limit` bytes, and nothing else.
    """
    if encoding or body[:3] == _BOM:
        return _read_wrapped(body, encoding, limit)
    return _read_plain(body, ())


def _read_plain(body: bytes, notes: tuple[str, ...]) -> Payload:
    try:
        value = _decode(body)
    except (MsgspecError, ValueError, RecursionError, MemoryError):
        return _read_leniently(body, notes)
    if len(body) > 2 * DEEPEST and body.count(_BRACKET) + body.count(_BRACE) > DEEPEST:
        unfit = _too_deep(value)
        return _payload(value, None if unfit else _line(body), (*notes, *unfit))
    return _payload(value, _line(body), notes)


# As numbers: bytes methods take those twice as fast as a bytes of one.
_NEWLINE, _RETURN, _BRACKET, _BRACE, _COLON = b"\n\r[{:"


def _line(body: bytes) -> bytes:
    if _NEWLINE in body or _RETURN in body:
        return body.replace(b"\n", b" ").replace(b"\r", b" ")
    return body


def _payload(value: Any, line: bytes | None, notes: tuple[str, ...]) -> Payload:
    if type(value) is not dict:
        noted = (*notes, f"{_kind(value)}, not an object")
        return Payload("unknown", None, value, line, None, noted)
    session = value.get("sessionId")
    if type(session) is not str or not session or (not session.isascii() and _halved(session)):
        session = None
    return Payload(_type_of(value), session, value, line, None, notes)


def _type_of(value: dict[str, Any]) -> str:
    """Recognise the type: by its name, else by its shape; the path of a request says nothing."""
    event = value.get("event")
    if type(event) is str and event in TYPES:
        return event
    if "broadcastUrls" in value:
        return "broadcast"
    if "captionsId" in value or "captionId" in value:
        return "captions"
    return _type_by_status(value) if "status" in value else "unknown"


def _type_by_status(value: dict[str, Any]) -> str:
    sized = "duration" in value and "size" in value
    if sized or "outputMode" in value or "partnerId" in value:
        return "archive"
    return "render" if "id" in value and "sessionId" in value else "unknown"


def _undecodable(problem: str, notes: tuple[str, ...]) -> Payload:
    return Payload("undecodable", None, None, None, problem, notes)


def _too_deep(value: Any) -> tuple[str, ...]:
    """Note that `value` is nested deeper than DEEPEST; found without recursion."""
    layer = [value]
    for _ in range(DEEPEST):
        if not layer:
            break
        layer = [inner for outer in layer for inner in _inside(outer)]
    return (f"nested deeper than {DEEPEST}",) if layer else ()


def _inside(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in inner if isinstance(item, dict | list))


# What msgspec refuses and the standard library reads: 1e400, half a surrogate pair in an escape,
# and, with it, every body that is not JSON, for which the standard library knows where and why.


def _read_leniently(body: bytes, notes: tuple[str, ...]) -> Payload:
    if not body.strip(b" \t\r\n"):
        return _undecodable("empty body", notes)
    try:
        value, huge = _parse(body.decode())
    except (ValueError, RecursionError, MemoryError) as error:
        return _undecodable(_why(error, _shift(notes)), notes)
    unfit = (*huge, *_too_deep(value)) or _halved(value)
    return _payload(value, None if unfit else _line(body), (*notes, *unfit))


def _halved(value: Any) -> tuple[str, ...]:
    """Say whether a string has half a surrogate pair: jq 1.6 reads no further in a file."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return ("a lone surrogate in a string",)
    return ()


def _parse(text: str) -> tuple[Any, tuple[str, ...]]:
    """Parse with the standard library; also note a number too long for it."""
    huge = []

    def integer(digits: str) -> int | float:
        try:
            return int(digits)
        except ValueError:
            huge.append(digits)
            return float(digits)

    value = json.loads(text, parse_constant=_refuse, parse_int=integer)
    return value, ("a number has more than 4300 digits",) if huge else ()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _why(error: BaseException, shift: int) -> str:
    """Say why a body is undecodable; `shift` bytes were taken off its front."""
    match error:
        case UnicodeDecodeError():
            return f"not UTF-8 at byte {error.start + shift}"
        case json.JSONDecodeError():
            at = len(error.doc[: error.pos].encode()) + shift
            return f"not JSON: {_lower(error.msg.removesuffix(' at'))} at byte {at}"
        case ValueError():
            return f"not JSON: {error}"
        case _:
            return "nested too deeply"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _shift(notes: tuple[str, ...]) -> int:
    return len(_BOM) if _BOM_NOTE in notes else 0


# Bodies in a wrapping: compressed, or behind a byte order mark.

_BOM_NOTE = "starts with a BOM"


def _read_wrapped(body: bytes, encoding: str, limit: int) -> Payload:
    notes: tuple[str, ...] = ()
    for coding in _codings(encoding):
        if (unpack := _UNPACKERS.get(coding)) is None:
            return _undecodable(f"unsupported Content-Encoding {coding!r}", ())
        try:
            body = unpack(body, limit)
        except (zlib.error, ValueError) as error:
            # A proxy that unpacks a body and leaves the header: what counts is the body.
            plain = _read_wrapped(body, "", limit)
            if plain.type == "undecodable":
                return _undecodable(f"{coding}: {error}", ())
            note = f"Content-Encoding says {coding}, but the body is not compressed"
            return msgspec.structs.replace(plain, notes=(note, *plain.notes))
    if body[:3] == _BOM:
        body, notes = body[3:], (_BOM_NOTE,)
    return _read_plain(body, notes)


def _codings(encoding: str) -> list[str]:
    """List the codings in the order in which they are undone."""
    named = (coding.strip().lower() for coding in reversed(encoding.split(",")))
    return [coding for coding in named if coding not in {"", "identity"}]


_MOST_MEMBERS = 100  # each one copies what follows it


def _gunzip(body: bytes, limit: int) -> bytes:
    """Decompress all members of a gzip file."""
    grown = b""
    for _ in range(_MOST_MEMBERS):
        part, body = _inflate(body, limit - len(grown), zlib.MAX_WBITS | 16)
        grown += part
        if not body.strip(b"\0"):
            return grown
    raise ValueError(f"more than {_MOST_MEMBERS} members")


def _undeflate(body: bytes, limit: int) -> bytes:
    """Decompress deflate: in its zlib wrapping, as the standard says, or bare, as many send it."""
    try:
        return _inflate(body, limit, zlib.MAX_WBITS)[0]
    except zlib.error:
        return _inflate(body, limit, -zlib.MAX_WBITS)[0]


def _inflate(body: bytes, limit: int, wbits: int) -> tuple[bytes, bytes]:
    """Return what is unpacked, and what follows it."""
    inflater = zlib.decompressobj(wbits)
    grown = inflater.decompress(body, max(limit, 0) + 1)
    if len(grown) > limit:
        raise TooLarge(f"the body decompresses to more than {limit} bytes")
    if not inflater.eof:
        raise ValueError("the body is truncated")
    return grown, inflater.unused_data


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
}


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
"""The shape of each type's payload."""


def event_of(payload: Payload, facts: Known | None = None) -> Event:
    """Turn a payload into its event; `warnings` holds the payload's notes and all that is odd.

    `facts` is what the body was read as already, where it is as documented.
    """
    shape = SHAPES.get(payload.type)
    if shape is None or type(payload.value) is not dict:  # a capture may call any body anything
        return _event_of_no_type(payload)
    warnings: list[str] = []
    event = facts or _fit(payload.value, shape, warnings)
    warnings += _oddities(payload, event)
    if payload.notes or warnings or event.warnings:
        return _warned(event, (*payload.notes, *warnings))
    return event


def _event_of_no_type(payload: Payload) -> Event:
    if payload.problem is not None:
        return Undecodable(problem=payload.problem, warnings=payload.notes)
    if type(payload.value) is not dict:
        return UnknownEvent(warnings=payload.notes)
    event = _fit(payload.value, UnknownEvent, [])  # what it should be is anyone's guess
    return _warned(event, (*payload.notes, *_repeated(payload)))


_MOST_WARNINGS = 20


def _warned(event: _Shape, warnings: tuple[str, ...]) -> _Shape:
    if (more := len(warnings) - _MOST_WARNINGS) > 0:
        warnings = (*warnings[:_MOST_WARNINGS], f"and {more} more")
    return msgspec.structs.replace(event, warnings=warnings)


def _oddities(payload: Payload, event: Known) -> list[str]:
    """Find what is well-formed and still not as documented."""
    value, entry = payload.value, TYPES[payload.type]
    odd = _repeated(payload)
    named = value.get("event")
    if named != payload.type and type(named) is str:
        odd.append(f"unknown event {_quoted(named)}: treated as {payload.type}")
    if entry.closed_reasons and (reason := event.reason) and reason not in entry.reasons:
        odd.append(f"unknown reason {_quoted(reason)}")
    if entry.statuses and (status := event.status) and status not in entry.statuses:
        odd.append(f"unknown {_status_key(entry.group)} {_quoted(status)}")
    if type(at := value.get("timestamp")) is int and not FIRST_MS <= at <= LAST_MS:
        odd.append("timestamp is not in milliseconds since the epoch")
    return odd


def _status_key(group: str) -> str:
    return "state" if group == "call" else "status"


_LONGEST_QUOTE = 60


def _quoted(text: str) -> str:
    """Quote a stranger's text so that it is one short harmless line."""
    quoted = disarm(text[:_LONGEST_QUOTE])
    return f'"{quoted}"' if len(text) <= _LONGEST_QUOTE else f'"{quoted}…"'


# Keys that appear twice. Counting is cheap, and only a count that does not come out is looked into.


def _repeated(payload: Payload) -> list[str]:
    line = payload.json
    if line is None or _encoded(payload.value) == line:
        return []
    keys = _count_keys(payload.value)
    if line.count(_COLON) == keys:
        return []
    # Colons in strings: an address, or JSON in token data, where the quote is escaped.
    if line.count(b'":') - line.count(b'\\":') == keys and b'" :' not in line:
        return []
    seen: list[str] = []
    json.loads(line, object_pairs_hook=lambda pairs: _note_repeated(pairs, seen))
    return seen


def _encoded(value: Any) -> bytes:
    """Write a value as most senders do; a body equal to that has no key twice."""
    try:
        return _encode(value)
    except (MsgspecError, ValueError, RecursionError):
        return b""


def _note_repeated(pairs: list[tuple[str, Any]], seen: list[str]) -> dict[str, Any]:
    kept = dict(pairs)
    if len(kept) < len(pairs):
        for key, times in Counter(key for key, _ in pairs).items():
            if times > 1:
                often = "twice" if times == 2 else f"{times} times"  # noqa: PLR2004 - a word for two
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


# Wrong types: whatever fits is kept, field by field.


def _fit(value: dict[str, Any], shape: type[_Shape], warnings: list[str]) -> _Shape:
    try:
        return msgspec.convert(value, shape)
    except (MsgspecError, ValueError):
        return shape(**_kept(value, _fields(shape), "", warnings))


@cache
def _fields(shape: type[Struct]) -> tuple[inspect.Field, ...]:
    told = inspect.type_info(shape)
    assert isinstance(told, inspect.StructType)  # noqa: S101 - said to mypy
    return told.fields


def _kept(
    value: dict[str, Any], fields: tuple[inspect.Field, ...], path: str, warnings: list[str]
) -> dict[str, Any]:
    return {
        field.name: _fitted(value[key], field.type, path + key, warnings)
        for field in fields
        if (key := field.encode_name) in value and field.name != "warnings"
    }


def _fitted(raw: Any, wanted: inspect.Type, where: str, warnings: list[str]) -> Any:
    """Return `raw` as far as it is what is wanted, or can be turned into it; else None."""
    options = _options(wanted)
    for option in options:
        match option, raw:
            case inspect.StructType(cls, fields=fields), dict():
                return cls(**_kept(raw, fields, f"{where}.", warnings))
            case inspect.ListType(item_type=item), list():
                every = enumerate(raw)
                fits = [_fitted(one, item, f"{where}[{at}]", warnings) for at, one in every]
                return [one for one in fits if one is not None]
            case _ if _is(raw, option):
                return raw
    warnings.append(f"{where} should be {_names(options)}, not {_kind(raw)}")
    turned = (_turned(raw, option) for option in options)
    return next((one for one in turned if one is not None), None)


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


def _turned(raw: Any, option: inspect.Type) -> Any:
    """Turn a scalar into what is wanted; None when that cannot be."""
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


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    str: "a string",
    float: "a fraction",
    int: "a number",
    list: "a list",
    dict: "an object",
}


def _kind(value: Any) -> str:
    return _KINDS[type(value)]
