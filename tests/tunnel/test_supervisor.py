from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.tunnels import ScriptedTunnel
from tests.support.waiting import until
from vmon.tunnel.model import CannotTunnel, State
from vmon.tunnel.ngrok.tunnel import NgrokTunnel
from vmon.tunnel.supervisor import Back, Down, Moved, Notice, Up, keep_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tunnel.conftest import Call, Options, Until


class Script:
    """The tunnels to be made, one after the other, and the notices that came of them."""

    def __init__(self, *outcomes: str | CannotTunnel) -> None:
        self.to_come = list(outcomes)
        self.made: list[ScriptedTunnel] = []
        self.notices: list[Notice] = []

    def make(self) -> ScriptedTunnel:
        self.made.append(ScriptedTunnel(self.to_come.pop(0)))
        return self.made[-1]

    async def run(self) -> None:
        await keep_up(self.make, self.notices.append, min_pause_s=0.001, max_pause_s=0.002)

    def kinds(self) -> list[type]:
        return [type(notice) for notice in self.notices]


def refusal(*, fatal: bool = False, lingers: bool = False) -> CannotTunnel:
    return CannotTunnel("no", code="NO", hint="go", fatal=fatal, lingers=lingers)


FATAL = refusal(fatal=True)
LINGERING = refusal(fatal=True, lingers=True)


async def test_a_fatal_error_ends_it_and_closes_the_tunnel() -> None:
    script = Script(FATAL)
    with pytest.raises(CannotTunnel, match="no"):
        await script.run()
    assert script.notices == []
    assert script.made[0].closed


async def test_failed_attempts_are_reported_once_until_it_is_up() -> None:
    script = Script(refusal(), refusal(), refusal(), "https://a", FATAL)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(expect_fatal(script))
        await until(lambda: len(script.made) >= 4)
        script.made[3].told.publish(State.FAILED, detail="gone", code="X")
    assert running.result()
    assert script.kinds() == [Down, Up, Down]
    first = script.notices[0]
    assert isinstance(first, Down)
    assert (first.detail, first.code, first.hint) == ("no", "NO", "go")


async def expect_fatal(script: Script) -> bool:
    with pytest.raises(CannotTunnel):
        await script.run()
    return True


async def test_an_outage_is_reported_once_and_its_end_with_its_duration() -> None:
    script = Script("https://a", FATAL)
    async with asyncio.TaskGroup() as group:
        group.create_task(expect_fatal(script))
        await until(lambda: script.notices)
        told = script.made[0].told
        told.publish(State.RECONNECTING, detail="lost")
        told.publish(State.RECONNECTING, detail="lost still")
        await asyncio.sleep(0.05)  # how long it is down, which is measured below
        told.publish(State.ONLINE, url="https://a")
        told.publish(State.ONLINE, url="https://b")
        told.publish(State.FAILED, detail="gone")
    assert script.kinds() == [Up, Down, Back, Moved, Down]
    back, moved = script.notices[2:4]
    assert isinstance(back, Back)
    assert 0.04 < back.down_s < 2
    assert isinstance(moved, Moved)
    assert (moved.was, moved.url, moved.down_s) == ("https://a", "https://b", 0.0)


async def test_a_new_url_after_a_restart_is_reported() -> None:
    script = Script("https://a", refusal(), "https://b", FATAL)
    async with asyncio.TaskGroup() as group:
        group.create_task(expect_fatal(script))
        await until(lambda: script.made)
        script.made[0].told.publish(State.FAILED)
        await until(lambda: len(script.made) >= 3)
        script.made[2].told.publish(State.FAILED)
    assert script.kinds() == [Up, Down, Moved, Down]
    assert all(tunnel.closed for tunnel in script.made)


async def test_what_our_own_dead_agent_may_have_left_is_waited_for_but_not_for_ever() -> None:
    script = Script("https://a", *[LINGERING] * 10)
    async with asyncio.TaskGroup() as group:
        group.create_task(expect_fatal(script))
        await until(lambda: script.made)
        script.made[0].told.publish(State.FAILED)
    assert len(script.made) == 1 + 6
    fresh = Script(LINGERING, "https://a")
    assert await expect_fatal(fresh)
    assert len(fresh.made) == 1


async def test_pauses_double_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(*[refusal()] * 7, FATAL)
    paused: list[float] = []
    real = asyncio.sleep

    async def remember(pause_s: float) -> None:
        paused.append(pause_s)
        await real(0)

    monkeypatch.setattr("vmon.tunnel.supervisor.asyncio.sleep", remember)
    with pytest.raises(CannotTunnel):
        await keep_up(script.make, script.notices.append)
    assert paused == [1, 2, 4, 8, 16, 30, 30]


async def test_cancelling_closes_the_tunnel(until: Until) -> None:
    script = Script("https://a")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(script.run())
        await until(lambda: script.notices)
        running.cancel()
    assert script.made[0].closed


@pytest.mark.usefixtures("nothing_printed", "nobody_left")
async def test_an_agent_that_crashed_is_replaced(
    ngrok_options: Options, until: Until, call: Call, alive: Callable[[int], bool]
) -> None:
    made: list[NgrokTunnel] = []
    notices: list[Notice] = []

    def make() -> NgrokTunnel:
        made.append(NgrokTunnel(ngrok_options()))
        return made[-1]

    async with asyncio.TaskGroup() as group:
        running = group.create_task(keep_up(make, notices.append, min_pause_s=0.01))
        await until(lambda: notices)
        pid = made[0].pid
        assert pid
        os.kill(pid, signal.SIGUSR2)
        await until(lambda: len(notices) == 3)
        up, down, moved = notices
        assert isinstance(up, Up)
        assert isinstance(down, Down)
        assert down.detail == "the ngrok agent exited with code 3"
        assert isinstance(moved, Moved)
        assert moved.was == up.url
        assert up.at < down.at < moved.at < datetime.now(UTC)
        assert await call(moved.url) == 200
        running.cancel()
    assert not [tunnel for tunnel in made if tunnel.pid and alive(tunnel.pid)]


@pytest.mark.usefixtures("nothing_printed", "nobody_left")
async def test_a_token_that_is_refused_ends_it(
    ngrok_options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_NGROK", "auth:107")
    with pytest.raises(CannotTunnel, match="reset or revoked"):
        await keep_up(lambda: NgrokTunnel(ngrok_options()), lambda _: None)
