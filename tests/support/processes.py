"""The program as a process: what starts it, and what comes out of it."""

from __future__ import annotations

import http.client
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.forkserver import Environment, Forked


class Flow:
    """What comes out of a pipe, read by a thread as it comes."""

    def __init__(self, pipe: IO[bytes] | int) -> None:
        self._pipe = pipe
        self._fd = pipe if isinstance(pipe, int) else pipe.fileno()
        self._seen = bytearray()
        self._ended = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := self._piece():
            with self._news:
                self._seen += piece
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _piece(self) -> bytes:
        try:
            return os.read(self._fd, 1 << 16)
        except OSError:  # a terminal ends so
            return b""

    def until(self, word: bytes, within_s: float = 20.0) -> bytes:
        """All there is, once `word` is in it."""
        with self._news:
            self._news.wait_for(lambda: word in self._seen or self._ended, within_s)
            assert word in self._seen, bytes(self._seen)
            return bytes(self._seen)

    def match(self, pattern: bytes, within_s: float = 20.0) -> re.Match[bytes]:
        """What matches, once something does."""
        with self._news:
            self._news.wait_for(lambda: re.search(pattern, self._seen) or self._ended, within_s)
            found = re.search(pattern, bytes(self._seen))
        assert found is not None, bytes(self._seen)
        return found

    def all(self, within_s: float = 20.0) -> bytes:
        """All there is, once it has ended."""
        with self._news:
            assert self._news.wait_for(lambda: self._ended, within_s), "it does not end"
        self._thread.join()
        if not isinstance(self._pipe, int):
            self._pipe.close()
        return bytes(self._seen)


class Program:
    """A running `vmon`; standard output goes to a Flow of its own unless it was put elsewhere."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked) -> None:
        self.process = process
        assert process.stderr is not None
        self.err = Flow(process.stderr)
        self.out = Flow(process.stdout) if process.stdout else None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self, within_s: float = 20.0) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(within_s)

    def result(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error, once it has ended."""
        code = self.ended()
        out = self.out.all().decode() if self.out else ""
        return code, out, self.err.all().decode()


class Listening(Program):
    """A running `vmon listen` that is ready."""

    port: int
    capture: str

    def ready(self) -> None:
        """Wait for its ready line."""
        found = self.err.match(rb"\nready local=http://\S*:(\d+) capture=(.*)\n")
        self.port, self.capture = int(found[1]), found[2].decode()

    def post(self, body: bytes, path: str = "/", **headers: str) -> int:
        """POST a body on a connection of its own; the status of the answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        client.request("POST", path, body, headers)
        answer = client.getresponse()
        assert answer.read() == b""
        client.close()
        return answer.status

    def client(self) -> http.client.HTTPConnection:
        """A connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """Send it a signal: exit code, standard output, standard error."""
        self.signal(number)
        return self.result()


class Start(Protocol):
    """Starts `vmon` with arguments. `code` runs before it, in its process."""

    def __call__(
        self,
        *args: str | Path,
        out: int | None = None,
        file_size: int | None = None,
        code: str = "",
        **env: str,
    ) -> Program:
        """Start it."""


class Listen(Protocol):
    """Starts `vmon listen --port 0` and waits until it is ready."""

    def __call__(self, *args: str | Path, **asked: Any) -> Listening:
        """Start it."""


class Started(Protocol):
    """Starts `vmon`, as Start says."""

    def __call__(
        self, *args: str | Path, out: int | None, file_size: int | None, code: str, env: Environment
    ) -> subprocess.Popen[bytes] | Forked:
        """Start it."""


def start_cold(
    args: list[str], env: Environment, *, out: int | None, file_size: int | None, code: str
) -> subprocess.Popen[bytes]:
    """Start `vmon` in an interpreter of its own; no file that it writes gets over `file_size`."""

    def limit_files() -> None:
        if file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))

    head = ["-c", f"{code}\nfrom vmon.cli import main; main()"] if code else ["-m", "vmon"]
    return subprocess.Popen(
        [sys.executable, *head, *args],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE,
        preexec_fn=limit_files,  # noqa: PLW1509 - no thread of ours holds a lock here
        start_new_session=True,
    )


TELLS_ITS_MODULES = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(list(sys.modules))))
from vmon.cli import main; main()
"""
"""Run in place of `-m vmon`, it writes what was imported as the last line of standard error."""
