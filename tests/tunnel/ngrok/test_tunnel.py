from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.model import CannotTunnel, State
from vmon.tunnel.ngrok import agent
from vmon.tunnel.ngrok import config as ngrok_config
from vmon.tunnel.ngrok.tunnel import NgrokTunnel
from vmon.tunnel.orphans import end, leftovers
from vmon.tunnel.processes import parent_death_command, process_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.tunnel.conftest import Call, Opened, Options, Receiver, Until
    from vmon.tunnel.model import Change, TunnelOptions

TOKEN = "2abcdefghijklmnopqrst_0123456789"

pytestmark = pytest.mark.usefixtures("nothing_printed", "nobody_left")


def pid_of(tunnel: NgrokTunnel) -> int:
    assert tunnel.pid is not None
    return tunnel.pid


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def folder_of(state_dir: Path) -> Path:
    (folder,) = state_dir.iterdir()
    return folder


async def following(tunnel: NgrokTunnel) -> Change:
    async with asyncio.timeout(5):
        return await anext(tunnel.changes())


async def test_a_callback_comes_through_and_the_agent_is_gone_after_the_close(
    ngrok_options: Options,
    receiver: Receiver,
    call: Call,
    alive: Callable[[int], bool],
) -> None:
    tunnel = NgrokTunnel(ngrok_options())
    url = await tunnel.start()
    pid = pid_of(tunnel)
    assert await call(url, "/hook?a=1") == 200
    assert receiver.got == [("POST", "/hook?a=1", '{"n": 1}')]
    await tunnel.close()
    await tunnel.close()
    assert not alive(pid)
    assert await call(url) == 0
    assert (await following(tunnel)).state is State.CLOSED


