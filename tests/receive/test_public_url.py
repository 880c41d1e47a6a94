"""A public URL is announced once a request to it has reached us, and guarded by a secret path."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.support.tunnels import ScriptedTunnel
from tests.support.waiting import until
from vmon.receive import public_url as module
from vmon.receive.elements import Notice, TunnelDown, TunnelUp
from vmon.receive.feed import Feed, Subscription
from vmon.receive.public_url import PublicUrl, PublicUrlCallbacks
from vmon.sessions.tracker import SessionTracker
from vmon.tunnel.choice import Choice, TunnelRequest, ViaNgrok, ViaPublicUrl, ViaSsh
from vmon.tunnel.model import CannotTunnel, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from vmon.capture.codec import Outage
    from vmon.receive.elements import Element
    from vmon.security.access import Guard
    from vmon.tunnel.model import Tunnel

TOKEN = "Zq3x_-0aBcDeFgHiJkLmNo"
LOCAL = "http://127.0.0.1:4680"


class PublicSide:
    """A server on loopback that a public URL leads to: it notes requests, and may pass them on."""

    def __init__(self) -> None:
        self.url = ""
        self.leads_to: Receiver | None = None
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        if self.leads_to is None:
            return web.Response(status=502)
        self.leads_to.take(request.path_qs)
        return web.Response()


@pytest.fixture
async def sides() -> AsyncIterator[list[PublicSide]]:
    """Two public sides that listen."""
    made, runners = [PublicSide(), PublicSide()], []
    for side in made:
        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", side.answer)
        runners.append(web.AppRunner(app))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
        host, port = runners[-1].addresses[0][:2]
        side.url = f"http://{host}:{port}"
    yield made
    for runner in runners:
        await runner.cleanup()


class Receiver:
    """A receiver that is looked at: its guards, and the probe it is to look out for."""

    def __init__(self) -> None:
        self.guard: Guard | None = None
        self.expected: tuple[str, asyncio.Event] | None = None

    def expect(self, nonce: str) -> asyncio.Event:
        self.expected = nonce, asyncio.Event()
        return self.expected[1]

    def take(self, path: str) -> None:
        if self.expected and self.expected[0] in path:
            self.expected[1].set()

    def admits(self, host: str, path: str = "/") -> bool:
        assert self.guard is not None
        return self.guard.admits([(b"Host", host.encode())], path)


class Request(TunnelRequest, frozen=True):
    """A request for a tunnel that the test has."""

    fake: ScriptedTunnel = ScriptedTunnel("")

    def tunnel(self, local_url: str) -> Tunnel:
        assert local_url == LOCAL
        return self.fake


class Run:
    """A public URL, and what came of it."""

    def __init__(
        self, tunnel: ScriptedTunnel, *, secret: str | None = TOKEN, choice: Choice | None = None
    ) -> None:
        self.receiver = Receiver()
        self.guards: list[Guard] = []
        self.outages: list[Outage] = []
        self.tunnel = tunnel
        self.feed = Feed(SessionTracker(), lambda _error: None)
        self.queue = Subscription(lambda: None)
        self.feed.subscribe(self.queue)
        self.published: list[Element] = []
        self.public = PublicUrl(
            Request(choice or ViaNgrok(), fake=tunnel),
            self.receiver,
            self.feed,
            secret,
            PublicUrlCallbacks(self.guards.append, self.outages.append),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.public.run(LOCAL))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert self.tunnel.closed

    def look(self) -> list[Element]:
        """All that was published by now."""
        self.feed.flush()
        self.published += [self.queue.take() for _ in range(len(self.queue))]
        return self.published

    def of(self, kind: type[Element]) -> list[Element]:
        return [element for element in self.look() if isinstance(element, kind)]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe again and again without a pause to speak of."""
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.002)


def host_of(side: PublicSide) -> str:
    return side.url.removeprefix("http://")


# Who is let in.


async def test_before_the_url_is_known_nobody_from_outside_is_let_in() -> None:
    run = Run(ScriptedTunnel("https://a.example"))
    assert run.guards == [run.receiver.guard]
    assert not run.receiver.admits("a.example", f"/{TOKEN}")
    assert not run.receiver.admits("", f"/{TOKEN}")
    assert run.receiver.admits("127.0.0.1:4680")  # this very machine


