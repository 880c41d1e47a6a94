import gzip
import json
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import make_entry
from vmon.capture import importers
from vmon.events.entry import Entry
from vmon.render.formats.choose import FormatOptions, formatter_of
from vmon.search import reader
from vmon.search.filter import Filter
from vmon.security.scrub import ScrubPolicy

BODY = '{"event":"streamCreated","sessionId":"2_Ä"}'


def read(path: Path) -> tuple[list[Entry], list[str]]:
    bad: list[str] = []
    lines = reader.lines((str(path),), Filter(), lambda line: bad.append(str(line)))
    return [entry for _, entry in lines], bad


def browser(**changed: Any) -> dict[str, Any]:
    request = {
        "method": "POST",
        "url": "https://hooks.example.com/vonage?a=b",
        "headers": [
            {"name": ":method", "value": "POST"},
            {"name": "Content-Type", "value": "application/json"},
            {"name": "Content-Encoding", "value": "gzip"},
        ],
        "postData": {"mimeType": "application/json", "text": BODY},
    }
    return {"startedDateTime": "2026-11-24T10:00:00.5+01:00", "request": request | changed}


@pytest.mark.parametrize("indent", [None, 2])
def test_a_har_of_a_browser_is_read(tmp_path: Path, indent: int | None) -> None:
    page = browser(method="GET", postData=None)
    har = {"log": {"version": "1.2", "entries": [page, browser()]}}
    path = tmp_path / "a.har"
    path.write_text(json.dumps(har, indent=indent))
    (one,), bad = read(path)
    assert bad == []
    assert one.type == "streamCreated"
    assert one.delivery.body == BODY.encode()
    assert one.delivery.path == "/vonage?a=b"
    assert one.delivery.headers == (("Content-Type", "application/json"),)
    assert one.delivery.received_at.isoformat() == "2026-11-24T09:00:00.500000+00:00"
    assert one.lag_s is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_har_that_vmon_wrote_is_read_back_exactly(tmp_path: Path, *, packed: bool) -> None:
    bodies = [BODY.encode(), b"\xff\x00", b"", b"a" * (3 << 20)]
    entries = [make_entry(body, path=f"/{number}") for number, body in enumerate(bodies)]
    form = formatter_of("har", FormatOptions(ScrubPolicy(Counter(), keep=True)))
    data = form.begin() + form.each(entries) + form.end()
    path = tmp_path / "a.har"
    path.write_bytes(gzip.compress(data) if packed else data)
    found, bad = read(path)
    assert bad == []
    assert [one.delivery for one in found] == [one.delivery for one in entries]


def test_an_element_that_is_not_a_request_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.har"
    entries = [{}, browser(url=3), browser(), {"startedDateTime": "x", "request": None}]
    path.write_text(json.dumps({"log": {"entries": entries}}))
    found, bad = read(path)
    assert len(found) == 1
    assert [one.partition(" skipped: ")[2] for one in bad] == [
        "log.entries[0] is not a request: missing request",
        "log.entries[1] is not a request: a field has the wrong type",
        "log.entries[3] is not a request: request is not an object",
    ]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (7, "not an object"),
        ({"start": "2026-11-24T10:00:00Z"}, "missing request"),
        ({"request": {}}, "missing raw"),
        ({"request": {"raw": ""}, "start": "x"}, "not enough values to unpack"),
    ],
)
def test_a_request_that_ngrok_truncated_is_reported_with_its_path(
    tmp_path: Path, entry: Any, why: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"requests": [ngrok(BODY.encode()), entry]}))
    found, bad = read(path)
    assert len(found) == 1
    assert f"requests[1] is not a request: {why}" in bad[0]


def ngrok(body: bytes, *headers: str, **changed: Any) -> dict[str, Any]:
    head = "\r\n".join(("POST /hook?a=b HTTP/1.1", "Host: x.ngrok.app", *headers))
    raw = b64encode(head.encode() + b"\r\n\r\n" + body).decode()
    return {
        "uri": "/api/requests/http/548fb5c700000002",
        "id": "548fb5c700000002",
        "remote_addr": "192.0.2.7",
        "start": "2026-11-24T10:00:00.123456789-08:00",
        "request": {"method": "POST", "raw": raw},
    } | changed


def test_the_requests_of_ngrok_are_read_oldest_first(tmp_path: Path) -> None:
    requests = [ngrok(b"new", id="b"), ngrok(BODY.encode(), "X-A:  b ")]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"uri": "/api/requests/http", "requests": requests}))
    (old, new), bad = read(path)
    assert bad == []
    assert (old.delivery.body, new.delivery.body) == (BODY.encode(), b"new")
    assert old.delivery.headers == (("Host", "x.ngrok.app"), ("X-A", "b"))
    assert (old.delivery.path, old.delivery.remote) == ("/hook?a=b", "192.0.2.7")
    assert old.delivery.received_at.isoformat() == "2026-11-24T18:00:00.123456+00:00"
    path.write_text(json.dumps(requests[1]))
    assert [one.delivery.body for one in read(path)[0]] == [BODY.encode()]


def test_a_chunked_body_of_ngrok_is_put_together(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    chunked = b'5;x=y\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n'
    one = ngrok(chunked, "Transfer-Encoding: chunked")
    path.write_text(json.dumps({"requests": [one]}))
    assert read(path)[0][0].delivery.body == b'{"a":1}'
    assert importers._dechunked(b"not in chunks") == b"not in chunks"


def test_what_only_looks_like_one_is_what_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"log":{"a":1}}\n{"event":"archive"}\n{"requests":[\n')
    found, bad = read(path)
    assert [one.type for one in found] == ["unknown", "archive"]
    assert len(bad) == 1
