"""The HTTP server: connections, pipelines, limits, and what is no HTTP, on both roads."""

import asyncio
import socket
from itertools import product
from typing import Any

import pytest

from tests.receive.conftest import DEADLINE_S, GET, OK, Serve, chunked, post
from tests.support.waiting import until
from vmon.events.delivery import Delivery
from vmon.receive import http_server
from vmon.receive.http_server import Limits
from vmon.receive.receiver import Receiver

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


# Clients that leave.


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
