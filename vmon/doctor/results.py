"""What a check is, and what it finds."""

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
"""Asked for nothing but the time; the first that answers is believed."""


CHECK_TIMEOUT_S = 5.0
"""How long a check may take."""


CONNECT_S = 3.0


class Result(Struct, frozen=True):
    """What a check found: a sentence, and what to do about it where something is to be done."""

    name: str
    verdict: Verdict
    said: str
    fix: str | None = None


class DoctorOptions(Struct, frozen=True):
    """The options of `vmon doctor`.

    `tunnel` is the provider that is used (ngrok, cloudflared, ssh), None when nobody said; `ngrok`
    is the agent to use in place of the one that is found.
    `token` is an authtoken from the settings and where it is from. `settings` tells which files
    are read; WrongUse when they cannot be. `offline`: nothing leaves this machine.
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
        # The generated one would carry the token into tracebacks.
        return f"DoctorOptions({self.host}:{self.port})"


class Finding(NamedTuple):
    """What a check's function gives: all of a result but the name."""

    verdict: Verdict
    said: str
    fix: str | None = None


class Check(NamedTuple):
    """A question, and how bad it is when it cannot be answered in time."""

    name: str
    ask: Callable[[], Finding]
    late: Verdict = "warn"
