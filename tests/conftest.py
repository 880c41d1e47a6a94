"""What the tests share: entries, and the real program as a process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

import hypothesis
import pytest

import vmon
from tests.support.forkserver import Environment, Forked, Warm
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.render import line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

hypothesis.settings.register_profile("calm", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("calm")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is for a job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what we start must hear Ctrl-C

RECEIVED = datetime(2016, 8, 3, 21, 16, 0, 318_542, tzinfo=UTC)


@pytest.fixture(scope="session")
def delivered() -> Callable[..., Entry]:
    """Make the entry of a body: posted to `/` from loopback, or as the keywords say."""

    def entry(body: bytes, **changed: Any) -> Entry:
        said: dict[str, Any] = {
            "id": "00053932d7f0ab-5a17c0de",
            "received_at": RECEIVED,
            "method": "POST",
            "path": "/",
            "headers": (("Content-Type", "application/json"),),
            "remote": "127.0.0.1:50412",
        }
        return Entry(Delivery(**said | changed, body=body))

    return entry


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Set the local time zone for a test."""
    before = os.environ.get("TZ")

    def set_to(name: str | None) -> None:
        os.environ.pop("TZ", None)
        if name is not None:
            os.environ["TZ"] = name
        time.tzset()
        line._second.cache_clear()
        line._day.cache_clear()

    yield set_to
    set_to(before)


@pytest.fixture
def utc(zone: Callable[[str], None]) -> None:
    """Make UTC the local time."""
    zone("UTC")


# The program as a process.

DATA = Path(__file__).parent / "data"


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


@pytest.fixture(scope="session")
def bare_environment() -> dict[str, str]:
    """The environment of this run, without anyone's wishes, and with the vmon that is tested."""
    dropped = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "COLORTERM"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.startswith(("PYTHON", "VMON_", "NGROK_", "PYNGROK_"))
    }
    return kept | {
        "PYTHONPATH": str(Path(vmon.__file__).parent.parent),
        "SSL_CERT_FILE": os.devnull,  # aiohttp reads the machine's, 0.1 s at each of our starts
    }


@pytest.fixture
def environment(tmp_path: Path, bare_environment: dict[str, str]) -> dict[str, str]:
    """The environment of programs under test: UTC, no colour wishes, its own data folder."""
    return bare_environment | {
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "TZ": "UTC",
        "TERM": "xterm-256color",
    }


class Started(Protocol):
    """Starts `vmon`, as Start says."""

    def __call__(
        self, *args: str | Path, out: int | None, file_size: int | None, code: str, env: Environment
    ) -> subprocess.Popen[bytes] | Forked:
        """Start it."""


@pytest.fixture(scope="session")
def warm(bare_environment: dict[str, str]) -> Iterator[Warm | None]:
    """Start `vmon` at little cost; None where each start is to be a cold one."""
    if sys.platform != "linux" or os.environ.get("VMON_TESTS_COLD"):
        yield None
        return
    one = Warm(bare_environment)
    yield one
    one.close()


@pytest.fixture
def started(environment: dict[str, str], warm: Warm | None) -> Started:
    """Start `vmon` in the environment of tests and what `env` adds, cold where it must be."""

    def starting(
        *args: str | Path, out: int | None, file_size: int | None, code: str, env: Environment
    ) -> subprocess.Popen[bytes] | Forked:
        plain, env = [str(arg) for arg in args], {**environment, **env}
        if warm and not code and file_size is None and warm.suits(env):
            return warm.start(plain, env, out)
        return _cold([*_head(code), *plain], env, out=out, file_size=file_size)

    return starting


def _head(code: str) -> list[str]:
    said = ["-c", f"{code}\nfrom vmon.cli import main; main()"] if code else ["-m", "vmon"]
    return [sys.executable, *said]


def _cold(
    argv: list[str], env: Environment, *, out: int | None, file_size: int | None
) -> subprocess.Popen[bytes]:
    def limit_files() -> None:
        if file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))

    return subprocess.Popen(
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE,
        preexec_fn=limit_files,  # noqa: PLW1509 - no thread of ours holds a lock here
        start_new_session=True,
    )


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """The programs a test starts; what still runs at its end is killed."""
    started: list[Program] = []
    yield started
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.err.all()
        if one.out:
            one.out.all()


@pytest.fixture
def start(started: Started, programs: list[Program]) -> Start:
    """Start `vmon`."""

    def starting(
        *args: str | Path,
        out: int | None = None,
        file_size: int | None = None,
        code: str = "",
        **env: str,
    ) -> Program:
        one = Program(started(*args, out=out, file_size=file_size, code=code, env=env))
        programs.append(one)
        return one

    return starting


