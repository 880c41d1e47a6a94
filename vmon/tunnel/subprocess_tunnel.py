"""Tunnels by a child process, the engine, whose output reports its state."""

import asyncio
import shutil
from asyncio.subprocess import PIPE, STDOUT
from collections import deque
from collections.abc import AsyncIterator, Callable
from signal import Signals
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from vmon.tunnel import orphans
from vmon.tunnel.changes import Changes
from vmon.tunnel.model import CannotTunnel, Change, State, TunnelOptions
from vmon.tunnel.output import plain
from vmon.tunnel.processes import END, GRACE_S, KILL, KILL_S, parent_death_command, send

if TYPE_CHECKING:
    from pathlib import Path

TAIL_LINES = 20
DRAIN_S = 0.5
LINE_LIMIT = 256 * 1024
STDOUT_FD = 1


class EngineEvent(Struct, frozen=True):
    """The meaning of a line of an engine's output."""

    state: State
    url: str | None = None
    detail: str = ""
    code: str | None = None


class Engine(Protocol):
    """A tunnel program: its command line and output."""

    @property
    def name(self) -> str:
        """The provider's name, as on the command line."""

    @property
    def program(self) -> str:
        """The program's name on PATH."""

    @property
    def noise(self) -> tuple[str, ...]:
        """Prefixes of lines that are left out of explanations."""

    def arguments(self) -> tuple[str, ...]:
        """The arguments of its command line."""

    def parse_line(self, line: str) -> EngineEvent | None:
        """Parse a line of output; None if it means nothing."""

    def explain(self, returncode: int | None, tail: list[str]) -> CannotTunnel:
        """Explain why it exited, by its exit code and last lines."""


class EngineTunnel:
    """A tunnel through an engine."""

    def __init__(self, engine: Engine, options: TunnelOptions) -> None:
        self.name = engine.name
        self._engine = engine
        self._options = options
        self._changes = Changes()
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._process: asyncio.SubprocessTransport | None = None
        self._watching: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The engine's process ID, once it was started."""
        return self._process.get_pid() if self._process else None

    async def start(self) -> str:
        """Run the engine until it prints its URL."""
        self._first: asyncio.Future[str | CannotTunnel] = asyncio.Future()
        try:
            async with asyncio.timeout(self._options.start_timeout_s):
                await self._spawn(self._program())
                outcome = await asyncio.shield(self._first)
        except TimeoutError:
            await self.close()
            raise self._timeout_error() from None
        except BaseException:
            await self.close()
            raise
        if isinstance(outcome, CannotTunnel):
            await self.close()
            raise outcome
        return outcome

    def changes(self) -> AsyncIterator[Change]:
        """The state changes after the start."""
        return self._changes.read()

    async def close(self) -> None:
        """Stop the engine: SIGTERM, then SIGKILL if necessary."""
        self._closing = True
        try:
            await self._end()
        finally:
            if self._folder:
                orphans.release_folder(self._folder)
            self._changes.publish(State.CLOSED)

    def _program(self) -> str:
        name = str(self._options.binary or self._engine.program)
        path = shutil.which(name)
        if path is None:
            raise CannotTunnel(
                f"{name} not found on PATH",
                code="NOT_FOUND",
                hint=f"install {self._engine.program}, or use another --tunnel",
                fatal=True,
            )
        return path

    async def _spawn(self, program: str) -> None:
        arguments = self._engine.arguments()
        self._folder = orphans.claim_folder(self._options.state_dir, self.name)
        # stdin stays open: ssh services end the session with it. A session of its own,
        # so that Ctrl-C in the terminal reaches vmon only and it can drain first.
        try:
            self._process, output = await asyncio.get_running_loop().subprocess_exec(
                lambda: OutputProtocol(self._take),
                *parent_death_command(),
                program,
                *arguments,
                stdin=PIPE,
                stdout=PIPE,
                stderr=STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise CannotTunnel(
                f"cannot run {program}: {error.strerror or error}",
                code="NOT_RUNNABLE",
                fatal=True,
            ) from None
        self._watching = asyncio.create_task(self._watch(self._process, output))
        orphans.record_agent(self._folder, self._process.get_pid(), arguments)

    async def _watch(self, process: asyncio.SubprocessTransport, output: "OutputProtocol") -> None:
        await output.exited
        # A child of it may keep the pipe open for any time.
        await asyncio.wait({output.drained}, timeout=DRAIN_S)
        send(process.get_pid(), KILL)
        returncode = process.get_returncode()
        process.close()
        self._ended(returncode)

    def _take(self, line: str) -> None:
        if line and not line.startswith(self._engine.noise):
            self._tail.append(line)
        event = self._engine.parse_line(line)
        if event is None:
            return
        if not self._first.done():
            if event.state is State.ONLINE and event.url:
                self._first.set_result(event.url)
            return
        self._changes.publish(event.state, url=event.url, detail=event.detail, code=event.code)

    def _ended(self, returncode: int | None) -> None:
        error = self._engine.explain(returncode, list(self._tail))
        if not self._first.done():
            self._first.set_result(error)
        if not self._closing:
            self._changes.publish(State.FAILED, detail=error.message, code=error.code)

    async def _end(self) -> None:
        try:
            await self._signal(END, GRACE_S)
            await self._signal(KILL, KILL_S)
        finally:
            if self._watching and not self._watching.done():
                await self._abandon(self._watching)

    async def _signal(self, number: Signals, timeout_s: float) -> None:
        if self._process and self._watching and not self._watching.done():
            send(self._process.get_pid(), number)
            await asyncio.wait({self._watching}, timeout=timeout_s)

    async def _abandon(self, watching: asyncio.Task[None]) -> None:
        if self._process:
            send(self._process.get_pid(), KILL)
            self._process.close()
        watching.cancel()
        await asyncio.wait({watching})

    def _timeout_error(self) -> CannotTunnel:
        last = f": {self._tail[-1]}" if self._tail else ""
        return CannotTunnel(
            f"no public URL from {self.name} within {self._options.start_timeout_s:g} s{last}",
            code="TIMEOUT",
            hint="check the network, or use another --tunnel",
        )


class OutputProtocol(asyncio.SubprocessProtocol):
    """Reads a process: its lines, its exit, and separately the end of its pipe.

    asyncio's own streams report the exit only when the pipe has ended, too.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self._take = take
        self._partial = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002 - there is only one
        """Split the output into lines."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LIMIT:  # no expected line is that long
            self._partial = b""
        for line in lines:
            self._take(plain(line.decode(errors="replace")))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note the end of the output."""
        if fd == STDOUT_FD and not self.drained.done():
            self.drained.set_result(None)

    def process_exited(self) -> None:
        """Note the exit of the process."""
        if not self.exited.done():
            self.exited.set_result(None)
