"""Fixtures that tests share; what they are made of stands in `tests/support`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hypothesis
import pytest

import vmon
from tests.support.app_server import App, FlaskApp, is_of_an_app
from tests.support.factories import DATA
from tests.support.forkserver import Warm
from tests.support.processes import (
    TELLS_ITS_MODULES,
    Flow,
    Listen,
    Listening,
    Program,
    Start,
    start_cold,
)
from vmon import files
from vmon.capture.blocks import finder
from vmon.render import line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.support.forkserver import Environment, Forked
    from tests.support.processes import Started

hypothesis.settings.register_profile("calm", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("calm")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is for a job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what we start must hear Ctrl-C


@pytest.fixture
def open_files_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: a file that this process has open is neither renamed nor removed."""
    monkeypatch.setattr(files, "RENAMES_OPEN", False)

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def called(path: Path, *rest: Any, **named: Any) -> Any:
            held = {os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()}
            if {str(path.resolve()), *(str(Path(one).resolve()) for one in rest)} & held:
                raise PermissionError(13, "it is open", str(path))
            return real(path, *rest, **named)

        return called

    for name in ("rename", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))


@pytest.fixture(params=["renames open files", "open files keep their names"])
def names(request: pytest.FixtureRequest) -> None:
    """Rename open files, and where that cannot be done."""
    if request.param != "renames open files":
        request.getfixturevalue("open_files_keep_their_names")


@pytest.fixture(scope="module", params=["fast", "plain"])
def both_searches(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test with the extra `fast` and without it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "plain":
            patch.setitem(sys.modules, "ahocorasick_rs", cast("Any", None))
        else:
            pytest.importorskip("ahocorasick_rs")
        finder.cache_clear()
        yield
    finder.cache_clear()


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
        return start_cold(plain, env, out=out, file_size=file_size, code=code)

    return starting


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


@pytest.fixture
async def apps() -> AsyncIterator[Callable[..., Awaitable[App]]]:
    """Make apps that listen where and how a test wants them, as `App.open` says."""
    opened: list[tuple[App, asyncio.Server]] = []

    async def make(*args: Any, **settings: Any) -> App:
        one = App()
        opened.append((one, await one.open(*args, **settings)))
        return one

    yield make
    for one, server in opened:
        server.close()
        one.close()
    serving = [task for task in asyncio.all_tasks() if is_of_an_app(task)]
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    for _, server in opened:
        await server.wait_closed()


@pytest.fixture
async def app(apps: Callable[..., Awaitable[App]]) -> App:
    """Make an app that listens."""
    return await apps()


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
