import asyncio
import errno
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import product
from typing import Any, cast

import pytest
from msgspec.structs import replace

from tests.support.waiting import until
from vmon.errors import CannotListen
from vmon.events.delivery import Delivery, encoding_of
from vmon.events.ids import Ids
from vmon.events.payload import read_body
from vmon.receive import http_server
from vmon.receive import receiver as module
from vmon.receive.http_server import Limits
from vmon.receive.receiver import Receiver, ReceiverCallbacks
from vmon.security.access import Guard

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


# What is answered 200.


@pytest.mark.parametrize("path", [b"/", b"/hook", b"/a/b?c=d&e", b"//", b"/%2F%zz"])
async def test_a_post_on_any_path_is_answered_200_with_an_empty_body(
    serve: Serve, path: bytes
) -> None:
    served = await serve()
    assert await served.ask(post(b'{"a":1}', path)) == OK
    assert [(one.method, one.path, one.body) for one in served.got] == [
        ("POST", path.decode(), b'{"a":1}')
    ]
    assert served.notices == []
    assert served.bugs == []


async def test_an_empty_post_is_a_delivery_too(serve: Serve) -> None:
    served = await serve()
    assert await served.ask(post(b"")) == OK
    assert await served.ask(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n") == OK
    assert [one.body for one in served.got] == [b"", b""]


async def test_headers_keep_their_order_their_spelling_and_their_bytes(serve: Serve) -> None:
    served = await serve()
    await served.ask(
        b"POST / HTTP/1.1\r\nX-b: 1\r\nHOST: there\r\nx-B: two  words \r\n"
        b"X-Latin: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\ncontent-LENGTH: 2\r\n\r\n{}"
    )
    assert served.got[0].headers == (
        ("X-b", "1"),
        ("HOST", "there"),
        ("x-B", "two  words"),
        ("X-Latin", "caf\xe9"),
        ("X-Utf", "caf\xc3\xa9"),
        ("content-LENGTH", "2"),
    )


async def test_the_client_and_an_instant_in_utc_are_noted(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    await (await client.send(post())).answer()
    host, port = client.writer.get_extra_info("sockname")
    assert served.got[0].remote == f"{host}:{port}"
    assert str(served.got[0].received_at.tzinfo) == "UTC"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS"])
async def test_a_probe_is_answered_200_and_is_no_delivery(serve: Serve, method: bytes) -> None:
    served = await serve()
    assert await served.ask(method + b" /hook HTTP/1.1\r\nHost: x\r\n\r\n") == OK
    assert served.got == []
    assert served.notices == [f"{method.decode()} /hook not captured: responded 200 to a probe"]


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"PATCH", b"TRACE", b"PROPFIND"])
async def test_any_other_method_is_405_and_says_what_is_allowed(
    serve: Serve, method: bytes
) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(method + b" / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert await client.rest() == (
        b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n"
        b"Allow: POST, GET, HEAD, OPTIONS\r\nConnection: close\r\n\r\n"
    )
    assert served.got == []
    assert len(served.notices) == 1


# How a body may come.


async def test_a_gzipped_body_is_kept_as_it_came(serve: Serve) -> None:
    served = await serve()
    body = gzip.compress(b'{"a":1}')
    assert await served.ask(post(body, headers=b"Content-Encoding: gzip\r\n")) == OK
    assert served.body == body


async def test_a_chunked_body_is_put_together(serve: Serve) -> None:
    served = await serve()
    assert await served.ask(chunked(b'{"a"', b":", b"1}")) == OK
    assert served.body == b'{"a":1}'


async def test_a_chunked_body_may_have_extensions_and_trailers(serve: Serve) -> None:
    served = await serve()
    wire = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await served.ask(wire + b"2;a=b\r\n{}\r\n0\r\nX-Sum: 1\r\n\r\n") == OK
    assert served.body == b"{}"


async def test_a_request_may_come_in_pieces_of_one_byte(serve: Serve) -> None:
    served = await serve()
    wire = post(b'{"a":1}', headers=b"X-Y: z\r\n")
    assert await served.ask(*(wire[i : i + 1] for i in range(len(wire)))) == OK
    assert served.body == b'{"a":1}'