async def test_without_a_secret_path_nobody_is_let_in_too_early_either() -> None:
    run = Run(ScriptedTunnel("https://a.example"), secret=None)
    assert not run.receiver.admits("a.example")
    assert run.public.let_in("https://a.example") == "https://a.example"
    assert run.receiver.admits("a.example")
    assert not run.receiver.admits("b.example")


async def test_who_has_the_url_with_its_secret_path_is_let_in() -> None:
    run = Run(ScriptedTunnel("https://a.example"))
    assert run.public.let_in("https://A.example:8443") == f"https://A.example:8443/{TOKEN}"
    assert run.guards[-1] is run.receiver.guard
    assert run.receiver.admits("a.example:8443", f"/{TOKEN}/hook")
    assert not run.receiver.admits("a.example:8443", "/hook")
    assert not run.receiver.admits("b.example", f"/{TOKEN}/hook")


@pytest.mark.parametrize(
    ("choice", "secret", "inside"),
    [
        (ViaNgrok(), TOKEN, LOCAL),
        (ViaNgrok(), None, LOCAL),
        (ViaSsh("host.example"), TOKEN, f"{LOCAL}/{TOKEN}"),
        (ViaPublicUrl("https://a.example"), TOKEN, f"{LOCAL}/{TOKEN}"),
        (ViaSsh("host.example"), None, LOCAL),
    ],
)
async def test_this_machine_needs_the_secret_path_where_a_tunnel_marks_no_requests(
    choice: Choice, secret: str | None, inside: str
) -> None:
    run = Run(ScriptedTunnel(""), secret=secret, choice=choice)
    assert run.public.inside(LOCAL) == inside
    run.public.let_in("https://a.example")
    assert run.receiver.admits("127.0.0.1:4680", inside.removeprefix(LOCAL) or "/")
    assert run.receiver.admits("127.0.0.1:4680") == (inside == LOCAL)


# What is announced.


async def test_a_url_is_announced_once_a_probe_of_it_has_reached_the_receiver(
    sides: list[PublicSide],
) -> None:
    side, _ = sides
    run = Run(ScriptedTunnel(side.url))
    async with run.running():
        await until(lambda: len(side.paths) >= 3)
        assert run.look() == []
        side.leads_to = run.receiver
        await until(run.look)
    assert run.published == [TunnelUp(f"{side.url}/{TOKEN}")]
    assert run.receiver.admits(host_of(side), f"/{TOKEN}")
    assert run.receiver.expected is not None
    assert set(side.paths) == {f"/{TOKEN}?vmon-probe={run.receiver.expected[0]}"}


async def test_another_server_s_200_proves_nothing(sides: list[PublicSide]) -> None:
    side, _ = sides
    run, other = Run(ScriptedTunnel(side.url)), Receiver()
    side.leads_to = other
    async with run.running():
        await until(lambda: len(side.paths) >= 3)
        assert run.look() == []
        side.leads_to = run.receiver
        await until(run.look)
    assert run.of(TunnelUp) == run.published


