"""A tunnel whose engine is a shell script of the test's own."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.model import CannotTunnel, State, TunnelOptions
from vmon.tunnel.processes import bound_to_us
from vmon.tunnel.subprocess_tunnel import LINE_LIMIT, EngineEvent, EngineTunnel, OutputProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.tunnel.conftest import Opened

pytestmark = pytest.mark.usefixtures("nothing_printed", "nobody_left")


class Script:
    """An engine that prints `up URL` and `down WHY`."""

    name = "script"
    program = "no-such-program-of-a-tunnel"
    noise = ("#",)

    def arguments(self) -> tuple[str, ...]:
        return ()

    def parse_line(self, line: str) -> EngineEvent | None:
        word, _, rest = line.partition(" ")
        match word:
            case "up":
                return EngineEvent(State.ONLINE, rest)
            case "down":
                return EngineEvent(State.RECONNECTING, detail=rest)
            case _:
                return None

    def explain(self, returncode: int | None, tail: list[str]) -> CannotTunnel:
        return CannotTunnel(f"ended with {returncode}: {' | '.join(tail)}", code="ENDED")


@pytest.fixture
def made(tmp_path: Path, state_dir: Path) -> Callable[..., EngineTunnel]:
    """A tunnel whose engine runs these lines of a shell."""

    def tunnel(text: str, start_timeout_s: float = 8.0) -> EngineTunnel:
        program = tmp_path / "engine"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(stat.S_IRWXU)
        options = TunnelOptions(
            local_url="http://127.0.0.1:1", state_dir=state_dir, binary=program,
            start_timeout_s=start_timeout_s,
        )  # fmt: skip # one thing a line
        return EngineTunnel(Script(), options)

    return tunnel


async def test_the_first_url_is_the_tunnels_and_what_follows_are_changes(
    made: Callable[..., EngineTunnel], opened: Opened
) -> None:
    tunnel = made("echo up https://a; echo down lost; echo up https://a; exec sleep 60")
    assert await opened(tunnel) == "https://a"
    changes = tunnel.changes()
    async with asyncio.timeout(5):
        first, second = await anext(changes), await anext(changes)
    assert (first.state, first.detail) == (State.RECONNECTING, "lost")
    assert (second.state, second.url) == (State.ONLINE, "https://a")


async def test_an_engine_that_ends_before_its_url_says_why_without_noise(
    made: Callable[..., EngineTunnel], opened: Opened
) -> None:
    with pytest.raises(CannotTunnel, match=r"^ended with 7: no route \| bye$"):
        await opened(made("echo no route; echo '# version 3'; echo bye; exit 7"))


async def test_an_engine_without_a_url_is_given_up_in_time_with_its_last_words(
    made: Callable[..., EngineTunnel], opened: Opened
) -> None:
    with pytest.raises(CannotTunnel, match=r"within 0\.3 s: still trying") as caught:
        await opened(made("echo still trying; exec sleep 60", start_timeout_s=0.3))
    assert caught.value.code == "TIMEOUT"


async def test_an_engine_that_ends_later_is_a_failure(
    made: Callable[..., EngineTunnel], opened: Opened
) -> None:
    tunnel = made("echo up https://a; read anything; exit 3")
    await opened(tunnel)
    assert tunnel.pid is not None
    assert tunnel._process is not None
    stdin = tunnel._process.get_pipe_transport(0)
    assert isinstance(stdin, asyncio.WriteTransport)
    stdin.write(b"go\n")
    async with asyncio.timeout(5):
        (last,) = [change async for change in tunnel.changes()]
    assert (last.state, last.detail, last.code) == (
        State.FAILED, "ended with 3: up https://a", "ENDED",
    )  # fmt: skip # one thing a line


async def test_a_program_that_is_not_there_is_fatal(state_dir: Path) -> None:
    options = TunnelOptions(local_url="http://127.0.0.1:1", state_dir=state_dir)
    with pytest.raises(CannotTunnel, match="no-such-program-of-a-tunnel not found") as caught:
        await EngineTunnel(Script(), options).start()
    assert (caught.value.code, caught.value.fatal) == ("NOT_FOUND", True)


async def test_a_program_that_cannot_run_is_fatal(
    made: Callable[..., EngineTunnel], tmp_path: Path, opened: Opened
) -> None:
    tunnel = made("")
    (tmp_path / "engine").write_bytes(b"\x7fELF no program")
    with pytest.raises(CannotTunnel) as caught:
        await opened(tunnel)
    # Where a wrapper binds the engine to us, that is what runs, and ends.
    assert caught.value.code == ("ENDED" if bound_to_us() else "NOT_RUNNABLE")


async def test_output_is_taken_by_the_line_disarmed_and_bounded() -> None:
    lines: list[str] = []
    output = OutputProtocol(lines.append)
    output.pipe_data_received(1, b"one\ntw")
    output.pipe_data_received(1, b"o \x1b[31mred\x07\n")
    output.pipe_data_received(1, b"x" * (LINE_LIMIT + 1))
    output.pipe_data_received(1, b"rest\n")
    assert lines == ["one", "two red", "rest"]


async def test_the_exit_and_the_end_of_the_pipe_are_told_apart() -> None:
    output = OutputProtocol(lambda _line: None)
    output.process_exited()
    output.process_exited()
    assert (output.exited.done(), output.silent.done()) == (True, False)
    output.pipe_connection_lost(0, None)
    assert not output.silent.done()
    output.pipe_connection_lost(1, None)
    assert output.silent.done()
