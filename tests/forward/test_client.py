import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_delivery
from vmon.errors import WrongUse
from vmon.events.delivery import Delivery
from vmon.forward.client import Client, Outcome
from vmon.forward.targets import Target, connectable, joined, target_of
from vmon.urls import loopback_addresses

if TYPE_CHECKING:
    from tests.support.app_server import App

Apps = Callable[..., Awaitable["App"]]
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def delivery(
    body: bytes = b'{"a":1}',
    path: str = "/",
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "POST",
) -> Delivery:
    return make_delivery(
        body, id="1", received_at=NOW, method=method, path=path, headers=headers, remote=None
    )


Send = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def send() -> AsyncIterator[Send]:
    async with Client(connections=4) as client:
        yield client.send


# What arrives.


async def test_an_app_gets_the_method_the_path_the_headers_and_the_bytes(
    app: "App", send: Send
) -> None:
    headers = (
        ("Host", "example.org"),
        ("content-TYPE", "application/json; charset=x"),
        ("Authorization", "Bearer ey.ey.x"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("User-Agent", "Vonage"),
        ("Content-Length", "9999"),
    )
    body = bytes(range(256))
    outcome = await send(delivery(body, "/hook?a=b", headers), target_of(app.url))
    assert (outcome.status, outcome.ok, outcome.problem) == (200, True, None)
    (request,) = app.requests
    assert request.first == "POST /hook?a=b HTTP/1.1"
    assert request.body == body
    assert request.headers == [
        ("Host", f"127.0.0.1:{app.port}"),
        ("content-TYPE", "application/json; charset=x"),
        ("Authorization", "Bearer ey.ey.x"),
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("User-Agent", "Vonage"),
        ("Content-Length", "256"),
    ]


async def test_headers_about_one_connection_stay_behind(app: "App", send: Send) -> None:
    names = (
        *("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding"),
        *("Upgrade", "Expect", "Proxy-Authorization", "Proxy-Authenticate"),
    )
    headers = (*((name, "100-continue") for name in names), ("X-Kept", "yes"))
    assert (await send(delivery(headers=headers), target_of(app.url))).status == 200
    kept = [name for name, _ in app.requests[0].headers]
    assert sorted(kept) == ["Content-Length", "Host", "X-Kept"]


async def test_nothing_is_added_to_headers_that_were_not_there(app: "App", send: Send) -> None:
    await send(delivery(), target_of(app.url))
    assert sorted(name for name, _ in app.requests[0].headers) == ["Content-Length", "Host"]


async def test_a_compressed_body_goes_on_as_it_came(app: "App", send: Send) -> None:
    body = b"\x1f\x8b not really gzip"
    headers = (("Content-Encoding", "gzip"),)
    await send(delivery(body, headers=headers), target_of(app.url))
    assert app.requests[0].body == body
    assert ("Content-Encoding", "gzip") in app.requests[0].headers


async def test_a_header_in_utf_8_goes_on_in_the_same_bytes(app: "App", send: Send) -> None:
    received = "Zoë".encode().decode("latin-1")
    await send(delivery(headers=(("X-Name", received),)), target_of(app.url))
    assert ("X-Name", received) in app.requests[0].headers


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_the_method_is_kept(app: "App", send: Send, method: str) -> None:
    await send(delivery(method=method), target_of(app.url))
    assert app.requests[0].first == f"{method} / HTTP/1.1"


@pytest.mark.parametrize(
    ("to", "path", "asked"),
    [
        ("", "/hook", "/hook"),
        ("/", "/hook", "/hook"),
        ("/base", "/hook?a=1&b=%20", "/base/hook?a=1&b=%20"),
        ("/base/", "/hook", "/base/hook"),
        ("/base/", "/", "/base/"),
        ("/base", "/", "/base"),
        ("/base", "/?a=1", "/base?a=1"),
        ("/base", "http://elsewhere.example", "/base"),
        ("/base", "*", "/base"),
        ("/index.php?option=a", "/", "/index.php?option=a"),
        ("/index.php?option=a", "/?b=c", "/index.php?b=c&option=a"),
        ("?key=1", "/", "/?key=1"),
        ("", "//double//slash", "//double//slash"),
        ("", "/%2F%zz/%C3%A9", "/%2F%zz/%C3%A9"),
        ("", "/a/../b/./c", "/a/../b/./c"),
        ("", "/a?b?c=d;e", "/a?b?c=d;e"),
        ("", "http://elsewhere.example/hook?a=1", "/hook?a=1"),
        ("", "*", "/"),
        ("/base?key=1", "/hook", "/base/hook?key=1"),
        ("/base?key=1", "/hook?a=2", "/base/hook?a=2&key=1"),
    ],
)
async def test_the_path_goes_after_that_of_the_target_as_it_is(
    app: "App", send: Send, to: str, path: str, asked: str
) -> None:
    outcome = await send(delivery(path=path), target_of(app.url + to))
    assert outcome.problem is None
    assert app.requests[0].first == f"POST {asked} HTTP/1.1"


@pytest.mark.parametrize("to", ["/", "/exact", "/exact/?a=1&b"])
async def test_an_exact_path_is_that_of_the_target(app: "App", send: Send, to: str) -> None:
    await send(delivery(path="/hook?c=1"), target_of(app.url + to, exact_path=True))
    assert app.requests[0].first == f"POST {to} HTTP/1.1"


def test_many_paths_do_not_pile_up() -> None:
    target = target_of("http://localhost")
    assert str(joined(target, "/x")) == "http://localhost/x"
    client = Client.__new__(Client)
    client._urls = {}
    for number in range(5000):
        assert client._url(target, f"/{number}").raw_path == f"/{number}"
    assert len(client._urls) <= 1001


# What it answers.


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_any_2xx_is_a_success(app: "App", send: Send, status: int) -> None:
    app.answer = b"HTTP/1.1 %d Fine\r\nContent-Length: 0\r\n\r\n" % status
    outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.ok, outcome.body) == (status, True, b"")
    assert str(outcome).startswith(f"{status} in ")


