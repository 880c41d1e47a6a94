"""Sending a delivery to an app: the same method, path, headers and bytes → what it answered."""

from __future__ import annotations

import errno
import socket
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from vmon.events.delivery import HOP_BY_HOP
from vmon.forward.targets import Target, joined
from vmon.humanize import duration
from vmon.sanitize import disarm
from vmon.security.scrub import scrub_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry

_KEPT_BODY = 2048
_MAX_TEXT = 200
"""Characters of a URL, or of an answer, in a line."""


Kind = Literal["answered", "unreachable", "broken", "late", "unsendable", "error"]
"""How a sending ended: with a status, without a connection, cut off, too late, not begun, or in an
error of vmon's own."""

_WITHOUT_REQUEST: frozenset[Kind] = frozenset({"unreachable", "unsendable"})
"""Where nothing was requested, there is no request to name."""


class Outcome(Struct, frozen=True):
    """What became of a delivery: a status, or a problem in words, and how long it took (seconds).

    `body` is how the answer begins, where it is not a success; `retry_after_s` what it asked for;
    `location` where it redirects to. `request` is the method and URL of what was no success.
    """

    status: int | None
    took_s: float
    problem: str | None = None
    body: bytes = b""
    kind: Kind = "answered"
    retry_after_s: float | None = None
    request: str = ""
    location: str = ""

    @property
    def ok(self) -> bool:
        """The app took it: a 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - that is 2xx

    def __str__(self) -> str:
        """In words: `200 in 12 ms`, `500 in 3 ms (POST URL): no such room`, or the problem."""
        request = f" ({disarm(self.request[:_MAX_TEXT])})" if self.request else ""
        if self.status is None:
            return (self.problem or "no response") + request
        detail = disarm(self._detail[:_MAX_TEXT])
        return f"{self.status} in {duration(self.took_s)}{request}" + (
            f": {detail}" if detail else ""
        )

    @property
    def _detail(self) -> str:
        """Where it redirects to, else the first line of its body."""
        if self.location:
            return f"redirects to {self.location}"
        return self.body.decode("utf-8", "replace").strip().partition("\n")[0]


class Client:
    """An HTTP client with connections of its own; `async with`."""

    def __init__(self, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections, socket_factory=_socket),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._urls: dict[tuple[str, str], URL] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, delivery: Delivery, target: Target) -> Outcome:
        """Send one delivery; a failure is an outcome too.

        An app may close a connection just when it is used again: then a new one is tried.
        """
        connection = _Connection()
        _connection.set(connection)
        outcome = await self._send(delivery, target, connection)
        if outcome.kind == "broken" and connection.reused and not connection.answered:
            return await self._send(delivery, target, _Connection())
        return outcome

    async def _send(self, delivery: Delivery, target: Target, connection: _Connection) -> Outcome:
        begun, url = time.perf_counter(), None
        try:
            url = self._url(target, delivery.path)
            async with self._session.request(
                delivery.method,
                url,
                data=delivery.body,
                headers=_sent_headers(
                    delivery.headers, delivery.remote if target.forwarded else None, target
                ),
                allow_redirects=False,
                timeout=_timeout(target.timeout_s),
                ssl=not target.insecure,
            ) as answer:
                connection.answered = True
                return await _answered(answer, begun)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong ends this attempt alone
            kind = _kind(error, answered=connection.answered)
            request = (
                ""
                if url is None or kind in _WITHOUT_REQUEST
                else _request_in_words(delivery.method, url)
            )
            took, problem = time.perf_counter() - begun, _problem(error, kind, target)
            return Outcome(None, took, problem, kind=kind, request=request)

    def _url(self, target: Target, path: str) -> URL:
        key = (target.url, "" if target.exact_path else path)
        if (url := self._urls.get(key)) is None:
            if len(self._urls) > 1000:  # noqa: PLR2004 - paths with ids in them would pile up
                self._urls.clear()
            url = self._urls[key] = joined(target, path)
        return url


class _Connection:
    """What is known of the connection that a request goes over: an old one, unless it is made."""

    def __init__(self) -> None:
        self.reused, self.answered = True, False


_connection: ContextVar[_Connection] = ContextVar("connection")


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """The socket of a new connection, which the request that it is made for takes note of.

    aiohttp's own way to tell of that, a trace, costs a tenth of what a request costs.
    """
    _connection.get().reused = False
    family, kind, protocol, *_ = address
    return socket.socket(family, kind, protocol)


async def _answered(answer: aiohttp.ClientResponse, begun: float) -> Outcome:
    """The outcome of an answer; `begun` is when the sending began, of the performance counter."""
    body = await _beginning(answer)
    took, status, after_s = time.perf_counter() - begun, answer.status, _retry_after(answer)
    if 200 <= status < 300:  # noqa: PLR2004 - that is 2xx
        return Outcome(status, took, retry_after_s=after_s)
    location = answer.headers.get("Location", "") if 300 <= status < 400 else ""  # noqa: PLR2004 - 3xx
    request = _request_in_words(answer.method, answer.request_info.url)
    return Outcome(
        status, took, body=body, retry_after_s=after_s, request=request, location=location
    )


def _request_in_words(method: str, url: URL) -> str:
    """A request in words: its method and URL, without what is secret in it."""
    return f"{method} {scrub_url(str(url.with_user(None)))}"


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """How an answer that is no success begins.

    A success is read whole, and thrown away, so that its connection can be used again.
    """
    if answer.status >= 300:  # noqa: PLR2004 - what is no success has something to say
        return await answer.content.read(_KEPT_BODY)
    content = answer.content
    while not content.at_eof():
        await content.readany()
    return b""


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Seconds of a Retry-After header, in either of its forms; None for none or nonsense."""
    header = answer.headers.get("Retry-After", "").strip()
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        at = parsedate_to_datetime(header)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())
    except (ArithmeticError, LookupError, TypeError, ValueError):  # the parser's ways to say no
        return None


