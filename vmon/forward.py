"""Sending a delivery to an app: the same method, path, headers and bytes → what it answered."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from vmon.entry import HOP_BY_HOP
from vmon.errors import WrongUse
from vmon.text import disarm, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events import Delivery

_KEPT_BODY = 2048
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Target(Struct, frozen=True):
    """Where deliveries go. Their path is appended to the URL's unless `exact_path`.

    `headers` replace those of a delivery; `insecure` takes any certificate; `forwarded` adds the
    X-Forwarded headers that a delivery has not.
    """

    url: str
    exact_path: bool = False
    timeout_s: float = 10.0
    headers: tuple[tuple[str, str], ...] = ()
    insecure: bool = False
    forwarded: bool = False

    @property
    def name(self) -> str:
        """How it is called on a screen: host and port."""
        return disarm(URL(self.url).authority.rpartition("@")[2])


Kind = Literal["answered", "unreachable", "broken", "late", "unsendable"]
"""How a sending ended: with a status, without a connection, cut off, too late, or not begun."""


class Outcome(Struct, frozen=True):
    """What became of a delivery: a status, or a problem in words, and how long it took (seconds).

    `body` is how the answer begins, where it is not a success; `retry_after_s` what it asked for.
    """

    status: int | None
    took_s: float
    problem: str | None = None
    body: bytes = b""
    kind: Kind = "answered"
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """The app took it: a 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - that is 2xx

    def __str__(self) -> str:
        """As it is told: `200 in 12 ms`, `500 in 3 ms: no such room`, or the problem."""
        if self.status is None:
            return self.problem or "no response"
        said = disarm(self.body.decode("utf-8", "replace").strip().partition("\n")[0][:200])
        return f"{self.status} in {duration(self.took_s)}" + (f": {said}" if said else "")


def target_of(
    url: str, *, exact_path: bool = False, timeout_s: float = 10.0, **more: Any
) -> Target:
    """The target of what a user typed: `localhost:3000` means http; WrongUse for what is no URL."""
    given = url if "://" in url else f"http://{url}"
    try:
        parsed = URL(given)
        usable = parsed.scheme in {"http", "https"} and bool(parsed.host)
    except ValueError:
        usable = False
    if not usable:
        raise WrongUse(f"{url!r} is not a valid URL", hint="write http://localhost:3000/hook")
    return Target(given, exact_path, timeout_s, **more)


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
        begun = time.perf_counter()
        kind: Kind
        try:
            async with self._session.request(
                delivery.method,
                self._url(target, delivery.path),
                data=delivery.body,
                headers=_onward(
                    delivery.headers, delivery.remote if target.forwarded else None, target
                ),
                allow_redirects=False,
                timeout=_timeout(target.timeout_s),
                ssl=not target.insecure,
            ) as answer:
                connection.answered = True
                body = await _beginning(answer)
                took, after = time.perf_counter() - begun, _retry_after(answer)
                return Outcome(answer.status, took, body=body, retry_after_s=after)
        except TimeoutError:
            kind, problem = "late", f"no response within {duration(target.timeout_s)}"
        except (aiohttp.ClientConnectorError, aiohttp.ClientSSLError) as error:
            kind, problem = "unreachable", _problem(error, target)
        except ValueError as error:
            kind, problem = "unsendable", _problem(error, target)
        except (aiohttp.ClientError, OSError) as error:
            kind, problem = "broken", _problem(error, target)
        return Outcome(None, time.perf_counter() - begun, problem, kind=kind)

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
    said = answer.headers.get("Retry-After", "").strip()
    if not said:
        return None
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def joined(target: Target, path: str) -> URL:
    """The URL a delivery goes to: the target's path, then the delivery's; both their queries."""
    base = URL(target.url)
    if target.exact_path:
        return base
    if not path.startswith("/"):  # an absolute-form or asterisk-form request target
        path = URL(path).raw_path_qs if "://" in path else "/"
    root = str(base.with_query(None).with_fragment(None)).rstrip("/")
    if query := base.raw_query_string:
        path += ("&" if "?" in path else "?") + query
    return URL(root + path, encoded=True)


@lru_cache(maxsize=16)
def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s)


@lru_cache(maxsize=256)
def _onward(
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


def _problem(error: Exception, target: Target) -> str:
    """What went wrong, in a sentence for the developer whose app it is."""
    where = URL(target.url).authority
    cause = getattr(error, "os_error", error)
    match getattr(cause, "errno", None):
        case errno.ECONNREFUSED:
            return f"connection refused: nothing is listening on {where}"
        case errno.ECONNRESET | errno.EPIPE:
            return f"{where} closed the connection without a response"
        case _:
            pass
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"could not resolve host {URL(target.url).host}"
        case aiohttp.ClientConnectorCertificateError():
            return f"the TLS certificate of {where} is not trusted"
        case aiohttp.ServerDisconnectedError():
            return f"{where} closed the connection without a response"
        case _:
            return f"{where}: {disarm(str(error) or type(error).__name__)}"


def is_at(target: Target, url: str) -> bool:
    """Whether a target is a server of this machine that listens at `url`."""
    there, here = URL(target.url), URL(url)
    return there.port == here.port and there.host in {here.host, *_LOOPBACK}


async def connectable(target: Target, within_s: float) -> bool:
    """Whether something listens at the target, waiting for it for so long at most."""
    url = URL(target.url)
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        with_left = deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(with_left, 0.05)):
                _, writer = await asyncio.open_connection(url.host, url.port)
        except (OSError, TimeoutError):
            if with_left <= 0:
                return False
            await asyncio.sleep(0.05)  # a port that nobody listens on cannot be waited for
        else:
            writer.close()
            return True