async def test_a_redirect_is_told_and_not_followed(app: "App", send: Send) -> None:
    app.answer = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.ok) == (302, False)
    assert str(outcome).partition(" ms ")[2] == f"(POST {app.url}/): redirects to /other"
    assert len(app.requests) == 1


async def test_a_failure_names_what_was_requested_without_its_secrets(
    app: "App", send: Send
) -> None:
    app.answer = b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
    target = target_of(app.url.replace("//", "//me:pass@") + "/hooks?token=s3cret&a=1")
    outcome = await send(delivery(path="/in\x9b"), target)
    assert str(outcome).endswith(f"(POST {app.url}/hooks/in‹U+009B›?token=left-out&a=1)")


async def test_what_is_late_or_broken_names_what_was_requested(app: "App", send: Send) -> None:
    app.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    assert str(await send(delivery(), target_of(app.url))).endswith(f" (POST {app.url}/)")
    app.silent = True
    late = await send(delivery(path="/a"), target_of(app.url, timeout_s=0.1))
    assert str(late) == f"no response within 100 ms (POST {app.url}/a)"


async def test_a_failure_is_told_with_its_first_line_disarmed(app: "App", send: Send) -> None:
    said = b"  no such \x1b[31mroom\r\nsecond line"
    app.answer = b"HTTP/1.1 500 Oops\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
    outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.ok) == (500, False)
    assert outcome.body == said
    assert str(outcome).partition(": ")[2].rstrip("␍") == "no such ␛[31mroom"


async def test_an_endless_failure_is_not_read_to_its_end(app: "App", send: Send) -> None:
    app.answer = b"HTTP/1.1 500 Oops\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 100_000
    outcome = await send(delivery(), target_of(app.url))
    assert outcome.status == 500
    assert 0 < len(outcome.body) <= 2048
    assert (await send(delivery(), target_of(app.url))).status == 500


