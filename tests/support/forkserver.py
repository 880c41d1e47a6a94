"""Starts of `vmon` that cost little: forks of one interpreter that knows other people's modules.

Each is a process of its own, with pipes, signals and an end like any other, and imports all of
vmon anew; only what vmon imports of others is there already, and the seed of hashes is one for
all. A start that asks for something an interpreter takes in before that (`suits`) is none of ours.
This file is the interpreter, too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

OTHERS = (
    "aiohttp.web",
    "asyncio",
    "click.shell_completion",
    "csv",
    "difflib",
    "email.utils",
    "http.client",
    "importlib.metadata",
    "msgspec.json",
    "platformdirs",
    "rich.console",
    "rich.live",
    "rich.progress",
    "rich.table",
    "tomllib",
    "urllib.request",
    "uvloop",
    "zstandard",
)  # not pyngrok, which takes in the environment when it is imported
TAKEN_IN = ("AIOHTTP_", "LANG", "LC_", "LD_", "PYTHON", "SSL_")
NUMBER = struct.Struct("i")

Environment = Mapping[str, str]


# Of the tests.


class Forked:
    """A process that the interpreter forked, with what tests need of a Popen."""

    def __init__(self, link: socket.socket, out: IO[bytes] | None, err: IO[bytes]) -> None:
        self.stdout, self.stderr = out, err
        self.returncode: int | None = None
        self._link = link
        (self.pid,) = NUMBER.unpack(link.recv(NUMBER.size, socket.MSG_WAITALL))

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; subprocess.TimeoutExpired if that takes longer."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(f"vmon, forked as {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _ended(self, within_s: float | None) -> int | None:
        if self.returncode is None:
            self._link.settimeout(within_s)
            try:
                said = self._link.recv(NUMBER.size, socket.MSG_WAITALL)
            except (BlockingIOError, TimeoutError):
                return None
            (self.returncode,) = NUMBER.unpack(said)
            self._link.close()
        return self.returncode


class Warm:
    """The interpreter, from the first start on that suits it."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._turn = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def suits(self, environment: Environment) -> bool:
        """Whether a start with this environment would be the same if it were cold."""
        return _taken_in(environment) == _taken_in(self._environment)

    def start(
        self,
        args: list[str],
        environment: Environment,
        out: int | None = None,
        module: str = "vmon",
    ) -> Forked:
        """Start `vmon`, or another module; standard output goes to a pipe unless `out` is given."""
        said = Said(args, dict(environment), str(Path.cwd()), module)
        ours, theirs = socket.socketpair()
        err_read, err_write = os.pipe()
        out_read, out_write = os.pipe() if out is None else (None, os.dup(out))
        fds = [os.open(os.devnull, os.O_RDONLY), out_write, err_write, theirs.detach()]
        with self._turn:
            socket.send_fds(self._ready(), [b"!"], fds)
        for fd in fds:
            os.close(fd)
        ours.sendall(json.dumps(said._asdict()).encode() + b"\n")
        reads = None if out_read is None else os.fdopen(out_read, "rb", buffering=0)
        return Forked(ours, reads, os.fdopen(err_read, "rb", buffering=0))

    def close(self) -> None:
        """End the interpreter, and with it what it has forked."""
        if self._process and self._control:
            self._control.close()
            self._process.wait(20)

    def _ready(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, __file__, str(theirs.fileno())],
                    env=self._environment,
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        return self._control


def _taken_in(environment: Environment) -> Environment:
    return {name: value for name, value in environment.items() if name.startswith(TAKEN_IN)}


class Said(NamedTuple):
    """What a fork shall be."""

    args: list[str]
    environment: dict[str, str]
    folder: str
    module: str


# Of the interpreter.


class Ordered(NamedTuple):
    """A start: where it is told what it shall be, and its standard descriptors."""

    link: socket.socket
    fds: list[int]


def serve(control: socket.socket) -> Ordered | None:
    """Fork at each order, and return it in the fork; None, with no fork left, after the last."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    links: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(1 << 10)
            _tell_ends(links)
        if control in ready:
            said, fds, _, _ = socket.recv_fds(control, 1, 4)
            if not said:
                break
            link = socket.socket(fileno=fds.pop())
            if (pid := os.fork()) == 0:
                return Ordered(link, fds)
            links[pid] = link
            _tell(link, pid)
            for fd in fds:
                os.close(fd)
    for pid in links:
        os.kill(pid, signal.SIGKILL)
    return None


def _tell_ends(links: dict[int, socket.socket]) -> None:
    while links and (ended := os.waitpid(-1, os.WNOHANG))[0]:
        with links.pop(ended[0]) as link:
            _tell(link, os.waitstatus_to_exitcode(ended[1]))


def _tell(link: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # who asked may be gone
        link.sendall(NUMBER.pack(number))


def become(ordered: Ordered) -> str:
    """Make of a fork what a start from nothing would be; the module that is its program."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with ordered.link.makefile("rb") as said:
        asked = Said(**json.loads(said.readline()))
    for fd, standard in zip(ordered.fds, range(3), strict=True):
        os.dup2(fd, standard)
    ordered.link.detach()
    os.closerange(3, 256)
    os.chdir(asked.folder)
    os.environ.clear()
    os.environ.update(asked.environment)
    time.tzset()
    sys.path[0] = asked.folder
    sys.argv[1:] = asked.args
    for standard, name in enumerate(("stdin", "stdout", "stderr")):
        _open_anew(name, standard)
    return asked.module


def _open_anew(name: str, fd: int) -> None:
    before = getattr(sys, name)
    buffer: Any = os.fdopen(fd, "wb" if fd else "rb", closefd=False)
    buffer.raw.name = f"<{name}>"
    stream: Any = io.TextIOWrapper(
        buffer,
        encoding=before.encoding,
        errors=before.errors,
        newline="\n",
        line_buffering=os.isatty(fd) or name == "stderr",
    )
    stream.mode = before.mode
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    for other in OTHERS:
        importlib.import_module(other)
    gc.collect()
    gc.freeze()  # else each fork copies what its collector looks at
    if (order := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        runpy.run_module(become(order), run_name="__main__", alter_sys=True)
