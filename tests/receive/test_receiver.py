import asyncio
import errno
import gzip
import socket
from typing import cast

import pytest
from msgspec.structs import replace

from tests.receive.conftest import DEADLINE_S, GET, OK, Serve, Served, chunked, post
from tests.support.waiting import until
from vmon.errors import CannotListen
from vmon.events.delivery import Delivery, encoding_of
from vmon.events.ids import Ids
from vmon.events.payload import read_body
from vmon.receive import receiver as module
from vmon.receive.http_server import Limits
from vmon.receive.receiver import Receiver, ReceiverCallbacks
from vmon.security.access import Guard

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
    error = module._cannot_listen("::1", 80, OSError(errno.EINVAL, "no"))
    assert error.message.startswith("cannot listen on [::1]:80: ")