async def test_an_answer_is_timed(app: "App", send: Send) -> None:
    outcome = await send(delivery(), target_of(app.url))
    assert 0 < outcome.took_s < 10


async def test_where_nothing_listens_the_app_is_asked_after(send: Send, free_port: int) -> None:
    outcome = await send(delivery(), target_of(f"localhost:{free_port}"))
    assert (outcome.status, outcome.ok) == (None, False)
    assert str(outcome) == f"connection refused: nothing is listening on localhost:{free_port}"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_closed_without_an_answer_is_said(
    app: "App", send: Send, *, reset: bool
) -> None:
    app.answer, app.reset = b"", reset
    outcome = await send(delivery(), target_of(app.url))
    assert outcome.status is None
    assert outcome.problem == f"127.0.0.1:{app.port} closed the connection without a response"


async def test_an_answer_that_breaks_off_is_a_problem(app: "App", send: Send) -> None:
    app.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.ok) == (None, False)
    assert outcome.problem is not None
    assert outcome.problem.startswith(f"127.0.0.1:{app.port}")


async def test_what_is_not_http_is_a_problem_on_one_line(app: "App", send: Send) -> None:
    app.answer = b"SSH-2.0-OpenSSH\x1b[31m\r\n\r\n"
    outcome = await send(delivery(), target_of(app.url))
    assert outcome.status is None
    assert str(outcome).isprintable()


async def test_an_app_that_does_not_answer_times_out(app: "App", send: Send) -> None:
    app.silent = True
    outcome = await send(delivery(), target_of(app.url, timeout_s=0.1))
    assert (outcome.status, outcome.problem) == (None, "no response within 100 ms")


@pytest.mark.parametrize("host", ["localhost", "app.localhost"])
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "::1"])
async def test_a_name_of_loopback_is_every_family_of_it(
    apps: Apps, send: Send, host: str, listens_on: str
) -> None:
    if listens_on not in loopback_addresses():
        pytest.skip(f"this machine has no {listens_on}")
    app = await apps(listens_on)
    target = target_of(f"{host}:{app.port}")
    assert (await send(delivery(), target)).ok
    assert await connectable(target, 0)
    assert f"Host: {host}:{app.port}" in [": ".join(one) for one in app.requests[0].headers]


async def test_where_nothing_listens_on_any_loopback_address_it_is_refused(
    send: Send, free_port: int
) -> None:
    outcome = await send(delivery(), target_of(f"app.localhost:{free_port}"))
    where = f"app.localhost:{free_port}"
    assert str(outcome) == f"connection refused: nothing is listening on {where}"


async def test_the_answer_of_a_success_is_kept_as_far_as_its_beginning(
    app: "App", send: Send
) -> None:
    begun = b"failed to decode " + b"x" * 100_000
    head = b"HTTP/1.1 200 OK\r\nX-Why: 1\r\nContent-Length: %d\r\n\r\n" % len(begun)
    app.answer = head + begun
    for _ in range(2):
        outcome = await send(delivery(), target_of(app.url))
        assert outcome.body == begun[:2048]
        assert (b"X-Why", b"1") in outcome.headers
        assert str(outcome).startswith("200 in ")
        assert "decode" not in str(outcome)


async def test_a_compressed_error_page_is_told_unpacked(app: "App", send: Send) -> None:
    packed = gzip.compress(b"<html><title>no such room</title>")
    head = b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    app.answer = head % len(packed) + packed
    assert str(await send(delivery(), target_of(app.url))).endswith(": no such room")


async def test_a_name_that_nobody_knows_is_said(send: Send) -> None:
    outcome = await send(delivery(), target_of("http://no-such-host.invalid"))
    assert outcome.problem == "cannot resolve host no-such-host.invalid"


async def test_a_header_that_cannot_be_sent_is_a_problem_and_not_a_crash(
    app: "App", send: Send
) -> None:
    outcome = await send(delivery(headers=(("X", "a\r\nY: b"),)), target_of(app.url))
    assert outcome.status is None
    assert outcome.problem
    assert app.requests == []


