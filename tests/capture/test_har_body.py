import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.factories import DATA
from vmon.capture.har_body import NoBody, har_body
from vmon.search import reader
from vmon.search.filter import Filter

Run = Callable[..., tuple[int, str, str]]
HAR = DATA / "har"
NOT_IN_HAR = {"/blob", "/multipart", "/bytes"}
"""What Chromium does not write down, or not byte for byte."""


def sent(name: str) -> dict[str, bytes]:
    """What a server received while the HAR was recorded, by path."""
    rows = json.loads((HAR / f"{name}-sent.json").read_text())
    return {path: b64decode(body) for path, body in rows}


def read(path: Path) -> tuple[dict[str, bytes], list[str]]:
    bad: list[str] = []
    entries = reader.entries((str(path),), Filter(), lambda line: bad.append(line.why))
    return {one.delivery.path: one.delivery.body for one in entries}, bad


def test_mitmproxys_bodies_are_the_bytes_that_were_sent() -> None:
    found, bad = read(HAR / "mitmproxy.har")
    truth = sent("mitmproxy") | {"/gzip": b'{"event":"archive"}'}  # kept as it was decompressed
    assert (found, bad) == (truth, [])


def test_chromiums_bodies_are_the_bytes_that_were_sent_or_are_reported() -> None:
    found, bad = read(HAR / "chromium.har")
    assert found == {path: one for path, one in sent("chromium").items() if path not in NOT_IN_HAR}
    assert sorted(bad) == [
        "log.entries[2]: the exact bytes of the body are not in the HAR",
        "log.entries[3]: the body is not in the HAR",
        "log.entries[6]: the body is not in the HAR",
    ]


def test_a_body_that_is_not_in_the_har_is_no_empty_delivery(vmon_run: Run, tmp_path: Path) -> None:
    har = json.loads((HAR / "chromium.har").read_text())
    har["log"]["entries"] = har["log"]["entries"][3:4]
    path = tmp_path / "a.har"
    path.write_text(json.dumps(har))
    code, out, err = vmon_run("filter", path)
    assert (code, out) == (1, "")
    assert f"{path}:1: skipped: log.entries[0]: the body is not in the HAR" in err


FORM = "application/x-www-form-urlencoded"
PARAMS = [{"name": "event", "value": "archive"}, {"name": "a", "value": "ä b"}]


def test_a_form_without_its_text_is_put_together_from_its_fields() -> None:
    body = b"event=archive&a=%C3%A4+b"
    assert har_body({"mimeType": FORM, "params": PARAMS}, frozenset()) == body
    assert har_body({"mimeType": FORM, "params": PARAMS}, frozenset({24})) == body
    encoded = [{"name": "a", "value": "%C3%A4+b"}]
    assert har_body({"mimeType": FORM, "params": encoded}, frozenset({10})) == b"a=%C3%A4+b"
    with pytest.raises(NoBody, match="not in the HAR"):
        har_body({"mimeType": "multipart/form-data; boundary=x", "params": PARAMS}, frozenset({99}))


@pytest.mark.parametrize(
    ("text", "kind", "sizes", "body"),
    [
        ("Zoë", "text/plain", {3}, b"Zo\xeb"),
        ("Zoë", "text/plain", {4}, b"Zo\xc3\xab"),
        ("Zoë", "text/plain", (), b"Zo\xc3\xab"),
        ("Zoë", "text/plain", {77}, b"Zo\xc3\xab"),  # edited by hand
        ("€", "text/plain; charset=windows-1252", {1}, b"\x80"),
        ("x", "text/plain; charset=nonsense", {1}, b"x"),
        ("\udcff\xe9", "application/json", {3}, b"\xff\xc3\xa9"),
        ("\ud800", "application/json", (), b"?"),
        ("\ufffd", "application/json", {3}, b"\xef\xbf\xbd"),
        ("\ufffd", "application/json", (), b"\xef\xbf\xbd"),
    ],
)
def test_the_reading_with_the_size_that_was_sent_is_taken(
    text: str, kind: str, sizes: set[int], body: bytes
) -> None:
    assert har_body({"mimeType": kind, "text": text}, frozenset(sizes)) == body


@pytest.mark.parametrize("first", ['"$schema":"x",', '"comment":{"a":[1]},\n'])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_har_is_known_whatever_key_comes_first(
    first: str, indent: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.har"
    text = json.dumps(json.loads((HAR / "mitmproxy.har").read_text()), indent=indent)
    path.write_text(text.replace("{", "{" + first, 1))
    assert read(path) == read(HAR / "mitmproxy.har")
