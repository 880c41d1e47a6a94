from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh
import pytest
from msgspec import Struct

from vmon.tunnel.model import CannotTunnel, State, TunnelOptions
from vmon.tunnel.ssh import Ssh, ssh
from vmon.tunnel.subprocess_tunnel import EngineEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.tunnel.conftest import Call, Opened, Receiver
    from vmon.tunnel.subprocess_tunnel import EngineTunnel

SSHD = "/usr/sbin/sshd"
needs_sshd = pytest.mark.skipif(
    not Path(SSHD).exists() or not shutil.which("ssh"),
    reason="NO REAL SSH IS TESTED: install openssh-server and openssh-client",
)
needs_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="sessions are found in /proc")
needs_ssh = pytest.mark.skipif(not shutil.which("ssh"), reason="install openssh-client")
pytestmark = pytest.mark.usefixtures("nothing_printed", "nobody_left")

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/id.pub
StrictModes no
UsePAM no
PasswordAuthentication no
AllowTcpForwarding remote
"""


class Sshd(Struct):
    """A real server: its pid, its port, the folder with the key it accepts."""

    pid: int
    port: int
    folder: Path

    def sessions(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


def make_room() -> None:
    with contextlib.suppress(OSError):  # sshd wants it only where it runs as root
        Path("/run/sshd").mkdir(exist_ok=True)


def make_key(path: Path) -> None:
    asked = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(asked, check=True)


@pytest.fixture
async def sshd(tmp_path: Path, free_ports: Callable[[], int]) -> AsyncIterator[Sshd]:
    folder = tmp_path / "sshd"
    folder.mkdir()
    for name in ("host", "id"):
        make_key(folder / name)
    port = free_ports()
    (folder / "conf").write_text(CONFIG.format(port=port, folder=folder))
    make_room()
    server = await asyncio.create_subprocess_exec(
        SSHD, "-D", "-e", "-f", str(folder / "conf"), stderr=asyncio.subprocess.PIPE
    )
    assert server.stderr
    async with asyncio.timeout(5):
        await server.stderr.readuntil(b"Server listening")
    yield Sshd(server.pid, port, folder)
    server.terminate()
    await server.communicate()


@pytest.fixture
def dial(receiver: Receiver, state_dir: Path, tmp_path: Path) -> Callable[..., EngineTunnel]:
    def make(port: int, key: Path | None = None, **changed: object) -> EngineTunnel:
        known = ("-F", "none", "-o", f"UserKnownHostsFile={tmp_path}/known")
        identity = ("-i", str(key), "-o", "IdentitiesOnly=yes") if key else ()
        settled = {"start_timeout_s": 8.0, "ssh_args": (*known, *identity)}
        options = TunnelOptions(
            local_url=receiver.url,
            state_dir=state_dir,
            **{**settled, **changed},  # type: ignore[arg-type] # each test names fields it knows
        )
        return ssh(getpass.getuser(), "127.0.0.1", port, options)

    return make


TEMPLATE = "http://127.0.0.1:{port}"


@needs_sshd
async def test_a_callback_comes_through_a_real_server(
    sshd: Sshd, dial: Callable[..., EngineTunnel], receiver: Receiver, call: Call
) -> None:
    tunnel = dial(sshd.port, sshd.folder / "id", url_template=TEMPLATE)
    url = await tunnel.start()
    assert await call(url) == 200
    assert receiver.got == [("POST", "/hook", '{"n": 1}')]
    await tunnel.close()
    assert await call(url) == 0


@needs_proc
@needs_sshd
async def test_a_session_that_the_server_ends_is_reported(
    sshd: Sshd, dial: Callable[..., EngineTunnel], opened: Opened
) -> None:
    tunnel = dial(sshd.port, sshd.folder / "id", url_template=TEMPLATE)
    await opened(tunnel)
    for pid in sshd.sessions():
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        died = await anext(tunnel.changes())
    assert (died.state, died.code) == (State.FAILED, "NETWORK")


@needs_sshd
async def test_a_key_that_is_not_accepted_is_fatal(
    sshd: Sshd, dial: Callable[..., EngineTunnel]
) -> None:
    make_key(sshd.folder / "other")
    with pytest.raises(CannotTunnel) as failed:
        await dial(sshd.port, sshd.folder / "other", url_template=TEMPLATE).start()
    assert (failed.value.code, failed.value.fatal) == ("AUTH", True)


@needs_sshd
async def test_a_requested_port_is_served_and_fatal_if_it_is_in_use(
    sshd: Sshd, dial: Callable[..., EngineTunnel], opened: Opened, call: Call, free_port: int
) -> None:
    port, key = free_port, sshd.folder / "id"
    asked = {"url_template": "http://127.0.0.1:{port}/", "remote_port": port}
    url = await opened(dial(sshd.port, key, **asked))
    assert url == f"http://127.0.0.1:{port}"
    assert await call(url) == 200
    with pytest.raises(CannotTunnel) as failed:
        await dial(sshd.port, key, **asked).start()
    assert (failed.value.code, failed.value.fatal) == ("PORT_IN_USE", True)


@needs_sshd
async def test_a_server_key_that_changed_is_fatal(
    sshd: Sshd, dial: Callable[..., EngineTunnel], tmp_path: Path
) -> None:
    make_key(sshd.folder / "other")
    key = (sshd.folder / "other.pub").read_text()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{sshd.port} {key}")
    with pytest.raises(CannotTunnel) as failed:
        await dial(sshd.port, sshd.folder / "id", url_template=TEMPLATE).start()
    assert (failed.value.code, failed.value.fatal) == ("HOST_KEY", True)


@needs_ssh
async def test_a_server_that_is_not_there_is_worth_another_try(
    dial: Callable[..., EngineTunnel], free_port: int
) -> None:
    with pytest.raises(CannotTunnel) as failed:
        await dial(free_port, url_template=TEMPLATE).start()
    assert (failed.value.code, failed.value.fatal) == ("NETWORK", False)


@needs_ssh
async def test_a_server_that_says_nothing_does_not_hold_the_start(
    dial: Callable[..., EngineTunnel],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        tunnel = dial(mute.getsockname()[1], url_template=TEMPLATE, start_timeout_s=0.5)
        async with asyncio.timeout(5):
            with pytest.raises(CannotTunnel) as failed:
                await tunnel.start()
    assert failed.value.code == "TIMEOUT"


class HostedServer(asyncssh.SSHServer):
    """A service that takes anybody and forwards every port."""

    def begin_auth(self, username: str) -> bool:
        return not username

    def server_requested(self, listen_host: str, listen_port: int) -> bool:
        return bool(listen_host or listen_port)


async def greet(process: asyncssh.SSHServerProcess[str]) -> None:
    process.stdout.write(
        "** your connection id is abc **\n"
        "Follow https://admin.localhost.run/ or https://localhost.run/docs/faq for help\n"
        "\x1b[32mabc.lhr.life\x1b[0m tunneled with tls termination, https://abc.lhr.life\n"
    )
    await process.stdin.read()  # like the real ones, it goes when its input ends
    process.exit(0)


@needs_ssh
async def test_a_hosted_service_prints_the_url(
    dial: Callable[..., EngineTunnel], call: Call, free_port: int
) -> None:
    service = await asyncssh.create_server(
        HostedServer,
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=greet,
    )
    tunnel = dial(service.get_port(), remote_port=free_port)
    assert await tunnel.start() == "https://abc.lhr.life"
    assert await call(f"http://127.0.0.1:{free_port}") == 200
    await tunnel.close()
    service.close()
    await service.wait_closed()


@pytest.mark.parametrize(
    ("host", "line", "url"),
    [
        ("localhost.run", "tls termination, https://ab12.lhr.life", "https://ab12.lhr.life"),
        ("localhost.run", "see https://localhost.run/docs/", None),
        ("localhost.run", "open https://admin.localhost.run/", None),
        ("serveo.net", "traffic from https://x.serveo.net", "https://x.serveo.net"),
        ("a.pinggy.io", "https://rn-1-2.a.free.pinggy.link", "https://rn-1-2.a.free.pinggy.link"),
        ("a.pinggy.io", "Upgrade at https://dashboard.pinggy.io", None),
        ("ssh.hooks.dev", "yours: https://me.hooks.dev/", "https://me.hooks.dev"),
        ("ssh.hooks.dev", "news: https://example.com", None),
        ("localhost.run", "https://evil.lhr.life.example.com", None),
    ],
)
def test_only_a_tunnels_own_url_is_read_from_the_banner(
    host: str, line: str, url: str | None
) -> None:
    options = TunnelOptions(local_url="http://127.0.0.1:80", state_dir=Path())
    heard = Ssh(None, host, None, options).parse_line(line)
    assert heard == (EngineEvent(State.ONLINE, url) if url else None)


def test_the_command_line_settles_what_the_users_configuration_might_break() -> None:
    options = TunnelOptions(local_url="http://127.0.0.1:8000", state_dir=Path())
    words = Ssh("me", "localhost.run", 22, options).arguments()
    assert words[-6:] == ("-p", "22", "-R", "80:127.0.0.1:8000", "--", "me@localhost.run")
    assert "ControlMaster=no" in words
    assert "-N" not in words
    assert "0:127.0.0.1:8000" in Ssh("free", "a.pinggy.io", 443, options).arguments()