# Targets.


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1:3000/hook", "http://127.0.0.1:3000/hook"),
        ("https://example.org/a?b", "https://example.org/a?b"),
        ("[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_target_may_be_written_shortly(given: str, url: str) -> None:
    assert target_of(given) == Target(url)


@pytest.mark.parametrize(
    "given", ["", "http://", "ftp://x", "http://x:port", "http://[", "file:///etc", "x:99999"]
)
def test_what_is_no_url_is_refused_with_an_example(given: str) -> None:
    with pytest.raises(WrongUse, match="invalid URL") as caught:
        target_of(given)
    assert caught.value.hint == "use http://localhost:3000/hook"


async def test_a_listener_is_waited_for_until_it_is_there(app: "App", free_port: int) -> None:
    assert await connectable(target_of(app.url), 0)
    waiting = asyncio.ensure_future(connectable(target_of(f"127.0.0.1:{free_port}"), 10))
    await asyncio.sleep(0)  # a turn of the loop, in which it tries in vain
    late = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", free_port)
    assert await waiting
    late.close()
    await late.wait_closed()


async def test_a_listener_that_never_comes_is_not_waited_for_longer(free_port: int) -> None:
    assert not await connectable(target_of(f"127.0.0.1:{free_port}"), 0.1)


# What is forwarded.


async def test_a_forwarded_delivery_says_who_sent_it_and_keeps_what_it_says_itself(
    app: "App", send: Send
) -> None:
    target = target_of(app.url, forwarded=True)
    plain = make_delivery(
        b"", id="1", received_at=NOW, headers=(("Host", "here:1"),), remote="[::1]:5000"
    )
    told = (("x-forwarded-for", "216.147.0.9"), ("X-Forwarded-Proto", "https"))
    await send(plain, target)
    await send(delivery(headers=told), target)
    first, second = (dict(one.headers[1:]) for one in app.requests)
    assert first["X-Forwarded-For"] == "::1"
    assert (first["X-Forwarded-Proto"], first["X-Forwarded-Host"]) == ("http", "here:1")
    assert (second["x-forwarded-for"], second["X-Forwarded-Proto"]) == ("216.147.0.9", "https")
    assert "X-Forwarded-For" not in second


async def test_headers_of_a_target_replace_those_of_a_delivery(app: "App", send: Send) -> None:
    target = target_of(app.url, headers=(("X-Key", "mine"), ("Host", "app.test")))
    await send(delivery(headers=(("x-key", "theirs"), ("X-Other", "1"))), target)
    headers = {name.lower(): value for name, value in app.requests[0].headers}
    assert (headers["x-key"], headers["x-other"], headers["host"]) == ("mine", "1", "app.test")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (b"120", 120.0),
        (b"0", 0.0),
        (b"soon", None),
        (b"-1", None),
        (b"", None),
        (b"9" * 50, 1e9),
        (b"nan", None),
        (b"inf", None),
        (b"1e400", None),
        (b"\xff\xfe", None),
        (b"Fri, 31 Dec 1999 23:59:59 +9999", None),
        (b"Fri, 31 Dec 1999 23:59:59 +" + b"9" * 20, None),
        (b"Fri, 31 Dec 1999 23:59:59 -" + b"9" * 2000, None),
        (b"Fri, 31 Dec " + b"9" * 30 + b" 23:59:59 GMT", None),
        (b"Fri, 31 Dec 1999 99:99:99 GMT", None),
        (b"Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
    ],
)
async def test_what_an_app_asks_to_wait_is_told(
    app: "App", send: Send, said: bytes, meant: float | None
) -> None:
    app.answer = b"HTTP/1.1 503 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % said
    found = (await send(delivery(), target_of(app.url))).retry_after_s
    assert found == meant if meant is None else found == pytest.approx(meant, abs=1)


async def test_a_date_to_wait_for_is_told_in_seconds(app: "App", send: Send) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True).encode()
    app.answer = b"HTTP/1.1 429 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % when
    found = (await send(delivery(), target_of(app.url))).retry_after_s
    assert found is not None
    assert 80 < found <= 90


