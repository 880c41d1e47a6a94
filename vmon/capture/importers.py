"""Import deliveries from other tools: HAR (browsers, mitmproxy, vmon), ngrok's request list.

ngrok's agent responds at `http://127.0.0.1:4040/api/requests/http` with
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
"""How these documents begin; a HAR may have other keys before `log`."""


def is_foreign(begin: bytes) -> bool:
    """Whether a document that starts so is HAR or ngrok's request list."""
    return _SHAPE.match(begin) is not None


def lines_of(document: bytes) -> list[bytes] | None:
    """Convert a document to capture lines, oldest first; None when it is none of these.

    An element that is not a request becomes a line without a delivery that says why.
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
    """Convert entries to lines; `place` is the jq path of an entry, formatted with its index."""
    for number, one in enumerate(entries):
        try:
            delivery = read(one, number + 1)
        except NoBody as error:
            yield WHY + f"{place.format(number)}: {error}".encode()
            continue
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = f"{place.format(number)} is not a request: {_problem(one, error)}"
            yield WHY + text[:_LONGEST].encode("utf-8", "replace")
            continue
        if delivery.method == "POST" or delivery.body:  # a browser's own requests are no callbacks
            yield write_line(Entry(delivery))


def _problem(one: Any, error: Exception) -> str:
    """Explain why an entry cannot be read."""
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
    headers = [pair for pair in pairs if not pair[0].startswith(":")]  # HTTP/2 pseudo-headers
    body = har_body(request.get("postData"), _sizes(request, headers))
    if body.lstrip()[:1] in {b"{", b"["}:  # mitmproxy stores the decompressed body
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
    """The sizes that the HAR states for the body, compressed or not."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    size = request.get("bodySize")
    sizes = {int(value) for value in lengths if value.isdecimal()}
    return frozenset(sizes | ({size} if isinstance(size, int) and size > 0 else set()))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _identifier(stated: object, default: str) -> str:
    """Return an ID that needs no escaping in a line."""
    fits = isinstance(stated, str) and re.fullmatch(r"[0-9A-Za-z_-]{1,64}", stated)
    return str(stated) if fits else default


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
    """Decode a chunked body; unchanged when it has no chunks."""
    chunks, at = [], 0
    while size := re.compile(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n").match(body, at):
        start, long = size.end(), int(size[1], 16)
        if not long:
            break
        chunks.append(body[start : start + long])
        at = start + long + 2
    return b"".join(chunks) if chunks else body
