"""An agent by itself, without the tunnel around it; the agent is a stand-in."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel import orphans
from vmon.tunnel.ngrok import agent as agent_module
from vmon.tunnel.ngrok import config
from vmon.tunnel.ngrok.agent import Agent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.tunnel.conftest import Call, Options, Receiver, Until

pytestmark = pytest.mark.usefixtures("nothing_printed", "nobody_left")

TOKEN = "2abcdefghijklmnopqrst_0123456789"
ENDPOINT = {"name": "vmon-test"}


@pytest.fixture
def running(
    ngrok_options: Options, receiver: Receiver, fake_ngrok: Path
) -> Callable[..., AbstractAsyncContextManager[Agent]]:
    """An agent with a folder of its own, which is gone at the end of the block."""

    @asynccontextmanager
    async def run(heard: list[tuple[str, str]] | None = None) -> AsyncIterator[Agent]:
        options = ngrok_options()
        folder = orphans.claim_folder(options.state_dir, "ngrok")
        config.write_config(folder, TOKEN, options)
        launcher = config.write_launcher(folder, fake_ngrok)
        messages = [] if heard is None else heard
        agent = Agent(folder, launcher, 8.0, lambda *message: messages.append(message))
        agent.run(receiver.url, ENDPOINT)
        try:
            yield agent
        finally:
            await agent.end()
            orphans.release_folder(folder)

    return run


async def test_an_agent_becomes_a_url_and_its_end_an_exit_code(
    running: Callable[..., AbstractAsyncContextManager[Agent]],
    call: Call,
    alive: Callable[[int], bool],
) -> None:
    heard: list[tuple[str, str]] = []
    async with running(heard) as agent:
        async with asyncio.timeout(10):
            url = await agent.started
        assert isinstance(url, str)
        assert await call(url) == 200
        pid = agent.pid
        assert pid is not None
        assert not agent.ended.done()
    assert agent.ended.done()
    assert not alive(pid)
    assert await call(url) == 0
    assert heard


async def test_a_start_that_fails_is_its_exception_and_the_agent_is_gone(
    running: Callable[..., AbstractAsyncContextManager[Agent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "auth:105")
    async with running() as agent:
        async with asyncio.timeout(10):
            assert isinstance(await agent.started, Exception)
            await agent.ended
        assert any("ERR_NGROK_105" in error for error in agent.errors)


async def test_an_agent_that_heeds_no_signal_is_killed(
    running: Callable[..., AbstractAsyncContextManager[Agent]],
    monkeypatch: pytest.MonkeyPatch,
    alive: Callable[[int], bool],
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "stubborn")
    monkeypatch.setattr(agent_module, "GRACE_S", 0.2)
    async with running() as agent:
        async with asyncio.timeout(10):
            await agent.started
        pid = agent.pid
        assert pid is not None
        async with asyncio.timeout(4):
            await agent.end()
    assert not alive(pid)


async def test_a_running_agent_is_on_record_for_the_next_vmon(
    running: Callable[..., AbstractAsyncContextManager[Agent]], state_dir: Path, until: Until
) -> None:
    async with running() as agent:
        async with asyncio.timeout(10):
            await agent.started
        await until(lambda: list(state_dir.glob("*/agent.json")))


async def test_an_agent_that_never_ran_has_no_exit_code(
    running: Callable[..., AbstractAsyncContextManager[Agent]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("pyngrok.process.get_process", refuse)
    async with running() as agent, asyncio.timeout(10):
        assert isinstance(await agent.started, OSError)
        assert await agent.ended is None
        assert agent.pid is None
