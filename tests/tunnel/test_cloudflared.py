from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import msgspec
import pytest

from vmon.tunnel import subprocess_tunnel
from vmon.tunnel.cloudflared import Cloudflared, cloudflared
from vmon.tunnel.model import CannotTunnel, State
from vmon.tunnel.orphans import Leftover, Record, is_alive
from vmon.tunnel.subprocess_tunnel import EngineEvent, EngineTunnel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.tunnel.conftest import Call, Opened, Options, Until
    from vmon.tunnel.model import Change

pytestmark = pytest.mark.usefixtures("nothing_printed", "nobody_left")

BOX = "2026-08-01T10:00:00Z INF |  https://a-b.trycloudflare.com                  |"
REGISTERED = "INF Registered tunnel connection connIndex={} location=ams01"
LOST = "WRN Lost connection with the edge connIndex={}"


@pytest.fixture
def tunnel(ngrok_options: Options, fake_cloudflared: Path) -> Callable[..., EngineTunnel]:
    return lambda **changed: cloudflared(ngrok_options(**{"binary": fake_cloudflared, **changed}))


async def following(tunnel: EngineTunnel) -> Change:
    async with asyncio.timeout(5):
        return await anext(tunnel.changes())


def only_record(state_dir: Path) -> tuple[Path, Record]:
    (path,) = state_dir.glob("*/agent.json")
    return path, msgspec.json.decode(path.read_bytes(), type=Record)


async def test_a_callback_arrives_and_an_outage_is_reported_with_its_end(
    tunnel: Callable[..., EngineTunnel], opened: Opened, call: Call
) -> None:
    made = tunnel()
    url = await opened(made)
    assert await call(url) == 200
    assert made.pid
    os.kill(made.pid, signal.SIGUSR1)
    lost = await following(made)
    assert lost.state is State.RECONNECTING
    found = await following(made)
    assert (found.state, found.url) == (State.ONLINE, url)


async def test_the_exit_of_the_program_is_reported(
    tunnel: Callable[..., EngineTunnel], opened: Opened
) -> None:
    made = tunnel()
    await opened(made)
    assert made.pid
    os.kill(made.pid, signal.SIGKILL)
    assert (await following(made)).state is State.FAILED


async def test_after_the_close_nothing_responds_and_the_changes_end(
    tunnel: Callable[..., EngineTunnel],
    call: Call,
    alive: Callable[[int], bool],
) -> None:
    made = tunnel()
    url = await made.start()
    await made.close()
    await made.close()
    assert [change.state async for change in made.changes()] == [State.CLOSED]
    assert made.pid
    assert not alive(made.pid)
    assert await call(url) == 0


@pytest.mark.parametrize(
    ("mode", "code"), [("fail", "ENDED"), ("limited", "RATE_LIMITED"), ("slow", "TIMEOUT")]
)
async def test_a_start_that_fails_says_why(
    tunnel: Callable[..., EngineTunnel], monkeypatch: pytest.MonkeyPatch, mode: str, code: str
) -> None:
    monkeypatch.setenv("FAKE_CLOUDFLARED", mode)
    timeout_s = 0.5 if mode == "slow" else 8.0
    with pytest.raises(CannotTunnel) as failed:
        await tunnel(start_timeout_s=timeout_s).start()
    assert (failed.value.code, failed.value.fatal) == (code, False)
    assert mode != "fail" or "no such host" in failed.value.message


async def test_a_program_that_is_missing_is_fatal(
    tunnel: Callable[..., EngineTunnel], tmp_path: Path
) -> None:
    with pytest.raises(CannotTunnel) as failed:
        await tunnel(binary=tmp_path / "absent").start()
    assert (failed.value.code, failed.value.fatal) == ("NOT_FOUND", True)
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(CannotTunnel):
        await tunnel(binary=broken).start()


async def test_a_stubborn_program_is_killed(
    tunnel: Callable[..., EngineTunnel],
    alive: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_CLOUDFLARED", "stubborn")
    monkeypatch.setattr(subprocess_tunnel, "GRACE_S", 0.2)
    made = tunnel()
    await made.start()
    assert made.pid
    async with asyncio.timeout(4):
        await made.close()
    assert not alive(made.pid)


async def test_what_a_dead_program_left_behind_neither_delays_us_nor_stays(
    tunnel: Callable[..., EngineTunnel], tmp_path: Path, alive: Callable[[int], bool]
) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text("#!/bin/sh\nsleep 60 &\necho $! >$0.child\necho it broke\nexit 3\n")
    wrapper.chmod(0o755)
    async with asyncio.timeout(3):
        with pytest.raises(CannotTunnel, match="it broke") as failed:
            await tunnel(binary=wrapper).start()
    assert failed.value.code == "ENDED"
    assert not alive(int((tmp_path / "wrapper.child").read_text()))


async def test_its_record_is_that_of_the_running_program(
    tunnel: Callable[..., EngineTunnel], opened: Opened, state_dir: Path
) -> None:
    made = tunnel()
    await opened(made)
    path, record = only_record(state_dir)
    assert (record.provider, record.pid) == ("cloudflared", made.pid)
    assert record.pid
    left = Leftover(record.provider, record.pid, path.parent, record.started, record.ending)
    assert is_alive(left)


async def test_a_close_that_is_cancelled_still_ends_the_program(
    tunnel: Callable[..., EngineTunnel],
    alive: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    monkeypatch.setenv("FAKE_CLOUDFLARED", "stubborn")
    made = tunnel()
    await made.start()
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(made.close())
        await asyncio.sleep(0)  # a turn of the loop, in which closing begins
        closing.cancel()
    pid = made.pid
    assert pid
    await until(lambda: not alive(pid))


async def test_a_cancelled_start_leaves_no_process(
    tunnel: Callable[..., EngineTunnel], monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setenv("FAKE_CLOUDFLARED", "slow")
    made = tunnel()
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(made.start())
        await until(lambda: made.pid)
        starting.cancel()
    assert starting.cancelled()
    process = made._process
    assert process
    await until(lambda: process.get_returncode() is not None and process.is_closing())


async def test_a_line_without_end_does_not_deafen_us(
    tunnel: Callable[..., EngineTunnel], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_CLOUDFLARED", "flood")
    made = tunnel()
    await opened(made)
    assert (await following(made)).state is State.RECONNECTING


def test_the_url_counts_only_once_a_connection_is_registered() -> None:
    heard_by = Cloudflared("http://127.0.0.1:1")
    assert heard_by.parse_line(BOX) is None
    assert heard_by.parse_line(REGISTERED.format(0)) == EngineEvent(
        State.ONLINE, "https://a-b.trycloudflare.com"
    )


def test_one_of_two_connections_lost_is_no_drop() -> None:
    heard_by = Cloudflared("http://127.0.0.1:1")
    heard = [heard_by.parse_line(line.format(n)) for line in (REGISTERED, LOST) for n in (0, 1)]
    assert [said.state if said else None for said in heard] == [
        State.ONLINE,
        None,
        None,
        State.RECONNECTING,
    ]
    assert heard_by.parse_line("INF Retrying connection in up to 1s connIndex=1") is None
