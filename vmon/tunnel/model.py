"""The model of tunnels: protocol, options, state changes, errors."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from vmon.errors import TunnelFailed


class State(StrEnum):
    """The state of a tunnel."""

    ONLINE = "online"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


class Change(Struct, frozen=True):
    """A state change of a tunnel.

    `at` is aware UTC; `url` is the public base URL and set when online; `detail` is one line;
    `code` is the engine's error code (ERR_NGROK_107) or vmon's (NETWORK).
    """

    state: State
    at: datetime
    url: str | None = None
    detail: str = ""
    code: str | None = None


class TunnelOptions(Struct, frozen=True, kw_only=True):
    """Options of a tunnel.

    `local_url` is the receiver's base URL, http://127.0.0.1:8000, already listening.
    `state_dir` is this user's, for the private folder of each running agent; created if missing.
    `start_timeout_s` bounds the time to a public URL; ending a late agent takes up to 5 s more.
    `binary` is the engine's program; None finds it.
    `domain` is a reserved domain, for engines that support it.
    `methods` are the allowed request methods; empty: all (ngrok only).
    `inspect` enables the engine's own request inspector (ngrok only).
    `url_template`, as https://hooks.example:{port}, is for an own ssh server, which prints no URL.
    `remote_port` is the port to request from an ssh server; `ssh_args` go before its host.
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
        # The generated repr would put the authtoken into tracebacks and logs.
        return f"TunnelOptions(local_url={self.local_url!r}, domain={self.domain!r})"


class CannotTunnel(TunnelFailed):
    """A tunnel could not be opened.

    `fatal`: retrying cannot help. `lingers`: it may resolve itself within seconds if our own
    agent has just died, because the service has not noticed yet.
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
    """A public URL for a receiver, from start to close; it is started only once."""

    @property
    def name(self) -> str:
        """The provider's name, as on the command line."""

    async def start(self) -> str:
        """Open it and return its public base URL, without a trailing slash.

        Takes at most the start timeout plus 5 s; CannotTunnel if it fails.
        """

    def changes(self) -> AsyncIterator[Change]:
        """The state changes after the start, for one reader; the last is FAILED or CLOSED."""

    async def close(self) -> None:
        """Close it within 5 s, leaving no process and no file; a second call does nothing."""
