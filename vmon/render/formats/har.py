"""Deliveries as a HAR document."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmon import __version__
from vmon.events.delivery import Delivery, header
from vmon.events.entry import Entry, origin_form
from vmon.humanize import iso

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.security.scrub import ScrubPolicy


class HarFormatter:
    """Formats entries as a HAR 1.2 document; a body that is not UTF-8 is in base64."""

    def __init__(self, scrub: ScrubPolicy) -> None:
        self._scrub = scrub
        self._separator = b"\n"

    def begin(self) -> bytes:
        """Begin the document."""
        creator = json.dumps({"name": "vmon", "version": __version__})
        return b'{"log":{"version":"1.2","creator":%b,"entries":[' % creator.encode()

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format the document's next deliveries."""
        out = []
        for entry in entries:
            out += [self._separator, json.dumps(_record(self._scrub(entry))).encode()]
            self._separator = b",\n"
        return b"".join(out)

    def end(self) -> bytes:
        """End the document."""
        return b"\n]}}\n"


def _record(delivery: Delivery) -> dict[str, object]:
    from urllib.parse import parse_qsl, urlsplit

    path = origin_form(delivery.path)
    query = parse_qsl(urlsplit(path).query, keep_blank_values=True)
    host = header(delivery, "host") or "127.0.0.1"
    post: dict[str, object] = {"mimeType": header(delivery, "content-type")}
    try:
        post["text"] = delivery.body.decode()
    except UnicodeDecodeError:
        post |= {"text": b64encode(delivery.body).decode(), "encoding": "base64"}
    request = {
        "method": delivery.method,
        "url": f"http://{host}{path}",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(delivery.headers),
        "queryString": _pairs(query),
        "headersSize": -1,
        "bodySize": len(delivery.body),
        "postData": post,
    }
    content = {"size": 0, "mimeType": "x-unknown"}
    response = {
        "status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "cookies": [], "headers": [],
        "content": content, "redirectURL": "", "headersSize": -1, "bodySize": 0,
    }  # fmt: skip # required by HAR, not in a capture
    return {
        "_id": delivery.id,
        "_remote": delivery.remote,
        "startedDateTime": iso(delivery.received_or_none or datetime.now(UTC)),  # HAR wants one
        "time": 0,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
    }


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
