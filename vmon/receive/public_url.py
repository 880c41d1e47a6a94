"""The public side of a run: a tunnel kept up, its URL proved before it is told, its outages kept.

A URL is told as ready only when a request sent to it has come back to our own receiver. What
Vonage could not deliver in an outage it sends again later; the outage is kept in the capture.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct

from vmon.capture.codec import Outage
from vmon.tunnel.supervisor import Back, Down, Moved, Up, keep_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.tunnel.model import Tunnel
    from vmon.tunnel.supervisor import Notice


_PROBE_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 5.0
_TOLD_AFTER_S = 10.0
"""A URL that is not reachable yet is worth a word after so long."""


class PublicUrlCallbacks(Struct, frozen=True):
    """What the exposure tells its owner.

    `prepare` gets a base URL before anything is sent there, lets its requests in, and gives the
    URL to be told, secret path included. `ready` gets that when it is proved to reach us, and the
    one it replaces.
    `down` gets what happened, `back` the outage that is over. `waiting` gets a sentence while a
    URL is not reachable yet. `expect` makes the receiver look out for a probe: what it returns
    is set when that came.
    """

    prepare: Callable[[str], str]
    ready: Callable[[str, str | None], None]
    down: Callable[[Down], None]
    back: Callable[[Outage], None]
    waiting: Callable[[str], None]
    expect: Callable[[str], asyncio.Event]


class PublicUrlKeeper:
    """Keeps one receiver reachable from outside for as long as `run` runs."""

    def __init__(self, make: Callable[[], Tunnel], hooks: PublicUrlCallbacks) -> None:
        self._make = make
        self._hooks = hooks
        self._told: str | None = None
        self._down: Down | None = None
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()

    async def run(self) -> None:
        """Keep the tunnel up until cancelled; CannotTunnel when that cannot be."""
        keeper = asyncio.create_task(keep_up(self._make, self._notices.put_nowait))
        teller = asyncio.create_task(self._tell_all())
        try:
            await asyncio.wait({keeper, teller}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            teller.cancel()
            keeper.cancel()
            results = await asyncio.gather(keeper, teller, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _tell_all(self) -> None:
        while True:
            match await self._notices.get():
                case Up(url=url):
                    await self._prove(self._hooks.prepare(url))
                case Moved(url=url) as notice:
                    self._over(notice)
                    await self._prove(self._hooks.prepare(url))
                case Back() as notice:
                    self._over(notice)
                case Down() as notice:
                    self._down = notice
                    self._hooks.down(notice)

    def _over(self, notice: Back | Moved) -> None:
        if self._down is not None:
            outage = Outage(notice.url, self._down.at, datetime.now(UTC), self._down.detail)
            self._hooks.back(outage)
        self._down = None

    async def _prove(self, url: str) -> None:
        """Send requests to the URL until one comes back to us (then tell it), or there is news."""
        nonce = secrets.token_urlsafe(12)
        came = self._hooks.expect(nonce)
        probe = f"{url}?vmon-probe={nonce}"
        clock = asyncio.get_running_loop().time
        begun, pause_s, told = clock(), _FIRST_PAUSE_S, False
        async with aiohttp.ClientSession() as session:
            while self._notices.empty():
                why = await _try(session, probe)
                if came.is_set():
                    self._hooks.ready(url, self._told)
                    self._told = url
                    return
                if not told and clock() - begun > _TOLD_AFTER_S:
                    told = True
                    self._hooks.waiting(f"{url} does not reach vmon yet: {why}; retrying")
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