@pytest.fixture
def listen(started: Started, programs: list[Program]) -> Listen:
    """Start `vmon listen`."""

    def starting(*args: str | Path, **asked: Any) -> Listening:
        out, size, code = (asked.pop(name, None) for name in ("out", "file_size", "code"))
        argv = ("listen", "--port", "0", *args)
        one = Listening(started(*argv, out=out, file_size=size, code=code or "", env=asked))
        programs.append(one)
        one.ready()
        return one

    return starting


@pytest.fixture
def bodies() -> dict[str, bytes]:
    """Every body in tests/data, by its path there."""
    files = [path for path in sorted(DATA.rglob("*")) if path.suffix in {".json", ".body"}]
    return {str(path.relative_to(DATA)): path.read_bytes() for path in files}


@pytest.fixture
def vmon_run(start: Start) -> Callable[..., tuple[int, str, str]]:
    """Run `vmon` to its end: exit code, standard output, standard error."""
    return lambda *args, **asked: start(*args, **asked).result()


TELLS_ITS_MODULES = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write("\\n" + json.dumps(list(sys.modules))))
from vmon.cli import main; main()
"""


@pytest.fixture
def imports_of(environment: dict[str, str]) -> Callable[..., set[str]]:
    """Run `vmon` where the test is; what it had imported in the end."""

    def after(*args: str, **env: str) -> set[str]:
        argv = [sys.executable, "-c", TELLS_ITS_MODULES, *args]
        ran = subprocess.run(
            argv,
            env=environment | env,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout
        found: list[str] = json.loads(ran.stderr.rpartition(b"\n")[2])
        return set(found)

    return after


@pytest.fixture
def flow_of() -> Callable[[int], Flow]:
    """Read a descriptor as it comes."""
    return Flow


# An app that callbacks are sent to.


class Request(NamedTuple):
    """What an app got, in its very words (headers as latin-1)."""

    first: str
    headers: list[tuple[str, str]]
    body: bytes


class App:
    """A server on loopback that notes each request and answers what it is told to.

    `answer` b"" closes the connection, `reset` with a reset; `silent` never answers; `gate` holds
    answers (to requests that are `held`) back until it is set; `answers` is asked for the answer
    where there is one.
    """

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.answers: Callable[[Request], bytes] | None = None
        self.gate: asyncio.Event | None = None
        self.held: Callable[[Request], bool] = lambda _request: True
        self.reset = self.silent = False
        self.requests: list[Request] = []
        self.running = self.most_running = 0
        self.news = asyncio.Condition()
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; looked at with each request."""
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answered(await _request(reader), writer):
                pass
        writer.close()

    async def _answered(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        async with self.news:
            self.requests.append(request)
            self.news.notify_all()
        if self.gate and self.held(request):
            await self.gate.wait()
        if self.silent:
            await asyncio.Event().wait()
        self.running -= 1
        answer = self.answers(request) if self.answers else self.answer
        writer.write(answer)
        await writer.drain()
        if self.reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.endswith(b"Content-Length: %d" % len(body)) and not self.reset

    def close(self) -> None:
        """Close the connections."""
        for writer in self._writers:
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in head[1:])]
    length = next((int(v) for name, v in headers if name.lower() == "content-length"), 0)
    return Request(head[0], headers, await reader.readexactly(length))


@pytest.fixture
async def app() -> AsyncIterator[App]:
    """Make an app that listens."""
    one = App()
    server = await one.open()
    yield one
    server.close()
    one.close()
    serving = [task for task in asyncio.all_tasks() if _is_of_an_app(task)]
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    await server.wait_closed()


def _is_of_an_app(task: asyncio.Task[object]) -> bool:
    """Only those: to wait for a test's own tasks would hang where it failed."""
    return getattr(task.get_coro(), "__name__", "") == "_serve"


class FlaskApp:
    """A Flask app with strict slashes: takes POST at `/hooks` and `/slashed/`, notes them."""

    def __init__(self) -> None:
        from flask import Flask, request
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                """Write nothing."""

        self.taken: list[str] = []
        app = Flask("hooks")

        @app.post("/hooks")
        @app.post("/slashed/")
        def take() -> str:
            self.taken.append(request.full_path.removesuffix("?"))
            return "taken"

        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self.server.port}"


@pytest.fixture
def flask_app() -> Iterator[FlaskApp]:
    """Serve a Flask app from a thread."""
    one = FlaskApp()
    thread = threading.Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
def free_ports() -> Iterator[Callable[[], int]]:
    """Find ports that nobody listens on; on Linux they are kept from whoever asks for any port."""
    with contextlib.ExitStack() as held:

        def find() -> int:
            one = held.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            if sys.platform != "linux":  # elsewhere nobody could listen there beside this socket
                one.close()
            return port

        yield find


@pytest.fixture
def free_port(free_ports: Callable[[], int]) -> int:
    """Find a port that nobody listens on."""
    return free_ports()