async def test_a_url_that_leads_nowhere_yet_is_told_once_with_the_reason(
    sides: list[PublicSide], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LATE_S", 0.0)
    side, _ = sides
    run = Run(ScriptedTunnel(side.url))
    async with run.running():
        await until(lambda: len(side.paths) >= 4)
        (notice,) = run.look()
        assert isinstance(notice, Notice)
        url = f"{side.url}/{TOKEN}"
        assert notice.text == (
            f"{url} does not reach vmon yet: another server responded 502; retrying"
        )
        side.leads_to = run.receiver
        await until(lambda: run.of(TunnelUp))
    assert len(run.published) == 2


async def test_where_nobody_listens_the_reason_is_told_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setattr(module, "_LATE_S", 0.0)
    run = Run(ScriptedTunnel(f"http://127.0.0.1:{free_port}"))
    async with run.running():
        await until(run.look)
    (notice,) = run.published
    assert isinstance(notice, Notice)
    assert "does not reach vmon yet: Cannot connect to host" in notice.text


async def test_a_drop_and_its_end_are_told_with_the_outage(sides: list[PublicSide]) -> None:
    side, _ = sides
    side.leads_to = (run := Run(ScriptedTunnel(side.url))).receiver
    async with run.running():
        await until(lambda: run.of(TunnelUp))
        run.tunnel.told.publish(State.RECONNECTING, detail="lost", code="E1")
        await until(lambda: run.of(TunnelDown))
        assert run.outages == []
        run.tunnel.told.publish(State.ONLINE, url=side.url)
        await until(lambda: run.outages)
    _, down = run.published
    assert isinstance(down, TunnelDown)
    assert (down.detail, down.code) == ("lost", "E1")
    (outage,) = run.outages
    assert (outage.url, outage.detail) == (side.url, "lost")
    assert outage.down_at <= outage.up_at
    assert run.of(TunnelUp) == [TunnelUp(f"{side.url}/{TOKEN}")]  # the URL is the same


@pytest.mark.parametrize("is_down", [False, True])
async def test_a_url_that_has_moved_is_announced_with_the_one_it_replaces(
    sides: list[PublicSide], *, is_down: bool
) -> None:
    old, new = sides
    run = Run(ScriptedTunnel(old.url))
    old.leads_to = run.receiver
    async with run.running():
        await until(lambda: run.of(TunnelUp))
        if is_down:
            run.tunnel.told.publish(State.RECONNECTING, detail="lost")
        run.tunnel.told.publish(State.ONLINE, url=new.url)
        await until(lambda: len(new.paths) >= 2)
        assert len(run.of(TunnelUp)) == 1  # not before it is proved
        new.leads_to = run.receiver
        await until(lambda: len(run.of(TunnelUp)) == 2)
    first, second = f"{old.url}/{TOKEN}", f"{new.url}/{TOKEN}"
    assert run.of(TunnelUp) == [TunnelUp(first), TunnelUp(second, first)]
    assert [outage.url for outage in run.outages] == [new.url] * is_down
    assert run.guards[-1] is run.receiver.guard
    assert len(run.guards) == 3


async def test_a_url_that_moves_before_it_is_proved_is_proved_no_longer(
    sides: list[PublicSide],
) -> None:
    old, new = sides
    run = Run(ScriptedTunnel(old.url))
    new.leads_to = run.receiver
    async with run.running():
        await until(lambda: old.paths)
        run.tunnel.told.publish(State.ONLINE, url=new.url)
        await until(lambda: run.of(TunnelUp))
    assert run.published == [TunnelUp(f"{new.url}/{TOKEN}")]


async def test_a_url_that_comes_back_before_another_was_proved_replaces_none(
    sides: list[PublicSide],
) -> None:
    ours, other = sides
    run = Run(ScriptedTunnel(ours.url))
    ours.leads_to = run.receiver
    async with run.running():
        await until(lambda: run.of(TunnelUp))
        run.tunnel.told.publish(State.ONLINE, url=other.url)
        await until(lambda: other.paths)
        run.tunnel.told.publish(State.ONLINE, url=ours.url)
        await until(lambda: len(run.of(TunnelUp)) == 2)
    assert run.of(TunnelUp) == [TunnelUp(f"{ours.url}/{TOKEN}")] * 2


async def test_a_drop_before_the_url_is_proved_does_not_end_the_proving(
    sides: list[PublicSide],
) -> None:
    side, _ = sides
    run = Run(ScriptedTunnel(side.url))
    async with run.running():
        await until(lambda: side.paths)
        run.tunnel.told.publish(State.RECONNECTING, detail="lost")
        await until(lambda: run.of(TunnelDown))
        side.leads_to = run.receiver
        run.tunnel.told.publish(State.ONLINE, url=side.url)
        await until(lambda: run.of(TunnelUp))
    assert len(run.outages) == 1


# How it ends.


async def test_a_tunnel_that_cannot_be_had_ends_it_with_the_reason() -> None:
    refusal = CannotTunnel("no", code="NO", hint="go", fatal=True)
    run = Run(ScriptedTunnel(refusal))
    async with run.running() as task:
        with pytest.raises(CannotTunnel, match="no"):
            async with asyncio.timeout(10):
                await task
    assert run.look() == []


async def test_a_bug_in_announcing_ends_it_too(sides: list[PublicSide]) -> None:
    side, _ = sides
    run = Run(ScriptedTunnel(side.url))
    run.guards = []

    def failing(_guard: Guard) -> None:
        raise ZeroDivisionError

    run.public._callbacks = PublicUrlCallbacks(failing, run.outages.append)
    async with run.running() as task:
        with pytest.raises(ZeroDivisionError):
            async with asyncio.timeout(10):
                await task


async def test_cancelling_it_closes_the_tunnel(sides: list[PublicSide]) -> None:
    side, _ = sides
    run = Run(ScriptedTunnel(side.url))
    async with run.running() as task:
        await until(lambda: side.paths)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert run.tunnel.closed
