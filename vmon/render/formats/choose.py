"""Deliveries as other tools take them: shell commands (curl, HTTPie), HAR, a pytest module.

Everything in a delivery is a stranger's: it is quoted for where it goes, and exact after that.
"""

from __future__ import annotations

import json
import re
import shlex
from base64 import b64encode
from typing import TYPE_CHECKING, Literal, Protocol

from vmon import __version__
from vmon.events.entry import HOP_BY_HOP, Entry, header, origin_form, url_for
from vmon.humanize import disarm, iso
from vmon.security.access import stored_path
from vmon.security.scrub import sealed

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from vmon.events.models import Delivery

As = Literal["curl", "httpie", "har", "pytest"]
LISTENER = "http://127.0.0.1:4680"
"""Where commands send to unless told otherwise: a `vmon listen`."""

_LONGEST_WORD = 100_000
"""Bytes of a word of a command line: Linux takes 128 KiB."""
_TRICKY = re.compile(rb"[^A-Za-z0-9 ,.:;/=+_{}\[\]()<>@#&*?|~^]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Writing(Protocol):
    """A form in which deliveries go out."""

    def begin(self) -> bytes:
        """What comes first."""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Some deliveries."""

    def end(self) -> bytes:
        """What comes last."""


class Sealing:
    """What becomes of secrets: left out and counted by name, unless `keep` says otherwise."""

    def __init__(self, left_out: Counter[str], *, keep: bool) -> None:
        self._left_out = left_out
        self._keep = keep

    def __call__(self, entry: Entry) -> Delivery:
        """The delivery as it may be shown."""
        if self._keep:
            return entry.delivery
        shown, names = sealed(entry)
        self._left_out.update(names)
        return shown


def writing(kind: As, seal: Sealing, to: str = LISTENER) -> Writing:
    """What writes deliveries so; `to` is the URL that commands send to."""
    match kind:
        case "curl":
            return _Commands(seal, to, _curl)
        case "httpie":
            return _Commands(seal, to, _httpie)
        case "har":
            return _Har(seal)
        case "pytest":
            return _Pytest(seal)


# Commands of a shell.


class _Commands:
    """A command for each delivery, in a script that any POSIX shell runs."""

    def __init__(self, seal: Sealing, to: str, command: Command) -> None:
        self._seal = seal
        self._to = to
        self._command = command
        self._inner_path = stored_path()

    def begin(self) -> bytes:
        return b""

    def each(self, entries: Iterable[Entry]) -> bytes:
        return b"".join([self._one(entry) for entry in entries])

    def _one(self, entry: Entry) -> bytes:
        delivery = self._seal(entry)
        about = f"# {disarm(entry.type)}, {iso(delivery.received_at)}, {disarm(delivery.id)}\n"
        url = url_for(self._to, self._inner_path(delivery.path))
        return about.encode() + self._command(delivery, url) + b"\n"

    def end(self) -> bytes:
        return b""


class Command(Protocol):
    """Makes the command that sends a delivery to a URL."""

    def __call__(self, delivery: Delivery, url: str, /) -> bytes:
        """The command."""


def _curl(delivery: Delivery, url: str) -> bytes:
    words = [b"curl -sS --globoff --path-as-is -X " + _word(delivery.method.encode())]
    sent = list(_headers(delivery))
    for name, value in sent:
        said = f"{name}: {value}" if value else f"{name};"  # curl's way to say an empty one
        words.append(b"-H " + _word(_wire(said)))
    if not any(name.lower() == "content-type" for name, _ in sent):
        words.append(b"-H 'Content-Type:'")  # else curl makes one up
    return _piped(delivery.body, words, b"--data-raw ", b"--data-binary @-", _word(_wire(url)))


def _httpie(delivery: Delivery, url: str) -> bytes:
    items = []
    for name, value in _headers(delivery):
        if not _is_utf8(_wire(value)):  # HTTPie cannot send it
            continue
        escaped = "\\" + value if value.startswith(("=", "@", ":", "\\")) else value
        items.append(_word(_wire(f"{name}:{escaped}" if value else f"{name};")))
    where = _word(delivery.method.encode()) + b" " + _word(_wire(url))
    words = [b"http --path-as-is", where, *items]
    if delivery.body and _is_plain(delivery.body):
        words.insert(1, b"--ignore-stdin --raw=" + _word(delivery.body))
        return b" ".join(words)
    return _octal(delivery.body) + b" | " + b" ".join(words)


def _piped(body: bytes, words: list[bytes], as_word: bytes, as_input: bytes, last: bytes) -> bytes:
    """The command with its body as a word, or in a pipe where it is none."""
    if _is_plain(body):
        return b" ".join((*words, as_word + _word(body), last))
    return _octal(body) + b" | " + b" ".join((*words, as_input, last))


def _headers(delivery: Delivery) -> Iterable[tuple[str, str]]:
    """The headers that are the delivery's own and can be sent again."""
    for name, value in delivery.headers:
        whole = _TOKEN.fullmatch(name) and not re.search(r"[\r\n\0]", value)
        if whole and name.lower() not in HOP_BY_HOP:
            yield name, value


def _wire(text: str) -> bytes:
    """The bytes of text of a request's head, of which each character is one."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_plain(word: bytes) -> bool:
    """Whether the bytes can stand in a command as they are, and deceive nobody who reads it."""
    try:
        text = word.decode()
    except UnicodeDecodeError:
        return False
    return len(word) <= _LONGEST_WORD and disarm(text.replace("\n", "")) == text.replace("\n", "")


def _word(word: bytes) -> bytes:
    """A word of a shell; what cannot be shown comes out of printf."""
    if _is_plain(word):
        return shlex.quote(word.decode()).encode()
    return b'"$(' + _octal(word.replace(b"\0", b"")) + b')"'


def _octal(data: bytes) -> bytes:
    """A printf that puts the bytes out."""
    return b"printf '" + _TRICKY.sub(lambda one: b"\\%03o" % one[0][0], data) + b"'"


# HAR.


class _Har:
    """A HAR 1.2 document; a body that is no UTF-8 is in base64."""

    def __init__(self, seal: Sealing) -> None:
        self._seal = seal
        self._between = b"\n"

    def begin(self) -> bytes:
        creator = json.dumps({"name": "vmon", "version": __version__})
        return b'{"log":{"version":"1.2","creator":%b,"entries":[' % creator.encode()

    def each(self, entries: Iterable[Entry]) -> bytes:
        out = []
        for entry in entries:
            out += [self._between, json.dumps(_of_har(self._seal(entry))).encode()]
            self._between = b",\n"
        return b"".join(out)

    def end(self) -> bytes:
        return b"\n]}}\n"


def _of_har(delivery: Delivery) -> dict[str, object]:
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
    }  # fmt: skip # what HAR wants and a capture does not keep
    return {
        "_id": delivery.id,
        "_remote": delivery.remote,
        "startedDateTime": iso(delivery.received_at),
        "time": 0,
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": 0, "receive": 0},
    }


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


# A module of tests.

_MODULE = '''\
"""Post captured deliveries to an app, in order; generated by `vmon export --as pytest`.

    VMON_TEST_URL=http://localhost:3000 pytest FILE    a running app, in any language
    VMON_TEST_APP=package.module:make_app pytest FILE  an aiohttp application (pytest-aiohttp)
"""

import http.client
import os
from importlib import import_module
from urllib.parse import urlsplit

import pytest

URL = os.environ.get("VMON_TEST_URL", "")


def make_app():
    """Your aiohttp application: set VMON_TEST_APP, or create it here."""
    module, _, name = os.environ.get("VMON_TEST_APP", "").partition(":")
    if not module:
        pytest.fail("set VMON_TEST_URL=http://… or VMON_TEST_APP=module:factory")
    return getattr(import_module(module), name or "make_app")()


def problems(statuses):
    """The deliveries that the app rejected: (what, status)."""
    return [(what, status) for what, status in statuses if not 200 <= status < 300]


def target(base, path):
    """What to request: URL's path with the delivery's appended, unless that is /; both queries."""
    own, mark, own_query = path.partition("?")
    root = (base.path or "/") if own == "/" else base.path.rstrip("/") + own
    queries = "&".join(filter(None, (own_query, base.query)))
    return root + (f"?{queries}" if queries else mark)


def as_text(headers):
    """Headers for aiohttp; in DELIVERIES each character is a byte."""
    wire = [(name, value.encode("latin-1", "replace")) for name, value in headers]
    return [(name, value.decode("utf-8", "surrogateescape")) for name, value in wire]


if URL:

    def test_the_app_accepts_every_delivery():
        base = urlsplit(URL)
        kind = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
        statuses = []
        for what, method, path, headers, body in DELIVERIES:
            connection = kind(base.hostname, base.port, timeout=10)
            where = target(base, path)
            connection.putrequest(method, where, skip_accept_encoding=True)
            for name, value in [*headers, ("Content-Length", str(len(body)))]:
                connection.putheader(name, value.encode("latin-1", "replace"))
            connection.endheaders(body)
            statuses.append((what, connection.getresponse().status))
            connection.close()
        assert problems(statuses) == []

else:

    @pytest.mark.asyncio
    async def test_the_app_accepts_every_delivery(aiohttp_client):
        from yarl import URL as Exactly

        client = await aiohttp_client(make_app())
        root = str(client.make_url("")).rstrip("/")
        statuses = []
        for what, method, path, headers, body in DELIVERIES:
            where = Exactly(root + path, encoded=True)
            sent = client.session.request(method, where, headers=as_text(headers), data=body)
            async with sent as answer:
                statuses.append((what, answer.status))
        assert problems(statuses) == []


DELIVERIES = [
'''


class _Pytest:
    """A module of tests: the deliveries as Python has them, the test above."""

    def __init__(self, seal: Sealing) -> None:
        self._seal = seal
        self._inner_path = stored_path()

    def begin(self) -> bytes:
        return _MODULE.encode()

    def each(self, entries: Iterable[Entry]) -> bytes:
        return b"".join([self._one(entry) for entry in entries])

    def _one(self, entry: Entry) -> bytes:
        delivery = self._seal(entry)
        what = f"{entry.type} {delivery.id}"
        path = origin_form(self._inner_path(delivery.path))
        parts = (what, delivery.method, path, list(_headers(delivery)), delivery.body)
        lines = "".join(f"        {part!a},\n" for part in parts)
        return f"    (\n{lines}    ),\n".encode()

    def end(self) -> bytes:
        return b"]\n"
