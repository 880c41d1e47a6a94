"""Keep a tunnel up: reopen it when it ends, and report outages."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

from msgspec import Struct

from vmon.tunnel.model import CannotTunnel, Change, State, Tunnel

MIN_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
MAX_LINGERING_TRIES = 6
"""With pauses of 1 to 30 s: a minute, after which a service has noticed that an agent died."""


class Up(Struct, frozen=True):
    """The tunnel is up for the first time. Times are aware UTC here and below."""

    at: datetime
    url: str


class Down(Struct, frozen=True):
    """The tunnel is down; reported once per outage, whatever the number of retries."""

    at: datetime
    detail: str
    code: str | None
    hint: str | None = None


class Back(Struct, frozen=True):
    """The tunnel is up again with the same URL, after `down_s` seconds."""

    at: datetime
    url: str
    down_s: float


class Moved(Struct, frozen=True):
    """The tunnel has a new URL: requests to `was` no longer arrive."""

    at: datetime
    url: str
    was: str
    down_s: float


Notice = Up | Down | Back | Moved


async def keep_up(
    make: Callable[[], Tunnel],
    notify: Callable[[Notice], None],
    *,
    min_pause_s: float = MIN_PAUSE_S,
    max_pause_s: float = MAX_PAUSE_S,
) -> NoReturn:
    """Keep a tunnel open until cancelled; raises a fatal CannotTunnel.

    Pauses between retries double from `min_pause_s` to `max_pause_s`, and start over after a
    tunnel was up for `max_pause_s`. The tunnel is closed at the end, which takes up to 5 s.
    """
    notifier = _Notifier(notify)
    pause_s = min_pause_s
    while True:
        up_s = await _once(make(), notifier)
        if up_s >= max_pause_s:
            pause_s = min_pause_s
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, max_pause_s)


async def _once(tunnel: Tunnel, notifier: "_Notifier") -> float:
    clock = asyncio.get_running_loop().time
    up_at = clock()
    try:
        url = await tunnel.start()
        up_at = clock()
        notifier.online(url, datetime.now(UTC))
        async for change in tunnel.changes():
            notifier.follow(change)
    except CannotTunnel as error:
        up_at = clock()
        notifier.failed(error)
    finally:
        await tunnel.close()
    return clock() - up_at


class _Notifier:
    """Reports outages; keeps the last URL, and since when the tunnel is down."""

    def __init__(self, notify: Callable[[Notice], None]) -> None:
        self._notify = notify
        self._url: str | None = None
        self._down_at: datetime | None = None
        self._lingering = 0

    def online(self, url: str, at: datetime) -> None:
        """Report the URL, unless it was up already."""
        was, down_at = self._url, self._down_at
        self._url, self._down_at, self._lingering = url, None, 0
        down_s = (at - down_at).total_seconds() if down_at else 0.0
        if was is None:
            self._notify(Up(at, url))
        elif was != url:
            self._notify(Moved(at, url, was, down_s))
        elif down_at is not None:
            self._notify(Back(at, url, down_s))

    def follow(self, change: Change) -> None:
        """Report a state change."""
        match change.state:
            case State.ONLINE:
                self.online(change.url or self._url or "", change.at)
            case State.RECONNECTING | State.FAILED | State.CLOSED:
                self._down(Down(change.at, change.detail, change.code))

    def failed(self, error: CannotTunnel) -> None:
        """Report a failed attempt; raises it if retrying cannot help."""
        if error.fatal and not self._may_pass(error):
            raise error
        self._down(Down(datetime.now(UTC), error.message, error.code, error.hint))

    def _may_pass(self, error: CannotTunnel) -> bool:
        self._lingering += 1
        return error.lingers and self._url is not None and self._lingering < MAX_LINGERING_TRIES

    def _down(self, notice: Down) -> None:
        if self._down_at is None:
            self._down_at = notice.at
            self._notify(notice)
