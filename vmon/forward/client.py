"""Sending a delivery to an app: the same method, path, headers and bytes → what it answered."""

from __future__ import annotations

import socket
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct
from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from vmon.events.delivery import HOP_BY_HOP
from vmon.forward.excerpt import excerpt, unpacked
from vmon.forward.problems import Kind, expects_tls, kind_of, problem_of, tls_expected
from vmon.forward.targets import Target, joined
from vmon.humanize import duration
from vmon.sanitize import disarm
from vmon.security.scrub import scrub_url
from vmon.urls import addresses, is_localhost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yarl import URL

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry

KEPT_BODY = 2048
"""Bytes of an answer's body that are kept."""
_MAX_TEXT = 200
"""Characters of a URL, or of an answer, in a line."""


_WITHOUT_REQUEST: frozenset[Kind] = frozenset({"unreachable", "unsendable"})
"""Where nothing was requested, there is no request to name."""


class Outcome(Struct, frozen=True):
    """What became of a delivery: a status, or a problem in words, and how long it took (seconds).

    `headers` and `body` are the answer's, of the body its beginning; `retry_after_s` is what it
    asked for, `location` where it redirects to. `request` is the method and URL of what was no
    success.
    """

    status: int | None
    took_s: float
    problem: str | None = None
    body: bytes = b""
    kind: Kind = "answered"
    retry_after_s: float | None = None
    request: str = ""
    location: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()

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
        """Where it redirects to, else what its body says where it is no success."""
        if self.location:
            return f"redirects to {self.location}"
        return "" if self.ok else excerpt(self.body)


class Client:
    """An HTTP client with connections of its own; `async with`."""

    def __init__(self, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, socket_factory=_socket, resolver=_Resolver()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        self._urls: dict[tuple[str, str], URL] = {}
        self._known: set[str] = set()

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
            outcome = await self._send(delivery, target, _Connection())
        if outcome.kind == "broken" and target.url not in self._known:
            return await self._explained(outcome, target)
        if outcome.status is not None:
            self._known.add(target.url)
        return outcome

    async def _explained(self, outcome: Outcome, target: Target) -> Outcome:
        """The outcome of an app that never answered: it may want TLS, which is tried once."""
        if await expects_tls(target):
            return replace(outcome, problem=tls_expected(target))
        self._known.add(target.url)
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
            kind = kind_of(error, answered=connection.answered)
            request = (
                ""
                if url is None or kind in _WITHOUT_REQUEST
                else _request_in_words(delivery.method, url)
            )
            took, problem = time.perf_counter() - begun, problem_of(error, kind, target)
            return Outcome(None, took, problem, kind=kind, request=request)

    def _url(self, target: Target, path: str) -> URL:
        key = (target.url, "" if target.exact_path else path)
        if (url := self._urls.get(key)) is None:
            if len(self._urls) > 1000:  # noqa: PLR2004 - paths with ids in them would pile up
                self._urls.clear()
            url = self._urls[key] = joined(target, path)
        return url


class _Resolver(AbstractResolver):
    """The system's resolver, but for the names of loopback, which have all of its addresses."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host."""
        if not is_localhost(host):
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses(host)
        ]

    async def close(self) -> None:
        """Nothing is open."""


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
    if encoding := answer.headers.get("Content-Encoding", ""):
        body = unpacked(body, encoding, KEPT_BODY)
    if 200 <= status < 300:  # noqa: PLR2004 - that is 2xx
        return Outcome(status, took, None, body, retry_after_s=after_s, headers=answer.raw_headers)
    return Outcome(
        status,
        took,
        body=body,
        retry_after_s=after_s,
        request=_request_in_words(answer.method, answer.request_info.url),
        location=answer.headers.get("Location", "") if status < 400 else "",  # noqa: PLR2004 - 3xx
        headers=answer.raw_headers,
    )


def _request_in_words(method: str, url: URL) -> str:
    """A request in words: its method and URL, without what is secret in it."""
    return f"{method} {scrub_url(str(url.with_user(None)))}"


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """How an answer begins.

    A success is read whole, and the rest thrown away, so that its connection can be used again.
    """
    content = answer.content
    if answer.status >= 300:  # noqa: PLR2004 - the rest of what is no success is not waited for
        return await content.read(KEPT_BODY)
    begin = b""
    while not content.at_eof():
        piece = await content.readany()
        if len(begin) < KEPT_BODY:
            begin = (begin + piece)[:KEPT_BODY]
    return begin


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
        yield "X-Forwarded-For", remote.rpartition(":")[0].strip("[]")
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


class ForwardResult(NamedTuple):
    """What became of an entry: at its first failure, and in the end.

    `again_s` is when it is sent again; None: never, it was sent or given up.
    """

    entry: Entry
    target: str
    outcome: Outcome
    attempts: int = 1
    again_s: float | None = None
