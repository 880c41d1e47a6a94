"""A tunnel without a process, that does what a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.tunnel.changes import Changes
from vmon.tunnel.model import CannotTunnel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmon.tunnel.model import Change


class ScriptedTunnel:
    """A tunnel that starts with a URL or an error, and then changes as the test says."""

    name = "scripted"

    def __init__(self, outcome: str | CannotTunnel) -> None:
        self.outcome = outcome
        self.told = Changes()
        self.closed = False

    async def start(self) -> str:
        if isinstance(self.outcome, CannotTunnel):
            raise self.outcome
        return self.outcome

    def changes(self) -> AsyncIterator[Change]:
        return self.told.read()

    async def close(self) -> None:
        self.closed = True
