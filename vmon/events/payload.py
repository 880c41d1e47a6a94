"""Decode bodies: decompress them, parse their JSON, recognise their type."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.json import decode as _decode

from vmon.errors import VmonError
from vmon.events.catalogue import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEEPEST = 200
"""The deepest nesting that is written to a file as JSON: jq 1.6 stops reading a file at 256."""


_BOM = b"\xef\xbb\xbf"


class TooLarge(VmonError):
    """A compressed body exceeds the limit when decompressed: all that `read_body` raises."""


class Payload(Struct, frozen=True):
    """A decoded body.

    `type` is a catalogue name, or `unknown` (JSON of no known type), or `undecodable`;
    `session` the session ID where it is a non-empty string; `value` the decoded JSON.
    `json` is the body as one line of valid JSON, otherwise verbatim; None when it is not JSON,
    or not portable to every JSON parser (`notes` say why). `problem` is a sentence on why it is
    undecodable; `notes` are about the body as a whole.
    """

    type: str
    session: str | None
    value: Any
    json: bytes | None
    problem: str | None
    notes: tuple[str, ...]


def read_body(body: bytes, encoding: str = "", *, limit: int = 64 << 20) -> Payload:
    """Decode a body as received; `encoding` is its Content-Encoding header.

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


# As integers: bytes methods search for those twice as fast as for a bytes of length one.
_NEWLINE, _RETURN, _BRACKET, _BRACE, COLON = b"\n\r[{:"


def _line(body: bytes) -> bytes:
    if _NEWLINE in body or _RETURN in body:
        return body.replace(b"\n", b" ").replace(b"\r", b" ")
    return body


def _payload(value: Any, line: bytes | None, notes: tuple[str, ...]) -> Payload:
    if type(value) is not dict:
        noted = (*notes, f"{kind_of(value)}, not an object")
        return Payload("unknown", None, value, line, None, noted)
    session = value.get("sessionId")
    if type(session) is not str or not session or (not session.isascii() and _halved(session)):
        session = None
    return Payload(_type_of(value), session, value, line, None, notes)


def _type_of(value: dict[str, Any]) -> str:
    """Recognise the type by its name, else by its shape; the path of a request is irrelevant."""
    event = value.get("event")
    if type(event) is str and event in TYPES:
        return event
    if "broadcastUrls" in value:
        return "broadcast"
    if "captionsId" in value or "captionId" in value:
        return "captions"
    return _type_by_status(value) if "status" in value else "unknown"


def is_guess(type_: str, value: dict[str, Any]) -> bool:
    """Whether a type was recognised only by fields that anybody's JSON may have."""
    return type_ == "render" and value.get("event") != "render"


def _type_by_status(value: dict[str, Any]) -> str:
    sized = "duration" in value and "size" in value
    if sized or "outputMode" in value or "partnerId" in value:
        return "archive"
    return "render" if "id" in value and "sessionId" in value else "unknown"


def _undecodable(problem: str, notes: tuple[str, ...]) -> Payload:
    return Payload("undecodable", None, None, None, problem, notes)


def _too_deep(value: Any) -> tuple[str, ...]:
    """Check, without recursion, whether `value` is nested deeper than DEEPEST; the note of it."""
    layer = [value]
    for _ in range(DEEPEST):
        if not layer:
            break
        layer = [inner for outer in layer for inner in _inside(outer)]
    return (f"nested deeper than {DEEPEST}",) if layer else ()


def _inside(value: Any) -> Iterator[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (item for item in inner if isinstance(item, dict | list))


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
    """Check for a lone surrogate in a string: jq 1.6 stops reading a file at one."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return ("a lone surrogate in a string",)
    return ()


def _parse(text: str) -> tuple[Any, tuple[str, ...]]:
    """Parse with the standard library, which accepts more; with the note of too long a number."""
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
    """Explain why a body is undecodable; `shift` bytes were stripped from its front."""
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


_BOM_NOTE = "starts with a BOM"


def _read_wrapped(body: bytes, encoding: str, limit: int) -> Payload:
    notes: tuple[str, ...] = ()
    for coding in _codings(encoding):
        if (unpack := _UNPACKERS.get(coding)) is None:
            return _undecodable(f"unsupported Content-Encoding {coding!r}", ())
        try:
            body = unpack(body, limit)
        except (zlib.error, ValueError) as error:
            # Some proxies decompress a body and leave the header: what counts is the body.
            plain = _read_wrapped(body, "", limit)
            if plain.type == "undecodable":
                return _undecodable(f"{coding}: {error}", ())
            note = f"Content-Encoding says {coding}, but the body is not compressed"
            return msgspec.structs.replace(plain, notes=(note, *plain.notes))
    if body[:3] == _BOM:
        body, notes = body[3:], (_BOM_NOTE,)
    return _read_plain(body, notes)


def _codings(encoding: str) -> list[str]:
    """List the content codings in the order in which to undo them."""
    named = (coding.strip().lower() for coding in reversed(encoding.split(",")))
    return [coding for coding in named if coding not in {"", "identity"}]


_MOST_MEMBERS = 100  # each one copies the rest of the body


def _gunzip(body: bytes, limit: int) -> bytes:
    """Decompress all members of a gzip file."""
    inflated = b""
    for _ in range(_MOST_MEMBERS):
        part, body = _inflate(body, limit - len(inflated), zlib.MAX_WBITS | 16)
        inflated += part
        if not body.strip(b"\0"):
            return inflated
    raise ValueError(f"more than {_MOST_MEMBERS} members")


def _undeflate(body: bytes, limit: int) -> bytes:
    """Decompress deflate: in zlib format, as the standard says, or raw, as many send it."""
    try:
        return _inflate(body, limit, zlib.MAX_WBITS)[0]
    except zlib.error:
        return _inflate(body, limit, -zlib.MAX_WBITS)[0]


def _inflate(body: bytes, limit: int, wbits: int) -> tuple[bytes, bytes]:
    """Decompress one stream; its data, and the bytes after it."""
    inflater = zlib.decompressobj(wbits)
    inflated = inflater.decompress(body, max(limit, 0) + 1)
    if len(inflated) > limit:
        raise TooLarge(f"the body decompresses to more than {limit} bytes")
    if not inflater.eof:
        raise ValueError("the body is truncated")
    return inflated, inflater.unused_data


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
}


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    str: "a string",
    float: "a fraction",
    int: "a number",
    list: "a list",
    dict: "an object",
}


def kind_of(value: Any) -> str:
    """Name the JSON type of a value: `a string`."""
    return _KINDS[type(value)]