async def test_the_token_is_in_a_file_of_ones_own_and_in_no_command_line(
    ngrok_options: Options, opened: Opened, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    tunnel = NgrokTunnel(ngrok_options(authtoken=None))
    await opened(tunnel)
    seen = process_info(pid_of(tunnel))
    assert seen
    assert TOKEN not in seen.command
    folder = folder_of(state_dir)
    config = folder / ngrok_config.CONFIG
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert json.loads(config.read_text()) == {
        "version": 3,
        "agent": {
            "authtoken": TOKEN,
            "inspect_db_size": -1,
            "remote_management": False,
            "update_check": False,
        },
    }
    assert TOKEN not in repr(ngrok_options())


async def test_the_options_reach_the_agent(
    ngrok_options: Options, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyngrok import ngrok

    asked: list[dict[str, object]] = []
    real = ngrok.api_request

    def remember(url: str, **request: object) -> object:
        asked.append(request["data"])  # type: ignore[arg-type] # what pyngrok sends is a dict
        return real(url, **request)  # type: ignore[arg-type] # passed on as it came

    monkeypatch.setattr(ngrok, "api_request", remember)
    options = ngrok_options(domain="https://vmon.ngrok.app/", methods=("POST",))
    assert await opened(NgrokTunnel(options)) == "https://vmon.ngrok.app"
    (endpoint,) = asked
    assert str(endpoint["name"]).startswith("vmon-")
    assert "/" not in str(endpoint["name"])
    assert endpoint["inspect"] is False
    assert endpoint["upstream"] == {"url": options.local_url}
    (rule,) = json.loads(str(endpoint["traffic_policy"]))["on_http_request"]
    assert rule["expressions"] == ["!(req.method in ['POST'])"]


@pytest.mark.parametrize(
    ("mode", "token", "expected"),
    [
        ("auth:4018", TOKEN, ("ERR_NGROK_4018", True)),
        ("", None, ("ERR_NGROK_4018", True)),
        ("", "bad!", ("ERR_NGROK_105", True)),
        ("auth:108", TOKEN, ("ERR_NGROK_108", True)),
        ("auth:9999", TOKEN, ("ERR_NGROK_9999", False)),
        ("start:334", TOKEN, ("ERR_NGROK_334", True)),
        ("old", TOKEN, ("AGENT_TOO_OLD", True)),
        ("silent", TOKEN, ("TIMEOUT", False)),
        ("hang", TOKEN, ("TIMEOUT", False)),
        ("hang,stubborn", TOKEN, ("TIMEOUT", False)),
        ("offline", TOKEN, ("NETWORK", False)),
    ],
)
async def test_a_start_that_fails_ends_in_time_and_says_why(
    ngrok_options: Options,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    token: str | None,
    expected: tuple[str, bool],
) -> None:
    from pyngrok import process

    monkeypatch.setenv("FAKE_NGROK", mode)
    monkeypatch.setattr(agent, "GRACE_S", 0.5)
    tunnel = NgrokTunnel(ngrok_options(authtoken=token, start_timeout_s=1.0))
    async with asyncio.timeout(6):
        with pytest.raises(CannotTunnel) as failed:
            await tunnel.start()
    error = failed.value
    assert (error.code, error.fatal) == expected
    assert error.exit_code == 4
    assert error.hint
    assert "\n" not in error.message
    assert token is None or token not in f"{error.message} {error.hint}"
    assert not process._current_processes


async def test_a_slow_agent_is_waited_for(
    ngrok_options: Options, opened: Opened, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "slow:0.5")
    assert await call(await opened(NgrokTunnel(ngrok_options()))) == 200


async def test_a_cancelled_start_leaves_no_process(
    ngrok_options: Options, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "hang")
    tunnel = NgrokTunnel(ngrok_options())
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(tunnel.start())
        await until(lambda: tunnel.pid)
        starting.cancel()
    assert starting.cancelled()


async def test_an_outage_and_its_end_are_reported(
    ngrok_options: Options, opened: Opened, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NGROK_DROP", "0.3")
    tunnel = NgrokTunnel(ngrok_options())
    url = await opened(tunnel)
    os.kill(pid_of(tunnel), signal.SIGUSR1)
    lost = await following(tunnel)
    assert (lost.state, lost.detail) == (State.RECONNECTING, "session closed")
    assert await call(url) == 404
    found = await following(tunnel)
    assert (found.state, found.url) == (State.ONLINE, url)
    assert found.at > lost.at
    assert await call(url) == 200


async def test_the_death_of_the_agent_is_noticed(ngrok_options: Options, opened: Opened) -> None:
    tunnel = NgrokTunnel(ngrok_options())
    await opened(tunnel)
    os.kill(pid_of(tunnel), signal.SIGUSR2)
    died = await following(tunnel)
    assert (died.state, died.code) == (State.FAILED, "ENDED")
    assert died.detail == "the ngrok agent exited with code 3"


async def test_an_agent_that_floods_its_log_still_serves(
    ngrok_options: Options, opened: Opened, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "flood")
    url = await opened(NgrokTunnel(ngrok_options()))
    assert [await call(url) for _ in range(20)] == [200] * 20


async def test_two_tunnels_have_an_agent_each(
    ngrok_options: Options, opened: Opened, call: Call
) -> None:
    one, other = NgrokTunnel(ngrok_options()), NgrokTunnel(ngrok_options())
    urls = {await opened(one), await opened(other)}
    assert len(urls) == 2
    assert one.pid != other.pid
    await one.close()
    assert sorted([await call(url) for url in urls]) == [0, 200]


async def test_a_proxy_in_the_environment_is_not_used_for_the_agents_api(
    ngrok_options: Options, opened: Opened, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.com")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await call(await opened(NgrokTunnel(ngrok_options()))) == 200


async def test_a_stubborn_agent_is_killed(
    ngrok_options: Options,
    opened: Opened,
    alive: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "stubborn")
    monkeypatch.setattr(agent, "GRACE_S", 0.2)
    tunnel = NgrokTunnel(ngrok_options())
    await opened(tunnel)
    pid = pid_of(tunnel)
    async with asyncio.timeout(4):
        await tunnel.close()
    assert not alive(pid)


async def test_a_close_that_is_cancelled_still_ends_the_agent(
    ngrok_options: Options,
    alive: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
    state_dir: Path,
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "stubborn")
    tunnel = NgrokTunnel(ngrok_options())
    await tunnel.start()
    pid = pid_of(tunnel)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(tunnel.close())
        await asyncio.sleep(0)  # a turn of the loop, in which closing begins
        closing.cancel()
    await until(lambda: not alive(pid))
    await until(lambda: is_empty(state_dir))


async def killed_vmon(options: TunnelOptions, before: str = "") -> int:
    """Start a vmon with a tunnel, kill it with -9, and give its agent's pid."""
    program = f"""
import asyncio
from pathlib import Path
from vmon.tunnel.ngrok import agent as ngrok_agent, config as ngrok_config
from vmon.tunnel.model import TunnelOptions
from vmon.tunnel.ngrok.tunnel import NgrokTunnel
{before}
async def main():
    tunnel = NgrokTunnel(TunnelOptions(
        local_url={options.local_url!r}, state_dir=Path({str(options.state_dir)!r}),
        binary=Path({str(options.binary)!r}), authtoken={TOKEN!r}))
    await tunnel.start()
    print(tunnel.pid, flush=True)
    await asyncio.sleep(60)  # it is killed before
asyncio.run(main())
"""
    vmon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert vmon.stdout
    pid = int(await vmon.stdout.readline())
    vmon.kill()
    await vmon.wait()
    return pid


@pytest.mark.skipif(not parent_death_command(), reason="only setpriv ends a child with its parent")
async def test_the_agent_does_not_outlive_a_vmon_that_was_killed(
    ngrok_options: Options, alive: Callable[[int], bool], until: Until, state_dir: Path
) -> None:
    pid = await killed_vmon(ngrok_options())
    await until(lambda: not alive(pid))
    assert leftovers(state_dir) == []
    assert is_empty(state_dir)


async def test_an_agent_that_did_outlive_its_vmon_is_found_by_the_next(
    ngrok_options: Options,
    alive: Callable[[int], bool],
    state_dir: Path,
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "quiet")
    pid = await killed_vmon(
        ngrok_options(), before="ngrok_config.parent_death_command = lambda: ()"
    )
    assert alive(pid)
    await opened(NgrokTunnel(ngrok_options()))
    (left,) = leftovers(state_dir)
    assert (left.provider, left.pid) == ("ngrok", pid)
    await end(left)
    assert not alive(pid)


async def test_a_program_that_is_not_an_agent_is_distinguished(
    ngrok_options: Options, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    with pytest.raises(CannotTunnel, match="is not an ngrok agent"):
        await NgrokTunnel(ngrok_options(binary=other)).start()
    other.write_text("#!/no/such/interpreter\n")
    with pytest.raises(CannotTunnel, match="cannot run"):
        await NgrokTunnel(ngrok_options(binary=other)).start()


async def test_a_version_that_does_not_come_does_not_hold_the_start(
    ngrok_options: Options, tmp_path: Path
) -> None:
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    async with asyncio.timeout(3):
        with pytest.raises(CannotTunnel) as failed:
            await NgrokTunnel(ngrok_options(binary=mute, start_timeout_s=0.3)).start()
    assert failed.value.code == "TIMEOUT"
