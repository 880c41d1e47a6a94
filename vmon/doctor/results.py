"""Checks, their options and results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec import Struct

from vmon.config import HOST, PORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmon.errors import WrongUse

Verdict = Literal["pass", "warn", "fail", "skip"]


CLOCKS = ("https://video.api.vonage.com", "https://api.ngrok.com")
"""Servers to get the time from; the first that responds is used."""


CHECK_TIMEOUT_S = 5.0
"""The timeout of a check."""


CONNECT_S = 3.0


class Result(Struct, frozen=True, rename={"message": "said"}):
    """The result of a check: a message, and a fix if one is needed."""

    name: str
    verdict: Verdict
    message: str
    fix: str | None = None


class DoctorOptions(Struct, frozen=True):
    """Options of `vmon doctor`.

    `tunnel` is the provider that is used (ngrok, cloudflared, ssh), None if unknown; `ngrok` is
    the path of the agent, None to find it.
    `token` is an authtoken from the settings and its source. `settings` are the files that were
    read, or the error. With `offline` nothing leaves this machine.
    """

    host: str = HOST
    port: int = PORT
    captures: Path | None = None
    state_dir: Path | None = None
    tunnel: str | None = None
    ngrok: Path | None = None
    token: tuple[str, str] | None = None
    public_url: str | None = None
    apps: tuple[str, ...] = ()
    settings: str | WrongUse = "no config file; defaults in use"
    clocks: tuple[str, ...] = CLOCKS
    offline: bool = False

    def __repr__(self) -> str:
        # The generated repr would put the token into tracebacks.
        return f"DoctorOptions({self.host}:{self.port})"


class Finding(NamedTuple):
    """What a check returns: a result without its name."""

    verdict: Verdict
    message: str
    fix: str | None = None


class Check(NamedTuple):
    """A check, and its verdict if it times out."""

    name: str
    run: Callable[[], Finding]
    on_timeout: Verdict = "warn"