@lru_cache(maxsize=16)
def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s)


@lru_cache(maxsize=256)
def _sent_headers(
    headers: tuple[tuple[str, str], ...], remote: str | None, target: Target
) -> CIMultiDictProxy[str]:
    own = {name.lower() for name, _ in target.headers}
    kept = CIMultiDict(
        (name, _as_text(value))
        for name, value in headers
        if name.lower() not in HOP_BY_HOP and name.lower() not in own
    )
    if target.forwarded:
        for name, value in _forwarded(headers, remote):
            kept.setdefault(name, value)
    kept.extend(target.headers)
    return CIMultiDictProxy(kept)


def _forwarded(
    headers: tuple[tuple[str, str], ...], remote: str | None
) -> Iterator[tuple[str, str]]:
    """Who sent a delivery, how, and to which host: vmon itself is reached over plain HTTP."""
    if remote:
        yield "X-Forwarded-For", remote.rpartition(":")[0]
    yield "X-Forwarded-Proto", "http"
    for name, value in headers:
        if name.lower() == "host":
            yield "X-Forwarded-Host", _as_text(value)


def _as_text(value: str) -> str:
    """A header's bytes (each a character, as they were received) as the text that aiohttp sends."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:  # not UTF-8: aiohttp sends nothing else
        return value


def _kind(error: Exception, *, answered: bool) -> Kind:
    """How a sending ended that raised this, before or after the head of an answer."""
    match error:
        case TimeoutError():
            return "late"
        case aiohttp.ClientConnectorError() | aiohttp.ClientSSLError():
            return "unreachable"
        case ValueError() if not answered:
            return "unsendable"
        case aiohttp.ClientError() | OSError():
            return "broken"
        case _:
            return "error"


def _problem(error: Exception, kind: Kind, target: Target) -> str:
    """What went wrong, in a sentence for the developer whose app it is."""
    where = target.name
    if kind == "late":
        return f"no response within {duration(target.timeout_s)}"
    if kind == "error":
        text = disarm(f"{type(error).__name__}: {error}")
        return f"{where}: {text} (a bug in vmon, please report it)"
    return _broken(error, where, target)


def _broken(error: Exception, where: str, target: Target) -> str:
    number = getattr(getattr(error, "os_error", error), "errno", None)
    if number == errno.ECONNREFUSED:
        return f"connection refused: nothing is listening on {where}"
    if number in {errno.ECONNRESET, errno.EPIPE}:
        return f"{where} closed the connection without a response"
    match error:
        case aiohttp.ClientConnectorDNSError():
            problem = f"cannot resolve host {URL(target.url).host}"
        case aiohttp.ClientConnectorCertificateError():
            problem = f"certificate of {where} not trusted (--insecure skips verification)"
        case aiohttp.ServerDisconnectedError():
            problem = f"{where} closed the connection without a response"
        case aiohttp.ClientResponseError(message=message):
            what = disarm(message.partition("\n")[0].removesuffix(":")[:_MAX_TEXT])
            problem = f"{where} sent an invalid HTTP response: {what}"
        case _:
            problem = f"{where}: {disarm(str(error) or type(error).__name__)}"
    return problem


class ForwardResult(NamedTuple):
    """What became of an entry: at its first failure, and in the end.

    `again_s` is when it is sent again; None: never, it was sent or given up.
    """

    entry: Entry
    target: str
    outcome: Outcome
    attempts: int = 1
    again_s: float | None = None
