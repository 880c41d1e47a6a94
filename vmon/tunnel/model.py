"""What every tunnel is, whichever engine carries it: its options, its changes, its failures."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from vmon.errors import TunnelFailed


class State(StrEnum):
    """Where a tunnel stands."""

    ONLINE = "online"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


class Change(Struct, frozen=True):
    """A tunnel went to another state.

    `at` is aware UTC; `url` is the public base URL and set when online; `detail` is one line;
    `code` is the engine's own word for an error (ERR_NGROK_107) or vmon's (NETWORK).
    """

    state: State
    at: datetime
    url: str | None = None
    detail: str = ""
    code: str | None = None


class TunnelOptions(Struct, frozen=True, kw_only=True):
    """What a tunnel is asked for.

    `local_url` is the receiver's whole base URL, http://127.0.0.1:8000, already listening.
    `state_dir` is this user's, for the private folder of each running agent; made if missing.
    `start_timeout_s` bounds the time to a public URL; ending a late agent takes up to 5 s more.
    `binary` is the engine to run in place of the one that is found.
    `domain` is a reserved name, for engines that have such a thing.
    `methods` are the only ones the edge lets through; empty: all (ngrok only).
    `inspect` lets the engine keep bodies for its own inspector (ngrok only).
    `url_template`, as https://hooks.example:{port}, is for an own ssh server, which prints no URL.
    `remote_port` is the port asked of an ssh server; `ssh_args` go before its host.
    """

    local_url: str
    state_dir: Path
    start_timeout_s: float = 20.0
    binary: Path | None = None
    domain: str | None = None
    authtoken: str | None = None
    inspect: bool = False
    methods: tuple[str, ...] = ()
    url_template: str | None = None
    remote_port: int | None = None
    ssh_args: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # The generated one would carry the authtoken into tracebacks and logs.
        return f"TunnelOptions(local_url={self.local_url!r}, domain={self.domain!r})"


class CannotTunnel(TunnelFailed):
    """A tunnel did not come up.

    `fatal`: trying again cannot help. `lingers`: it may pass by itself within seconds where our
    own agent has just died, because the service has not noticed yet.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        fatal: bool = False,
        lingers: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.fatal = fatal
        self.lingers = lingers


class Tunnel(Protocol):
    """One public URL to one receiver, from start to close; it is not started twice."""

    @property
    def name(self) -> str:
        """The provider's name, as on the command line."""

    @property
    def stable_url(self) -> bool:
        """Whether the next start gets the same URL."""

    async def start(self) -> str:
        """Open it and give its public base URL, without a slash at its end.

        Ends within the start timeout and 5 s, with the URL or CannotTunnel.
        """

    def changes(self) -> AsyncIterator[Change]:
        """What happens after the start, for one reader; the last is FAILED or CLOSED."""

    async def close(self) -> None:
        """End it, within 5 s, leaving no process and no file; again is nothing."""
