"""A tunnel whose engine is a child process, with a shell script for an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.waiting import until
from vmon.tunnel.model import CannotTunnel, State, TunnelOptions
from vmon.tunnel.subprocess_tunnel import LINE_LIMIT, EngineEvent, EngineTunnel, OutputProtocol

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.tunnel.model import Change


class Engine:
    """An engine that says `up URL`, `down WHY`, and noise."""

    name = "scripted"
    program = "scripted"
    noise = ("debug:",)

    def arguments(self) -> tuple[str, ...]:
        return ("--of", "ours")

    def parse_line(self, line: str) -> EngineEvent | None:
        word, _, rest = line.partition(" ")
        if word == "up":
            return EngineEvent(State.ONLINE, url=rest)
        return EngineEvent(State.RECONNECTING, detail=rest) if word == "down" else None

    def explain(self, returncode: int | None, tail: list[str]) -> CannotTunnel:
        return CannotTunnel(f"ended with {returncode}: {', '.join(tail)}", code="ENDED")


Make = Callable[..., EngineTunnel]


@pytest.fixture
def tunnel_of(tmp_path: Path, state_dir: Path) -> Make:
    """Make a tunnel of a shell script."""

    def make(script: str, start_timeout_s: float = 10.0) -> EngineTunnel:
        program = tmp_path / "scripted"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        options = TunnelOptions(
            local_url="http://127.0.0.1:1",
            state_dir=state_dir,
            binary=program,
            start_timeout_s=start_timeout_s,
        )
        return EngineTunnel(Engine(), options)

    return make


async def read_all(tunnel: EngineTunnel) -> list[Change]:
    async with asyncio.timeout(10):
        return [change async for change in tunnel.changes()]


@pytest.mark.usefixtures("nobody_left")
async def test_it_is_up_with_the_first_url_and_each_later_one_is_a_change(tunnel_of: Make) -> None:
    tunnel = tunnel_of(
        "echo up https://a; read go; echo down lost; echo up https://b; exec sleep 60"
    )
    assert await tunnel.start() == "https://a"
    process = tunnel._process
    assert process
    pipe = process.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    pipe.write(b"go\n")
    reader = tunnel.changes()
    async with asyncio.timeout(10):
        lost, back = await anext(reader), await anext(reader)
    assert (lost.state, lost.detail) == (State.RECONNECTING, "lost")
    assert (back.state, back.url) == (State.ONLINE, "https://b")
    await tunnel.close()
    assert (await anext(reader)).state is State.CLOSED


@pytest.mark.usefixtures("nobody_left")
async def test_an_engine_that_ends_says_why_without_its_noise(tunnel_of: Make) -> None:
    tunnel = tunnel_of("echo debug: hello; echo it broke; exit 3")
    with pytest.raises(CannotTunnel) as caught:
        await tunnel.start()
    assert (caught.value.message, caught.value.code) == ("ended with 3: it broke", "ENDED")


@pytest.mark.usefixtures("nobody_left")
async def test_an_end_later_on_is_a_failure_and_the_last_change(tunnel_of: Make) -> None:
    tunnel = tunnel_of("echo up https://a; echo so long")
    assert await tunnel.start() == "https://a"
    (failed,) = await read_all(tunnel)
    assert (failed.state, failed.code) == (State.FAILED, "ENDED")
    assert failed.detail == "ended with 0: up https://a, so long"
    await tunnel.close()


@pytest.mark.usefixtures("nobody_left")
async def test_an_engine_without_a_url_in_time_is_stopped_and_its_last_line_shown(
    tunnel_of: Make,
) -> None:
    tunnel = tunnel_of("echo dialling; exec sleep 60", start_timeout_s=1.0)
    with pytest.raises(CannotTunnel) as caught:
        await tunnel.start()
    assert caught.value.message == "no public URL from scripted within 1 s: dialling"
    process = tunnel._process
    assert process
    await until(lambda: process.get_returncode() is not None)


async def test_a_missing_engine_is_a_fatal_error(tunnel_of: Make, tmp_path: Path) -> None:
    tunnel = tunnel_of("")
    (tmp_path / "scripted").unlink()
    with pytest.raises(CannotTunnel, match="not found on PATH") as caught:
        await tunnel.start()
    assert (caught.value.code, caught.value.fatal) == ("NOT_FOUND", True)


@pytest.mark.usefixtures("nobody_left")
async def test_an_engine_that_cannot_be_run_is_an_error_and_leaves_nothing(
    tunnel_of: Make, tmp_path: Path
) -> None:
    tunnel = tunnel_of("")
    (tmp_path / "scripted").write_text("#!/no/such/interpreter\n")
    with pytest.raises(CannotTunnel):
        await tunnel.start()


async def test_lines_are_whole_however_they_come_and_disarmed() -> None:
    lines: list[str] = []
    output = OutputProtocol(lines.append)
    for piece in (b"up htt", b"ps://a\nred \x1b[31m", b"\n", b"\xff\n", b"no end"):
        output.pipe_data_received(1, piece)
    assert lines[0] == "up https://a"
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines)


async def test_a_line_without_end_is_forgotten_and_the_next_is_heard() -> None:
    lines: list[str] = []
    output = OutputProtocol(lines.append)
    output.pipe_data_received(1, b"x" * (LINE_LIMIT + 1))
    output.pipe_data_received(1, b"\nup https://a\n")
    assert lines == ["", "up https://a"]


async def test_the_exit_and_the_end_of_the_pipe_are_distinguished() -> None:
    output = OutputProtocol(lambda _: None)
    output.process_exited()
    assert (output.exited.done(), output.drained.done()) == (True, False)
    output.pipe_connection_lost(0, None)
    assert not output.drained.done(), "that was its standard input"
    output.pipe_connection_lost(1, None)
    output.process_exited()
    assert output.drained.done()
