"""Cloudflare quick tunnels: no account, a new URL at every start."""

import os
import re

from vmon.tunnel.model import CannotTunnel, State, TunnelOptions
from vmon.tunnel.subprocess_tunnel import EngineEvent, EngineTunnel

BOXED_URL = re.compile(r"\|\s+(https://\S+)\s+\|")
CONNECTION = re.compile(r"connIndex=(\d+)")
LOST = ("Lost connection with the edge", "Retrying connection in up to", "Unregistered tunnel")


def cloudflared(options: TunnelOptions) -> EngineTunnel:
    """Make a quick tunnel to the receiver."""
    return EngineTunnel(Cloudflared(options.local_url), options)


class Cloudflared:
    """The cloudflared program; keeps which of its connections to the edge are up."""

    name = "cloudflared"
    program = "cloudflared"
    noise = ()

    def __init__(self, local_url: str) -> None:
        self._local_url = local_url
        self._url: str | None = None
        self._connections: set[str] = set()
        self._down = False

    def arguments(self) -> tuple[str, ...]:
        """The arguments for a quick tunnel, without the user's own configuration."""
        own = ("--no-autoupdate", "--config", os.devnull)
        return ("tunnel", *own, "--url", self._local_url)

    def parse_line(self, line: str) -> EngineEvent | None:
        """Parse a line; the URL works, and is reported, once a connection is registered."""
        if boxed := BOXED_URL.search(line):
            self._url = boxed[1]
        elif "Registered tunnel connection" in line:
            return self._registered(_connection(line))
        elif any(words in line for words in LOST):
            return self._lost(_connection(line), line)
        return None

    def explain(self, returncode: int | None, tail: list[str]) -> CannotTunnel:
        """Explain the exit; it is never fatal, because quick tunnels come without guarantees."""
        last = tail[-1] if tail else f"exit code {returncode}"
        if any("429" in line or "error code: 1015" in line for line in tail):
            return CannotTunnel(
                "too many quick tunnels from this address (Cloudflare rate limit)",
                code="RATE_LIMITED",
                hint="wait a few minutes, or use --tunnel ngrok",
            )
        return CannotTunnel(f"cloudflared exited: {last}", code="ENDED")

    def _registered(self, connection: str) -> EngineEvent | None:
        first = not self._connections
        self._connections.add(connection)
        self._down = False
        return EngineEvent(State.ONLINE, self._url) if first else None

    def _lost(self, connection: str, line: str) -> EngineEvent | None:
        self._connections.discard(connection)
        if self._connections or self._down:
            return None
        self._down = True
        return EngineEvent(State.RECONNECTING, detail=line)


def _connection(line: str) -> str:
    match = CONNECTION.search(line)
    return match[1] if match else "0"
