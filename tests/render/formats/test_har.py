from __future__ import annotations

import json

from tests.support.exports import HEADERS, NASTY, document
from tests.support.factories import make_entry
from vmon import __version__


def test_a_har_has_the_exact_requests() -> None:
    entries = [make_entry(body, headers=HEADERS, path="/a?b=c%20d") for body in NASTY]
    log = json.loads(document("har", entries))["log"]
    assert log["version"] == "1.2"
    first = log["entries"][1]["request"]
    assert first["url"] == "http://example.com/a?b=c%20d"
    assert first["queryString"] == [{"name": "b", "value": "c d"}]
    assert first["postData"] == {
        "mimeType": "application/json; charset=utf-8",
        "text": '{"event":"streamCreated"}',
    }
    assert log["entries"][-1]["request"]["postData"]["encoding"] == "base64"
    assert json.loads(document("har", []))["log"]["entries"] == []


def test_a_har_without_deliveries_is_this() -> None:
    creator = f'{{"name": "vmon", "version": "{__version__}"}}'
    assert document("har", []).decode() == (
        f'{{"log":{{"version":"1.2","creator":{creator},"entries":[\n]}}}}\n'
    )


def test_an_entry_says_when_and_from_where_it_came_and_has_the_fields_that_har_requires() -> None:
    (entry,) = json.loads(document("har", [make_entry(b"{}")]))["log"]["entries"]
    assert entry["startedDateTime"] == "2016-08-03T21:16:00.318542Z"
    assert (entry["_id"], entry["_remote"]) == ("00053932d7f0ab-5a17c0de", "127.0.0.1:50412")
    assert entry["request"] == {
        "method": "POST",
        "url": "http://127.0.0.1/",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "queryString": [],
        "headersSize": -1,
        "bodySize": 2,
        "postData": {"mimeType": "application/json", "text": "{}"},
    }
    assert set(entry["response"]) == {
        "status", "statusText", "httpVersion", "cookies", "headers",
        "content", "redirectURL", "headersSize", "bodySize",
    }  # fmt: skip # what HAR requires


def test_deliveries_that_come_in_batches_are_one_document() -> None:
    from collections import Counter

    from vmon.render.formats.har import HarFormatter
    from vmon.security.scrub import ScrubPolicy

    har = HarFormatter(ScrubPolicy(Counter(), keep=True))
    first, second = [make_entry(b"1"), make_entry(b"2")], [make_entry(b"3")]
    text = har.begin() + har.each(first) + har.each([]) + har.each(second) + har.end()
    bodies = [one["request"]["postData"]["text"] for one in json.loads(text)["log"]["entries"]]
    assert bodies == ["1", "2", "3"]
