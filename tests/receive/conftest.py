"""What the tests of the receiver share: a receiver that listens, and requests byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from vmon.events.delivery import Delivery
from vmon.events.ids import Ids
from vmon.receive import http_server
from vmon.receive.http_server import Limits
from vmon.receive.receiver import Receiver, ReceiverCallbacks

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
DEADLINE_S = 10.0


class Client:
    """A connection on which the very bytes are ours."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> "Client":
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
        return self

    async def answer(self) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All until the server closes the connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.read()

    async def gone(self) -> bool:
        """Whether the server ends the connection without an answer."""
        try:
            return await self.rest() == b""
        except ConnectionResetError:
            return True


class Served:
    """A receiver that listens, and what it told its owner."""

    def __init__(self, limits: Limits, accept: Callable[[Delivery], int] | None = None) -> None:
        self.got: list[Delivery] = []
        self.notices: list[str] = []
        self.strangers: list[str] = []
        self.bugs: list[Exception] = []
        self.settle: Callable[[Delivery, int], Awaitable[int]] | None = None
        self.accept = accept or self._take
        self.limits = limits
        self.port = 0
        self.clients: list[Client] = []

    def _take(self, delivery: Delivery) -> int:
        self.got.append(delivery)
        return 200

    async def open(self) -> None:
        hooks = ReceiverCallbacks(
            lambda delivery: self.accept(delivery),  # noqa: PLW0108 - a test may change it
            self.notices.append,
            self.bugs.append,
            self.settle,
            self.strangers.append,
        )
        self.receiver = Receiver(hooks, ids=Ids(), limits=self.limits)
        url = await self.receiver.open("127.0.0.1", 0)
        self.port = int(url.rpartition(":")[2])

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def close(self) -> None:
        for client in self.clients:
            client.writer.close()
        await self.receiver.close(0.1)

    async def ask(self, *pieces: bytes) -> bytes:
        """Send pieces on a connection of their own, and read one answer."""
        client = await self.connect()
        try:
            return await (await client.send(*pieces)).answer()
        finally:
            client.writer.close()

    @property
    def body(self) -> bytes:
        (delivery,) = self.got
        return delivery.body


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture(params=["shortcut", "aiohttp"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to answer a request: every test that serves goes down each of them."""
    if request.param == "aiohttp":
        monkeypatch.setattr(http_server, "_SHORTCUT", False)
    return str(request.param)


@pytest.fixture
async def serve(road: str) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def serving(
            limits: Limits | None = None,
            accept: Callable[[Delivery], int] | None = None,
            settle: Callable[[Delivery, int], Awaitable[int]] | None = None,
        ) -> Served:
            served = Served(limits or Limits(), accept)
            served.settle = settle
            await served.open()
            stack.push_async_callback(served.close)
            return served

        assert road in {"shortcut", "aiohttp"}
        yield serving


def post(
    body: bytes = b"{}", path: bytes = b"/", headers: bytes = b"", http: bytes = b"1.1"
) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST %b HTTP/%b\r\nHost: x\r\n%b%b\r\n%b" % (path, http, headers, length, body)


def chunked(*chunks: bytes, headers: bytes = b"") -> bytes:
    head = b"POST / HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n" % headers
    return head + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in (*chunks, b""))
