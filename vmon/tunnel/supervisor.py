"""A tunnel that stays up: opened again when it ends, and what of that is worth telling."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

from msgspec import Struct

from vmon.tunnel.model import CannotTunnel, Change, State, Tunnel

MIN_PAUSE_S = 1.0
MAX_PAUSE_S = 30.0
MAX_LINGERING_TRIES = 6
"""With pauses of 1 to 30 s: a minute, the time a service takes to miss an agent that died."""


class Up(Struct, frozen=True):
    """The tunnel is there for the first time. Instants are aware UTC here and below."""

    at: datetime
    url: str


class Down(Struct, frozen=True):
    """There is no tunnel, for the first time or no more; told once, however often it is tried."""

    at: datetime
    detail: str
    code: str | None
    hint: str | None = None


class Back(Struct, frozen=True):
    """The tunnel is there again under its URL, after `down_s` seconds."""

    at: datetime
    url: str
    down_s: float


class Moved(Struct, frozen=True):
    """The tunnel has another URL: whoever calls `was` no longer reaches us."""

    at: datetime
    url: str
    was: str
    down_s: float


Notice = Up | Down | Back | Moved


async def keep_up(
    make: Callable[[], Tunnel],
    tell: Callable[[Notice], None],
    *,
    min_pause_s: float = MIN_PAUSE_S,
    max_pause_s: float = MAX_PAUSE_S,
) -> NoReturn:
    """Keep a tunnel open until cancelled; a fatal CannotTunnel ends it too.

    Pauses between tries double from the first to the longest; one that stood for the longest
    pause starts over. The tunnel is closed when this ends, which takes up to 5 s.
    """
    notifier = _Notifier(tell)
    pause_s = min_pause_s
    while True:
        stood_s = await _once(make(), notifier)
        if stood_s >= max_pause_s:
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
    """What was told so far: the URL, and since when there is none."""

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self._url: str | None = None
        self._down_at: datetime | None = None
        self._lingering = 0

    def online(self, url: str, at: datetime) -> None:
        """Tell that there is a URL, unless it was there all along."""
        was, down_at = self._url, self._down_at
        self._url, self._down_at, self._lingering = url, None, 0
        down_s = (at - down_at).total_seconds() if down_at else 0.0
        if was is None:
            self._tell(Up(at, url))
        elif was != url:
            self._tell(Moved(at, url, was, down_s))
        elif down_at is not None:
            self._tell(Back(at, url, down_s))

    def follow(self, change: Change) -> None:
        """Tell what a change means."""
        match change.state:
            case State.ONLINE:
                self.online(change.url or self._url or "", change.at)
            case State.RECONNECTING | State.FAILED | State.CLOSED:
                self._down(Down(change.at, change.detail, change.code))

    def failed(self, error: CannotTunnel) -> None:
        """Tell that a try failed; raise it where another would fail too."""
        if error.fatal and not self._may_pass(error):
            raise error
        self._down(Down(datetime.now(UTC), error.message, error.code, error.hint))

    def _may_pass(self, error: CannotTunnel) -> bool:
        self._lingering += 1
        return error.lingers and self._url is not None and self._lingering < MAX_LINGERING_TRIES

    def _down(self, notice: Down) -> None:
        if self._down_at is None:
            self._down_at = notice.at
            self._tell(notice)