async def test_a_date_in_the_year_9999_is_far_away(app: "App", send: Send) -> None:
    when = b"Fri, 31 Dec 9999 23:59:59 -2359"
    app.answer = b"HTTP/1.1 503 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % when
    found = (await send(delivery(), target_of(app.url))).retry_after_s
    assert found is not None
    assert found > 1e11


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 0 X\r\n\r\n",
        b"HTTP/1.1 -1 X\r\n\r\n",
        b"HTTP/1.1 9999 X\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"<html>\r\n\r\n",
        b"HTTP/1.1 200 X\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 X\r\nX: \0\r\n\r\n",
        b"HTTP/1.1 200 X\r\nX: %b\r\n\r\n" % (b"a" * 100_000),
        b"HTTP/1.1 200 X\r\n%b\r\n" % (b"X: a\r\n" * 10_000),
        b"HTTP/1.1 200 X\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 200 X\r\nContent-Length: %b\r\n\r\nabc" % (b"9" * 40),
        b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_an_answer_that_is_not_valid_http_is_a_problem_in_a_sentence(
    app: "App", send: Send, answer: bytes
) -> None:
    app.answer = answer
    outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.kind) == (None, "broken")
    begun = f"127.0.0.1:{app.port} sent an invalid HTTP response: "
    assert outcome.problem is not None
    assert outcome.problem.startswith(begun)
    assert len(outcome.problem) <= len(begun) + 200
    assert str(outcome).isprintable()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HTTP/1.1 099 X\r\n", 99),
        (b"HTTP/1.1 999 \xff\x1b[31m\r\n", 999),
        (b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n", 101),
        (b"HTTP/1.1 200 X\r\nSet-Cookie: \xff=;;=[]; expires=Fri, 31 Dec 9999 +99999\r\n", 200),
        (b"HTTP/1.1 500 X\r\nContent-Type: ;;;charset=\xff\r\nContent-Encoding: gzip\r\n", 500),
        (b"HTTP/1.1 302 X\r\nLocation: http://[\xff\x1b[31m/%b\r\n" % (b"a" * 5000), 302),
        (b"HTTP/1.1 401 X\r\nWWW-Authenticate: Digest \xff,,=\r\n", 401),
        (b"HTTP/1.1 200 X\r\nKeep-Alive: timeout=-1e99\r\nLink: <http://[>; rel=\r\n", 200),
    ],
)
async def test_odd_statuses_and_headers_are_an_outcome_in_one_line(
    app: "App", send: Send, head: bytes, status: int
) -> None:
    app.answer = head + b"Content-Length: 0\r\n\r\n"
    outcome = await send(delivery(), target_of(app.url))
    assert outcome.status == status
    assert str(outcome).isprintable()
    assert len(str(outcome)) < 300


async def test_an_error_of_our_own_ends_one_attempt_alone(
    app: "App", send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("vmon.forward.client._retry_after", lambda _answer: 1 // 0)
        outcome = await send(delivery(), target_of(app.url))
    assert (outcome.status, outcome.kind) == (None, "error")
    assert outcome.problem == (
        f"127.0.0.1:{app.port}: ZeroDivisionError: integer division or modulo by zero "
        "(a bug in vmon, please report it)"
    )
    assert (await send(delivery(), target_of(app.url))).status == 200


async def test_an_old_connection_that_the_app_closed_is_made_anew(app: "App", send: Send) -> None:
    for _ in range(3):
        assert (await send(delivery(), target_of(app.url))).status == 200
        app.close()
    assert len(app.requests) == 3


@pytest.mark.parametrize("name", ["", "user:secret@"])
@pytest.mark.parametrize("place", ["localhost:3000", "[::1]:3000"])
def test_the_name_of_a_target_is_its_host_and_port(name: str, place: str) -> None:
    assert target_of(f"http://{name}{place}/x").name == place
