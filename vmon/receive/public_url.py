"""The public URL of a run: a tunnel kept up, announced once it is proved, guarded by a secret path.

A URL is announced only when a request sent to it has reached our own receiver. What Vonage could
not deliver in an outage it sends again later; the outage is kept in the capture.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from vmon.capture.codec import Outage
from vmon.receive.elements import Notice, TunnelDown, TunnelUp
from vmon.sanitize import disarm
from vmon.security.access import Guard
from vmon.tunnel.supervisor import Back, Down, Moved, Up, keep_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.receive.feed import Feed
    from vmon.tunnel.choice import TunnelRequest
    from vmon.tunnel.supervisor import Notice as TunnelNotice


_PROBE_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 5.0
_LATE_S = 10.0
"""A URL that is not reachable yet is worth a word after so long."""


class Receiving(Protocol):
    """The receiver that a public URL leads to."""

    guard: Guard | None

    def expect(self, nonce: str) -> asyncio.Event:
        """Look out for a request with this nonce in its path; set when it came."""


class PublicUrlCallbacks(Struct, frozen=True):
    """`guard` gets the guard whenever it changes, `outage` each outage that is over."""

    guard: Callable[[Guard], None]
    outage: Callable[[Outage], None]


class PublicUrl:
    """Keeps one receiver reachable from outside, and lets in who knows its secret path.

    `secret` None asks for no secret path.
    """

    def __init__(
        self,
        request: TunnelRequest,
        receiver: Receiving,
        feed: Feed,
        secret: str | None,
        callbacks: PublicUrlCallbacks,
    ) -> None:
        self._request = request
        self._receiver = receiver
        self._feed = feed
        self._secret = secret
        self._callbacks = callbacks
        self._announced: str | None = None
        self._unproved: str | None = None
        self._down: Down | None = None
        self._notices: asyncio.Queue[TunnelNotice] = asyncio.Queue()
        self.let_in("")  # nobody gets in before the URL is known

    def inside(self, local_url: str) -> str:
        """The URL by which this machine reaches the receiver itself, secret path included."""
        if self._secret is None or self._request.marks_requests:
            return local_url
        return f"{local_url}/{self._secret}"

    async def run(self, local_url: str) -> None:
        """Keep the tunnel up until cancelled; CannotTunnel when that cannot be."""
        keeper = asyncio.create_task(
            keep_up(lambda: self._request.tunnel(local_url), self._notices.put_nowait)
        )
        announcer = asyncio.create_task(self._announce_all())
        try:
            await asyncio.wait({keeper, announcer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            announcer.cancel()
            keeper.cancel()
            results = await asyncio.gather(keeper, announcer, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def let_in(self, public_url: str) -> str:
        """Let in what comes by this URL and its secret path; the URL to announce."""
        host = urlsplit(public_url).hostname
        everyone = not self._request.marks_requests
        guard = Guard(self._secret, frozenset({host.lower()} if host else ()), everyone)
        self._receiver.guard = guard
        self._callbacks.guard(guard)
        return f"{public_url}/{self._secret}" if self._secret else public_url

    async def _announce_all(self) -> None:
        while True:
            match await self._notices.get():
                case Up(url=url):
                    await self._prove(self.let_in(url))
                case Moved(url=url) as notice:
                    self._over(notice)
                    await self._prove(self.let_in(url))
                case Back() as notice:
                    self._over(notice)
                    if self._unproved is not None:
                        await self._prove(self._unproved)
                case Down() as notice:
                    self._down = notice
                    self._feed.publish(TunnelDown(notice.detail, notice.code))

    def _over(self, notice: Back | Moved) -> None:
        if self._down is not None:
            outage = Outage(notice.url, self._down.at, datetime.now(UTC), self._down.detail)
            self._callbacks.outage(outage)
        self._down = None

    async def _prove(self, url: str) -> None:
        """Send requests to the URL until one reaches us (then announce it), or there is news."""
        self._unproved = url
        nonce = secrets.token_urlsafe(12)
        came = self._receiver.expect(nonce)
        probe = f"{url}?vmon-probe={nonce}"
        clock = asyncio.get_running_loop().time
        begun, pause_s, is_late = clock(), _FIRST_PAUSE_S, False
        async with aiohttp.ClientSession() as session:
            while self._notices.empty():
                why = await _try(session, probe)
                if came.is_set():
                    was = None if self._announced == url else self._announced
                    self._feed.publish(TunnelUp(url, was))
                    self._announced, self._unproved = url, None
                    return
                if not is_late and clock() - begun > _LATE_S:
                    is_late = True
                    text = f"{disarm(url)} does not reach vmon yet: {disarm(why)}; retrying"
                    self._feed.publish(Notice(text))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


async def _try(session: aiohttp.ClientSession, probe: str) -> str:
    """Send one request; what it came to, in words. Whether it reached us, the receiver knows."""
    timeout = aiohttp.ClientTimeout(total=_PROBE_TIMEOUT_S)
    try:
        async with session.get(probe, timeout=timeout, allow_redirects=False) as answer:
            return f"another server responded {answer.status}"
    except TimeoutError:
        return "no response"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return str(error) or type(error).__name__