async def test_a_client_that_asks_whether_to_send_its_body_is_told_to(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    wire = post(b'{"a":1}', headers=b"Expect: 100-continue\r\n")
    await client.send(wire[:-7])
    assert await client.answer() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(wire[-7:])
    assert await client.answer() == OK
    assert served.body == b'{"a":1}'


async def test_a_body_of_many_reads_arrives_whole(serve: Serve) -> None:
    served = await serve()
    body = bytes(range(256)) * 4000
    assert await served.ask(post(body)) == OK
    assert served.body == body


# How connections are used.


async def test_a_connection_is_used_again(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    for number in range(5):
        assert await (await client.send(post(b"%d" % number))).answer() == OK
    assert [one.body for one in served.got] == [b"0", b"1", b"2", b"3", b"4"]
    assert len({one.remote for one in served.got}) == 1


@pytest.mark.parametrize("number", [3, 40, 500])
async def test_pipelined_requests_are_taken_and_answered_in_their_order(
    serve: Serve, number: int
) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(b"".join(post(b"%d" % one) for one in range(number)))
    assert [await client.answer() for _ in range(number)] == [OK] * number
    assert [one.body for one in served.got] == [b"%d" % one for one in range(number)]
    assert sorted(one.id for one in served.got) == [one.id for one in served.got]
    assert await (await client.send(post(b"once more"))).answer() == OK


async def test_ordinary_and_other_requests_may_be_mixed_in_a_pipeline(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    probe = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    wire = post(b"1") + probe + post(b"2") + chunked(b"3") + probe + post(b"4")
    await client.send(wire[:-1])
    await until(lambda: len(served.got) == 3)
    await client.send(wire[-1:])
    assert [await client.answer() for _ in range(6)] == [OK] * 6
    assert [one.body for one in served.got] == [b"1", b"2", b"3", b"4"]


async def test_the_parts_of_one_body_may_come_before_the_first_was_looked_at(
    serve: Serve,
) -> None:
    """A loop may hand over two pieces in one go, as libuv does when its buffer was full."""
    served = await serve()
    client = await served.connect()
    await (await client.send(post())).answer()
    assert served.receiver._server is not None
    (connection,) = served.receiver._server.connections
    await until(lambda: connection._waiter is not None)
    wire = post(b'{"a":1}')
    connection.data_received(wire[:-3])
    connection.data_received(wire[-3:] + post(b"2"))
    assert [await client.answer() for _ in range(2)] == [OK] * 2
    assert await (await client.send(post(b"3"))).answer() == OK
    assert [one.body for one in served.got] == [b"{}", b'{"a":1}', b"2", b"3"]


@pytest.mark.parametrize(
    "wire",
    [
        post(headers=b"Connection: close\r\n"),
        post(http=b"1.0"),
        b"GET / HTTP/1.0\r\n\r\n",
        post(headers=b"Connection: close\r\n", body=b""),
    ],
)
async def test_a_client_that_wants_the_connection_closed_has_it_closed(
    serve: Serve, wire: bytes
) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(wire)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert await client.rest() == answer


async def test_connections_are_capped_and_a_place_that_comes_free_is_given_again(
    serve: Serve,
) -> None:
    served = await serve(Limits(connections=2))
    first, second = [await (await served.connect()).send(post()) for _ in range(2)]
    assert [await first.answer(), await second.answer()] == [OK, OK]
    assert await (await served.connect()).gone()
    assert served.notices == ["rejected a connection: 2 connections already open"]
    assert await (await second.send(post())).answer() == OK
    first.writer.close()
    assert served.receiver._server is not None
    connections = served.receiver._server
    await until(lambda: len(connections.connections) == 1)
    assert await served.ask(post()) == OK


# What is refused.


def too_large(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 413 ") and b"\r\nContent-Length: 0\r\n" in answer


@pytest.mark.parametrize(
    "wire",
    [
        post(b"x" * 101),
        post(b"x" * 3_000_000),
        chunked(b"x" * 60, b"x" * 60),
        chunked(*[b"x"] * 101),
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n",
    ],
    ids=["by a byte", "by far", "in chunks", "in chunks of one", "as it says, sending none"],
)
async def test_a_body_over_the_limit_is_413_and_said(serve: Serve, wire: bytes) -> None:
    served = await serve(Limits(max_body=100))
    assert too_large(await served.ask(wire))
    assert served.got == []
    assert served.notices == [
        "POST / not captured: responded 413: body larger than 100 B (--max-body)"
    ]


async def test_a_body_of_just_the_limit_is_taken(serve: Serve) -> None:
    served = await serve(Limits(max_body=100))
    assert await served.ask(post(b"x" * 100)) == OK
    assert await served.ask(chunked(b"x" * 50, b"x" * 50)) == OK
    assert [len(one.body) for one in served.got] == [100, 100]


async def test_a_decompression_bomb_is_413(serve: Serve) -> None:
    def accept(delivery: Delivery) -> int:
        read_body(delivery.body, encoding_of(delivery), limit=10_000)
        return 200

    served = await serve(Limits(max_body=10_000), accept)
    bomb = gzip.compress(b"0" * 1_000_000)
    assert len(bomb) < 2000
    gzipped = b"Content-Encoding: gzip\r\n"
    assert too_large(await served.ask(post(bomb, headers=gzipped)))
    assert too_large(await served.ask(chunked(bomb, headers=gzipped)))
    assert await served.ask(post(gzip.compress(b"0" * 9_000), headers=gzipped)) == OK
    assert len(served.notices) == 2
    assert served.bugs == []


async def test_a_body_that_takes_too_long_is_408(serve: Serve) -> None:
    served = await serve(Limits(body_timeout_s=0.05))
    answer = await served.ask(post(b'{"a":1}')[:-1])
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert served.notices == [
        "POST / not captured: responded 408: body not received within 0.05 s (--body-timeout)"
    ]


async def test_a_body_that_drips_is_408_however_busy_it_is(serve: Serve) -> None:
    served = await serve(Limits(body_timeout_s=0.2))
    client = await served.connect()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")

    async def drip() -> None:
        while True:
            await client.send(b"x")
            await asyncio.sleep(0.01)  # a drop now and then, all the time

    dripping = asyncio.ensure_future(drip())
    assert (await client.answer()).startswith(b"HTTP/1.1 408 ")
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


@pytest.mark.parametrize("before", [b"", post()], ids=["at first", "after a request"])
@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nA: b\r\n"], ids=["nothing", "headers"])
async def test_a_client_that_never_comes_to_a_request_is_cut_off(
    serve: Serve, before: bytes, sent: bytes
) -> None:
    served = await serve(Limits(header_timeout_s=0.2))
    client = await served.connect()
    if before:
        assert await (await client.send(before)).answer() == OK
    await client.send(sent)

    async def drip() -> None:
        while sent:
            await client.send(b"X: y\r\n")
            await asyncio.sleep(0.02)  # a drop now and then, all the time

    dripping = asyncio.ensure_future(drip())
    assert await client.gone()
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


@pytest.mark.parametrize(
    "wire",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: two\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nX: %b\r\n\r\n" % (b"x" * 100_000),
        b"POST /%b HTTP/1.1\r\n\r\n" % (b"x" * 100_000),
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["words", "tls", "version", "negative", "text", "two lengths", "length and chunks",
         "no colon", "long header", "long path", "chunk size"],
)  # fmt: skip # the names of a table
async def test_what_is_not_http_is_answered_400_and_is_no_bug(serve: Serve, wire: bytes) -> None:
    served = await serve()
    assert (await served.ask(wire)).startswith(b"HTTP/1.1 400 ")
    assert served.got == []
    assert served.bugs == []
    assert len(served.notices) == 1
    assert await served.ask(post()) == OK


async def test_a_chunk_that_breaks_off_later_is_400_too(serve: Serve) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(chunked(b"{}")[:-5])
    await until(lambda: served.receiver._server is not None)
    await client.send(b"\r\nzz\r\n")
    assert (await client.answer()).startswith(b"HTTP/1.1 400 ")
    assert (served.got, served.bugs) == ([], [])


@pytest.mark.parametrize("wire", [post(b'{"a":1}')[:-1], chunked(b"{}")[:-3], b"POST / HT"])
async def test_a_client_that_leaves_in_the_middle_leaves_no_delivery_and_no_bug(
    serve: Serve, wire: bytes
) -> None:
    served = await serve()
    client = await served.connect()
    await client.send(wire)
    server = served.receiver._server
    assert server is not None
    await until(lambda: len(server.connections) == 1)
    client.writer.transport.abort()
    await until(lambda: len(server.connections) == 0)
    assert await served.ask(post()) == OK
    assert served.body == b"{}"
    assert served.bugs == []
    said = "POST / not captured: connection closed before the body was complete"
    assert served.notices == ([said] if b"\r\n\r\n" in wire else [])


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("first", [GET, post(b"1"), chunked(b"1"), post(b"1")[:-1]])
@pytest.mark.parametrize("second", [GET, post(b'{"a":1}'), chunked(b"{", b"}")])
@pytest.mark.parametrize("waits", [False, True])
async def test_wherever_two_requests_are_cut_the_next_client_is_answered(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, first: bytes, second: bytes, *, waits: bool
) -> None:
    async def settle(_: Delivery, status: int) -> int:
        await asyncio.sleep(0)  # a turn of the loop later
        return status

    failed: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    served = await serve(settle=settle if waits else None)
    server = served.receiver._server
    assert server is not None
    lost, whole = [], server.connection_lost

    def note(*connection: Any) -> None:
        lost.append(connection)
        whole(*connection)

    monkeypatch.setattr(server, "connection_lost", note)
    for sent, (cut, turns) in enumerate(product(range(0, len(second), 9), range(8)), 1):
        with socket.create_connection(("127.0.0.1", served.port), timeout=DEADLINE_S) as client:
            await asyncio.sleep(0.001)  # so that the turns of the loop below are the request's
            client.sendall(first + second[:cut])
            for _ in range(turns):
                await asyncio.sleep(0)  # so many turns of the loop between the pieces
        await until(lambda sent=sent: len(lost) == sent)  # type: ignore[misc] # its default
    assert await served.ask(post(b"last")) == OK
    bodies = [one.body for one in served.got]
    assert (bodies.count(b"last"), set(bodies) <= {b"1", b"last"}) == (1, True)
    assert (served.bugs, failed) == ([], [])


@pytest.mark.parametrize("wire", [GET, chunked(b"1")[:-3], post(b"12")[:-1], b"no HTTP\r\n\r\n"])
async def test_a_client_that_leaves_just_before_its_turn_is_no_bug(
    serve: Serve, wire: bytes
) -> None:
    failed: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    served = await serve()
    client = await served.connect()
    server = served.receiver._server
    assert server is not None
    await until(lambda: any(one._waiter for one in server.connections))
    (connection,) = server.connections
    transport, task = connection.transport, connection._task_handler
    assert transport is not None
    assert task is not None
    connection.data_received(wire)
    connection.connection_lost(None)
    transport.abort()
    assert await client.gone()
    await asyncio.wait([task], timeout=DEADLINE_S)
    assert (task.exception(), served.bugs, failed) == (None, [], [])
    assert await served.ask(post()) == OK


async def test_a_client_whose_line_times_out_broke_off_and_was_not_slow(serve: Serve) -> None:
    served = await serve()
    client = await (await served.connect()).send(post(b"123")[:-1])
    server = served.receiver._server
    assert server is not None
    await until(lambda: any(one._current_request for one in server.connections))
    (connection,) = server.connections
    transport = connection.transport
    assert transport is not None
    connection.connection_lost(TimeoutError(errno.ETIMEDOUT, "timed out"))
    transport.abort()
    assert await client.gone()
    await until(lambda: bool(served.notices))
    assert served.notices == ["POST / not captured: connection closed before the body was complete"]
    assert served.bugs == []


async def test_a_client_that_leaves_before_its_answer_is_no_bug(serve: Serve) -> None:
    may, left = asyncio.Event(), asyncio.Event()

    async def settle(_delivery: Delivery, status: int) -> int:
        await may.wait()
        left.set()
        return status

    served = await serve(settle=settle)
    client = await (await served.connect()).send(post(b"1"))
    await until(lambda: len(served.got) == 1)
    client.writer.transport.abort()
    server = served.receiver._server
    assert server is not None
    await until(lambda: server.connections[0].transport is None)
    may.set()
    await left.wait()
    assert await served.ask(post(b"2")) == OK
    assert [one.body for one in served.got] == [b"1", b"2"]
    assert (served.bugs, served.notices) == ([], [])


async def test_a_notice_cannot_act_on_the_terminal(serve: Serve) -> None:
    served = await serve()
    await served.ask(b"GET /\xc2\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(served.notices) == 1
    assert served.notices[0].isprintable()


# What the owner says.


@pytest.mark.parametrize("wire", [post(), chunked(b"{}")], ids=["whole", "chunked"])
async def test_an_exception_of_the_owner_is_500_and_told_as_a_bug(
    serve: Serve, wire: bytes
) -> None:
    def accept(delivery: Delivery) -> int:
        raise ZeroDivisionError(delivery.path)

    served = await serve(accept=accept)
    answer = await served.ask(wire)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert [repr(bug) for bug in served.bugs] == ["ZeroDivisionError('/')"]
    served.accept = served._take
    assert await served.ask(wire) == OK


async def test_whatever_the_owner_raises_late_is_500_and_a_bug(serve: Serve) -> None:
    async def settle(_: Delivery, _status: int) -> int:
        raise TimeoutError("of ours")

    served = await serve(settle=settle)
    assert (await served.ask(post())).startswith(b"HTTP/1.1 500 ")
    assert ([repr(bug) for bug in served.bugs], served.notices) == (["TimeoutError('of ours')"], [])


@pytest.mark.parametrize("wire", [GET, b"no HTTP\r\n\r\n", b"PUT" + post()[4:]])
async def test_an_owner_that_cannot_hear_a_notice_loses_that_request_alone(
    serve: Serve, wire: bytes
) -> None:
    def deaf(_text: str) -> None:
        raise ZeroDivisionError

    served = await serve()
    served.receiver.hooks = replace(served.receiver.hooks, notice=deaf)
    assert (await served.ask(wire)).startswith(b"HTTP/1.1 500 ")
    assert [type(bug) for bug in served.bugs] == [ZeroDivisionError]
    assert await served.ask(post()) == OK


async def test_a_guard_that_fails_loses_that_request_alone(serve: Serve) -> None:
    class Failing:
        def admits(self, *_: object) -> bool:
            raise ZeroDivisionError

    served = await serve()
    served.receiver.guard = cast("Guard", Failing())
    assert (await served.ask(post())).startswith(b"HTTP/1.1 500 ")
    served.receiver.guard = None
    assert await served.ask(post()) == OK
    assert [type(bug) for bug in served.bugs] == [ZeroDivisionError]
    server = served.receiver._server
    assert server is not None
    await until(lambda: not server.connections)


async def test_the_status_of_the_owner_is_the_answer(serve: Serve) -> None:
    served = await serve(accept=lambda _: 503)
    assert await served.ask(post()) == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n"
    )


async def test_an_answer_waits_until_it_is_settled_and_may_change_then(serve: Serve) -> None:
    may, asked = asyncio.Event(), []

    async def settle(delivery: Delivery, status: int) -> int:
        asked.append((delivery.body, status))
        await may.wait()
        return 503

    served = await serve(settle=settle)
    client = await (await served.connect()).send(post(b"1"))
    await until(lambda: asked == [(b"1", 200)])
    other = await (await served.connect()).send(post(b"2"))
    await until(lambda: len(asked) == 2)
    may.set()
    assert (await client.answer()).startswith(b"HTTP/1.1 503 ")
    assert (await other.answer()).startswith(b"HTTP/1.1 503 ")


# The two roads.


def test_the_installed_aiohttp_has_what_the_shortcut_needs() -> None:
    assert http_server._SHORTCUT is True


async def test_an_ordinary_post_is_answered_without_a_task_of_its_own(
    serve: Serve, road: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    responded = []
    respond = Receiver.respond

    async def spy(receiver: Receiver, request: object) -> object:
        responded.append(request)
        return await respond(receiver, request)  # type: ignore[arg-type] # handed through

    monkeypatch.setattr(Receiver, "respond", spy)
    served = await serve()
    client = await served.connect()
    await (await client.send(post())).answer()
    responded.clear()  # the first may come before the connection's own task has begun
    assert [await (await client.send(post())).answer() for _ in range(4)] == [OK] * 4
    assert len(responded) == (0 if road == "shortcut" else 4)


# Opening and closing.


async def test_closing_waits_for_what_is_in_flight_and_for_nothing_else(serve: Serve) -> None:
    served = await serve()
    idle = await (await served.connect()).send(post(b"1"))
    await idle.answer()
    busy = await (await served.connect()).send(post(b'{"a":1}')[:-1])
    server = served.receiver._server
    assert server is not None
    await until(lambda: any(one._request_in_progress for one in server.connections))
    closing = asyncio.ensure_future(served.receiver.close(DEADLINE_S))
    assert await idle.gone()
    assert not closing.done()
    await busy.send(b"}")
    assert (await busy.answer()).startswith(b"HTTP/1.1 200 ")
    async with asyncio.timeout(DEADLINE_S):
        await closing
    assert [one.body for one in served.got] == [b"1", b'{"a":1}']
    with pytest.raises(ConnectionRefusedError):
        await served.connect()


async def test_closing_gives_up_on_what_never_comes(serve: Serve) -> None:
    served = await serve()
    busy = await (await served.connect()).send(post(b'{"a":1}')[:-1])
    server = served.receiver._server
    assert server is not None
    await until(lambda: any(one._request_in_progress for one in server.connections))
    async with asyncio.timeout(DEADLINE_S):
        await served.receiver.close(0.05)
    assert await busy.gone()
    assert served.got == []
    assert served.bugs == []


async def test_a_receiver_that_never_opened_closes() -> None:
    receiver = Served(Limits())
    receiver.receiver = Receiver(
        ReceiverCallbacks(receiver._take, receiver.notices.append, receiver.bugs.append), ids=Ids()
    )
    await receiver.receiver.close()
    assert receiver.notices == []


# With a guard.

TOKEN = b"Zq3x_-0aBcDeFgHiJkLmNo"
NOBODY = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def guarded(serve: Serve) -> Served:
    served = await serve()
    served.receiver.guard = Guard(TOKEN.decode(), frozenset({"public.example"}))
    return served


def public(first: bytes, *, host: bytes = b"public.example", body: bytes = b"{}") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"%b HTTP/1.1\r\nHost: %b\r\n%b\r\n%b" % (first, host, length, body)


async def test_who_has_the_secret_path_is_answered_and_captured_as_received(
    guarded: Served,
) -> None:
    assert await guarded.ask(public(b"POST /%b/hook?a=1" % TOKEN)) == OK
    assert [one.path for one in guarded.got] == [f"/{TOKEN.decode()}/hook?a=1"]
    assert guarded.strangers == []


async def test_a_local_request_needs_no_secret_path(guarded: Served) -> None:
    host = b"127.0.0.1:%d" % guarded.port
    assert await guarded.ask(public(b"POST /hook", host=host)) == OK
    assert [one.path for one in guarded.got] == ["/hook"]


@pytest.mark.parametrize(
    ("first", "host"),
    [
        (b"POST /", b"public.example"),
        (b"POST /hook", b"public.example"),
        (b"POST /%bx" % TOKEN, b"public.example"),
        (b"POST /%b" % TOKEN, b"evil.example"),
        (b"GET /", b"public.example"),
        (b"GET /.env", b"public.example"),
        (b"OPTIONS *", b"public.example"),
        (b"HEAD /", b"public.example"),
        (b"PUT /", b"public.example"),
        (b"DELETE /%b" % TOKEN, b"evil.example"),
        (b"POST http://public.example/", b"public.example"),
    ],
)
async def test_a_stranger_is_answered_404_and_learns_nothing(
    guarded: Served, first: bytes, host: bytes
) -> None:
    client = await guarded.connect()
    await client.send(public(first, host=host))
    assert await client.rest() == NOBODY
    assert (guarded.got, guarded.notices, guarded.bugs) == ([], [], [])
    (told,) = guarded.strangers
    assert told.startswith(first.decode())
    assert told.endswith(f", Host {host.decode()}: wrong secret path or host")


async def test_a_stranger_is_not_told_what_is_too_large_too_slow_or_broken(
    serve: Serve,
) -> None:
    served = await serve(Limits(max_body=10, body_timeout_s=0.05))
    served.receiver.guard = Guard(TOKEN.decode(), frozenset({"public.example"}))
    head = b"POST / HTTP/1.1\r\nHost: public.example\r\n"
    for rest in (
        b"Content-Length: 100\r\n\r\n" + b"x" * 100,
        b"Content-Length: 5\r\n\r\n",
        b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"\r\n",
    ):
        assert await served.ask(head + rest) == NOBODY
    assert (served.got, served.notices, len(served.strangers)) == ([], [], 5)


async def test_a_stranger_among_others_on_one_connection_ends_it(guarded: Served) -> None:
    ours, strange = public(b"POST /%b" % TOKEN), public(b"POST /")
    client = await guarded.connect()
    await client.send(ours + ours + strange + ours)
    assert await client.rest() == OK + OK + NOBODY
    assert len(guarded.got) == 2
    assert len(guarded.strangers) == 1


async def test_the_name_of_a_stranger_is_harmless(guarded: Served) -> None:
    await guarded.ask(
        b"POST /" + b"x" * 1000 + b" HTTP/1.1\r\nHost: public.example\r\n"
        b"X-Forwarded-For: 1.2.3.4\xe2\x80\xae\xc2\x9b31m\r\nContent-Length: 0\r\n\r\n"
    )
    (told,) = guarded.strangers
    assert "1.2.3.4" in told
    assert told.isprintable()
    assert len(told) < 400


async def test_with_a_guard_what_is_not_http_is_a_stranger_too(guarded: Served) -> None:
    assert await guarded.ask(b"\x16\x03\x01\x02\x00\x01\r\n\r\n") == NOBODY
    assert guarded.strangers == ["malformed HTTP"]
    assert guarded.notices == []


async def test_without_a_guard_any_host_and_path_is_welcome(serve: Serve) -> None:
    served = await serve()
    assert await served.ask(public(b"POST /any", host=b"evil.example")) == OK
    assert len(served.got) == 1


@pytest.mark.parametrize(
    "request_",
    [
        post(),
        post(b"x" * 100),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"rubbish\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
    ],
)
@pytest.mark.parametrize("status", [200, 401, 503, None])
async def test_no_answer_names_a_server_or_a_version(
    serve: Serve, request_: bytes, status: int | None
) -> None:
    def accept(_: Delivery) -> int:
        if status is None:
            raise RuntimeError("a bug")
        return status

    served = await serve(Limits(max_body=50, body_timeout_s=0.05), accept)
    answer = await served.ask(request_)
    assert answer.startswith(b"HTTP/1.1 ")
    assert b"server:" not in answer.lower()
    assert not any(name in answer.lower() for name in (b"aiohttp", b"python", b"vmon"))


def an_idle_receiver() -> Receiver:
    return Receiver(ReceiverCallbacks(lambda _: 200, print, print), ids=Ids())


async def test_a_port_that_is_taken_is_named_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            CannotListen, match=f"port {port} on 127.0.0.1 is already in use"
        ) as caught:
            await an_idle_receiver().open("127.0.0.1", port)
    assert caught.value.hint == "stop the program that uses it, or set --port (0 picks a free port)"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b", "x" * 70])
async def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    with pytest.raises(CannotListen) as caught:
        await an_idle_receiver().open(host, 0)
    assert host in caught.value.message
    assert caught.value.hint is not None


def test_a_port_that_needs_privileges_is_said() -> None:
    error = module._cannot_listen("127.0.0.1", 80, PermissionError(errno.EACCES, "no"))
    assert error.message == "permission denied for port 80"
    assert error.hint == "ports below 1024 need root; set a higher --port"


async def test_an_address_of_ipv6_is_written_as_a_url_has_it() -> None:
    receiver = an_idle_receiver()
    try:
        url = await receiver.open("::1", 0)
    except CannotListen:
        pytest.skip("this machine has no IPv6")
    assert url.startswith("http://[::1]:")
    await receiver.close()
