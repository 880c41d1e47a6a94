"""Sending a delivery to an app: the same method, path, headers and bytes → what it answered."""

from __future__ import annotations

import asyncio
import errno
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Self

import aiohttp
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from vmon.errors import WrongUse
from vmon.text import disarm, duration

if TYPE_CHECKING:
    from vmon.events import Delivery

HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers about one connection (RFC 9110, 7.6.1): the client makes its own."""

_KEPT_BODY = 2048


class Target(Struct, frozen=True):
    """Where deliveries go. Their path is appended to the URL's unless `exact_path`."""

    url: str
    exact_path: bool = False
    timeout_s: float = 10.0


class Outcome(Struct, frozen=True):
    """What became of a delivery: a status, or a problem in words, and how long it took (seconds).

    `body` is how the answer begins, where it is not a success.
    """

    status: int | None
    took_s: float
    problem: str | None = None
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """The app took it: a 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - that is 2xx

    def __str__(self) -> str:
        """As it is told: `200 in 12 ms`, `500 in 3 ms: no such room`, or the problem."""
        if self.status is None:
            return self.problem or "no answer"
        said = disarm(self.body.decode("utf-8", "replace").strip().partition("\n")[0][:200])
        return f"{self.status} in {duration(self.took_s)}" + (f": {said}" if said else "")


def target_of(url: str, *, exact_path: bool = False, timeout_s: float = 10.0) -> Target:
    """The target of what a user typed: `localhost:3000` means http; WrongUse for what is no URL."""
    given = url if "://" in url else f"http://{url}"
    try:
        parsed = URL(given)
        usable = parsed.scheme in {"http", "https"} and bool(parsed.host)
    except ValueError:
        usable = False
    if not usable:
        raise WrongUse(f"{url!r} is not a URL to send to", hint="write http://localhost:3000/hook")
    return Target(given, exact_path, timeout_s)


class Client:
    """An HTTP client with connections of its own; `async with`."""

    def __init__(self, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
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
        """Send one delivery; a failure is an outcome too."""
        begun = time.perf_counter()
        try:
            async with self._session.request(
                delivery.method,
                self._url(target, delivery.path),
                data=delivery.body,
                headers=_onward(delivery.headers),
                allow_redirects=False,
                timeout=_timeout(target.timeout_s),
            ) as answer:
                body = await answer.content.read(_KEPT_BODY) if answer.status >= 300 else b""  # noqa: PLR2004 - what is no success has something to say
                if answer.status < 300:  # noqa: PLR2004 - read whole, so that the connection can be used again
                    await answer.read()
                return Outcome(answer.status, time.perf_counter() - begun, body=body)
        except TimeoutError:
            problem = f"no answer within {duration(target.timeout_s)}"
        except (aiohttp.ClientError, ValueError, OSError) as error:
            problem = _problem(error, target)
        return Outcome(None, time.perf_counter() - begun, problem)

    def _url(self, target: Target, path: str) -> URL:
        key = (target.url, "" if target.exact_path else path)
        if (url := self._urls.get(key)) is None:
            if len(self._urls) > 1000:  # noqa: PLR2004 - paths with ids in them would pile up
                self._urls.clear()
            url = self._urls[key] = joined(target, path)
        return url


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
def _onward(headers: tuple[tuple[str, str], ...]) -> CIMultiDictProxy[str]:
    kept = [(name, _as_text(value)) for name, value in headers if name.lower() not in HOP_BY_HOP]
    return CIMultiDictProxy(CIMultiDict(kept))


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
            return f"nothing listens on {where}: is your app running?"
        case errno.ECONNRESET | errno.EPIPE:
            return f"{where} closed the connection without an answer"
        case _:
            pass
    match error:
        case aiohttp.ClientConnectorDNSError():
            return f"{URL(target.url).host} is a name nobody knows"
        case aiohttp.ServerDisconnectedError():
            return f"{where} closed the connection without an answer"
        case _:
            return f"{where}: {disarm(str(error) or type(error).__name__)}"


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
