"""What the tunnels' tests share: a receiver, a caller from outside, engines that are stand-ins."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.support import waiting
from vmon.tunnel.model import Tunnel, TunnelOptions
from vmon.tunnel.processes import process_info

HERE = Path(__file__).parent
TOKEN = "2abcdefghijklmnopqrst_0123456789"
REFUSED = 0


class Receiver:
    """A server on loopback that keeps what it was sent: method, path with query, body."""

    def __init__(self) -> None:
        self.url = ""
        self.got: list[tuple[str, str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.got.append((request.method, request.path_qs, await request.text()))
        return web.json_response({"ok": True})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    yield made
    await runner.cleanup()


Call = Callable[..., Awaitable[int]]


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    """POST a small body to a URL and give the status, 0 where nobody answers."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:

        async def post(url: str, path: str = "/hook") -> int:
            plain = url.replace("https://127.0.0.1", "http://127.0.0.1")
            try:
                async with session.post(plain + path, json={"n": 1}) as response:
                    return response.status
            except aiohttp.ClientError:
                return REFUSED

        yield post


Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait until a condition holds; fail after fifteen seconds."""
    return partial(waiting.until, within_s=15)


@pytest.fixture
def alive() -> Callable[[int], bool]:
    """Whether a process goes on living: one that was killed may take a moment to be gone."""

    def lives(pid: int, within_s: float = 3.0) -> bool:
        try:
            return not waiting.wait_until(lambda: process_info(pid) is None, within_s)
        except AssertionError:
            return True

    return lives


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, without ngrok's configuration, token or modes."""
    for name in ("NGROK_AUTHTOKEN", "PYNGROK_NGROK_PATH", "FAKE_NGROK", "FAKE_CLOUDFLARED"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    return home


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state of vmon"


def _program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    script = HERE / f"fake_{name}.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{script}" "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def fake_ngrok(tmp_path: Path) -> Path:
    return _program(tmp_path / "bin", "ngrok")


@pytest.fixture
def fake_cloudflared(tmp_path: Path) -> Path:
    return _program(tmp_path / "bin", "cloudflared")


Options = Callable[..., TunnelOptions]


@pytest.fixture
def ngrok_options(receiver: Receiver, state_dir: Path, fake_ngrok: Path) -> Options:
    def make(**changed: object) -> TunnelOptions:
        settled = {"binary": fake_ngrok, "authtoken": TOKEN, "start_timeout_s": 8.0}
        return TunnelOptions(
            local_url=receiver.url,
            state_dir=state_dir,
            **{**settled, **changed},  # type: ignore[arg-type] # each test names fields it knows
        )

    return make


Opened = Callable[[Tunnel], Awaitable[str]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Start a tunnel, and close it at the end of the test whatever becomes of it."""
    tunnels: list[Tunnel] = []

    async def start(tunnel: Tunnel) -> str:
        tunnels.append(tunnel)
        return await tunnel.start()

    yield start
    for tunnel in tunnels:
        await tunnel.close()


@pytest.fixture
def nothing_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail the test if anything reached stdout or stderr."""
    yield
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def nobody_left(state_dir: Path) -> Iterator[None]:
    """Fail the test if a process still names the state folder, or a folder is left in it."""
    yield
    assert not list(state_dir.glob("*"))
    if not Path("/proc").exists():
        return
    commands = (
        process_info(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()
    )
    assert not [seen for seen in commands if seen and str(state_dir) in seen.command]
