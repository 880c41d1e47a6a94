"""Deliveries that other tools kept: HAR (browsers, mitmproxy, vmon), ngrok's list of requests.

What is sent to `http://127.0.0.1:4040/api/requests/http` is answered with
`{"uri":…,"requests":[{"start":…,"remote_addr":…,"request":{"raw":<base64>}}]}`, newest first.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vmon.capture.codec import WHY, write_line
from vmon.capture.har_body import NoBody, har_body
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 200
_SHAPE = re.compile(
    rb'\s*\{(?:\s*"(?:log"\s*:\s*\{|uri"\s*:\s*"/api/requests/|requests"\s*:\s*\[)'
    rb'|.*"log"\s*:\s*\{\s*"(?:version|creator|browser|pages|entries|comment)")',
    re.DOTALL,
)
"""How they begin; a HAR may have other keys before `log`."""


def is_foreign(begin: bytes) -> bool:
    """Whether what begins so is such a document."""
    return _SHAPE.match(begin) is not None


def lines_of(document: bytes) -> list[bytes] | None:
    """The capture lines of a document, oldest first; None when it is none of these.

    What is no request with a body comes as a line that says so, and holds nothing.
    """
    if not is_foreign(document[:4096]):
        return None
    try:
        whole = json.loads(document)
    except (ValueError, RecursionError):
        return None
    match whole:
        case {"log": {"entries": list(entries)}}:
            return list(_lines(entries, "log.entries[{}]", _of_har))
        case {"requests": list(entries)}:
            return list(_lines(entries, "requests[{}]", _of_ngrok))[::-1]
        case {"request": {"raw": str()}}:
            return list(_lines([whole], "it", _of_ngrok))
        case _:
            return None


def _lines(entries: list[Any], place: str, read: Any) -> Iterator[bytes]:
    """The lines of entries; `place` is where the one of a number stands, as jq writes it."""
    for number, one in enumerate(entries):
        try:
            delivery = read(one, number + 1)
        except NoBody as error:
            yield WHY + f"{place.format(number)}: {error}".encode()
            continue
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"{place.format(number)} is not a request: {_wrong(one, error)}"
            yield WHY + said[:_LONGEST].encode("utf-8", "replace")
            continue
        if delivery.method == "POST" or delivery.body:  # a browser's own requests are no callbacks
            yield write_line(Entry(delivery))


def _wrong(one: Any, error: Exception) -> str:
    """What is wrong with an entry that cannot be read."""
    if not isinstance(one, dict):
        return "not an object"
    if not isinstance(one.get("request"), dict):
        return "request is not an object" if "request" in one else "missing request"
    if isinstance(error, KeyError):
        return f"missing {error.args[0]}"
    wrong_type = isinstance(error, TypeError | AttributeError)
    return "a field has the wrong type" if wrong_type else str(error)


def _of_har(one: Any, number: int) -> Delivery:
    request = one["request"]
    pairs = [(str(pair["name"]), str(pair["value"])) for pair in request.get("headers") or ()]
    headers = [pair for pair in pairs if not pair[0].startswith(":")]  # of HTTP/2, no headers
    body = har_body(request.get("postData"), _sizes(request, headers))
    if body.lstrip()[:1] in {b"{", b"["}:  # mitmproxy keeps what was decompressed
        headers = [pair for pair in headers if pair[0].lower() != "content-encoding"]
    return Delivery(
        id=_identifier(one.get("_id"), f"har-{number}"),
        received_at=_instant(one["startedDateTime"]),
        method=str(request["method"]),
        path=_path(request["url"]),
        headers=tuple(headers),
        remote=one.get("_remote") if isinstance(one.get("_remote"), str) else None,
        body=body,
    )


def _sizes(request: dict[str, Any], headers: list[tuple[str, str]]) -> frozenset[int]:
    """How many bytes the body had, by all that tells it: before and after decompression."""
    told = [value for name, value in headers if name.lower() == "content-length"]
    size = request.get("bodySize")
    sizes = {int(value) for value in told if value.isdecimal()}
    return frozenset(sizes | ({size} if isinstance(size, int) and size > 0 else set()))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _identifier(said: object, otherwise: str) -> str:
    """An id that needs no escaping in a line."""
    fits = isinstance(said, str) and re.fullmatch(r"[0-9A-Za-z_-]{1,64}", said)
    return str(said) if fits else otherwise


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))  # Go has nanoseconds
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


def _of_ngrok(one: Any, number: int) -> Delivery:
    raw = b64decode(one["request"]["raw"])
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in rest)
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    chunked = any(n.lower() == "transfer-encoding" and "chunked" in v for n, v in headers)
    remote = one.get("remote_addr")
    return Delivery(
        id=_identifier(one.get("id"), f"ngrok-{number}"),
        received_at=_instant(one["start"]),
        method=method,
        path=path,
        headers=headers,
        remote=remote if isinstance(remote, str) else None,
        body=_dechunked(body) if chunked else body,
    )


def _dechunked(body: bytes) -> bytes:
    """The body that came in chunks; as it is when there are none."""
    found, at = [], 0
    while size := re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n").match(body, at):
        start, long = size.end(), int(size[1], 16)
        if not long:
            break
        found.append(body[start : start + long])
        at = start + long + 2
    return b"".join(found) if found else body
