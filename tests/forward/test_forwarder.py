"""Forwarding from outside: a real `vmon listen` between a client and an app."""

import asyncio
import http.client
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.waiting import until

if TYPE_CHECKING:
    from tests.support.app_server import App, FlaskApp, Request
    from tests.support.processes import Flow, Listen, Listening, Start

ODD_ANSWERS = (
    b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 +%b\r\n\r\n" % (b"9" * 20),
    b"HTTP/1.1 503 X\r\nRetry-After: nan\r\n\r\n",
    b"HTTP/1.1 bad X\r\n\r\n",
    b"HTTP/1.1 307 X\r\nLocation: http://[\xff\x1b[31m\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nbad\r\n",
)
SEEN = re.compile(r"\d[\d.]* m?s\b")


def a_body(number: int, event: str = "streamCreated", session: str = "2_A") -> bytes:
    return json.dumps({"event": event, "sessionId": session, "n": number}).encode()


def number_of(request: "Request") -> int:
    found: int = json.loads(request.body)["n"]
    return found


def failure(status: int, body: bytes = b"", more: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\n%bContent-Length: %d\r\n\r\n%b" % (status, more, len(body), body)


class Forwarding:
    """A run that forwards, driven from a test's event loop."""

    def __init__(self, listen: "Listen") -> None:
        self._listen = listen

    async def start(self, *args: str | Path, **more: Any) -> "Listening":
        return await asyncio.to_thread(self._listen, *args, **more)

    async def post(self, run: "Listening", *bodies: bytes, path: str = "/") -> list[int]:
        return [await asyncio.to_thread(run.post, body, path) for body in bodies]

    async def stop(self, run: "Listening") -> tuple[str, str]:
        code, out, err = await asyncio.to_thread(run.stop)
        assert code == 0, err
        return out, err


@pytest.fixture
def onward(listen: "Listen") -> Forwarding:
    return Forwarding(listen)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def journals(capture: Path) -> list[str]:
    return [path.name for path in capture.parent.glob("*.forward")]


# What an app gets.


async def test_an_app_gets_the_exact_delivery_and_where_it_came_from(
    onward: Forwarding, app: "App"
) -> None:
    run = await onward.start("--forward-to", app.url + "/base")
    body = b'{ "event" : "archive"}\n'
    sent = {"X-Key": "a", "Content-Type": "text/x", "X-Forwarded-For": "216.147.0.1"}
    assert await asyncio.to_thread(run.post, body, "/hook?a=%20b", **sent) == 200
    await app.wait_for(lambda: len(app.requests) == 1)
    out, _ = await onward.stop(run)
    (request,) = app.requests
    assert (request.first, request.body) == ("POST /base/hook?a=%20b HTTP/1.1", body)
    headers = dict(request.headers)
    assert (headers["X-Key"], headers["Content-Type"]) == ("a", "text/x")
    assert headers["X-Forwarded-For"] == "216.147.0.1"  # kept as it was
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["X-Forwarded-Host"] == f"127.0.0.1:{run.port}"
    assert headers["Host"] == f"127.0.0.1:{app.port}"
    assert len(out.splitlines()) == 1  # standard output has the capture's lines and nothing else


async def test_headers_may_be_added_and_replaced(onward: Forwarding, app: "App") -> None:
    args = ("-H", "X-Key: mine", "-H", "Host: app.test", "--exact-path")
    run = await onward.start("--forward-to", app.url + "/only?b=1", *args)
    await asyncio.to_thread(run.post, b"{}", "/hook", **{"x-key": "theirs"})
    await app.wait_for(lambda: len(app.requests) == 1)
    await onward.stop(run)
    (request,) = app.requests
    assert request.first == "POST /only?b=1 HTTP/1.1"
    headers = {name.lower(): value for name, value in request.headers}
    assert (headers["x-key"], headers["host"]) == ("mine", "app.test")
    assert headers["x-forwarded-for"] == "127.0.0.1"


async def test_types_go_where_their_routes_say(onward: Forwarding, app: "App") -> None:
    run = await onward.start(
        "--forward-to", app.url + "/rest", "--route", f"archive={app.url}/archive",
        "--route", f"stream*={app.url}/streams", "--forward-event", "!streamDestroyed",
    )  # fmt: skip # as it is typed
    names = ("archive", "streamCreated", "streamDestroyed", "connectionCreated")
    await onward.post(run, *(a_body(n, name, name) for n, name in enumerate(names)))
    await app.wait_for(lambda: len(app.requests) == 3)
    _, err = await onward.stop(run)
    assert {(one.first.split()[1], number_of(one)) for one in app.requests} == {
        ("/archive", 0), ("/streams", 1), ("/rest", 3),
    }  # fmt: skip # pairs
    assert f"  forward   {app.url}/streams  streamCreated\n" in err


@pytest.mark.parametrize("to", ["/hooks", "/hooks?key=1"])
async def test_an_app_with_strict_slashes_takes_what_came_to_the_root(
    onward: Forwarding, flask_app: "FlaskApp", to: str
) -> None:
    run = await onward.start("--forward-to", flask_app.url + to)
    assert await onward.post(run, a_body(0)) == [200]
    await asyncio.to_thread(run.err.until, b" in ")
    _, err = await onward.stop(run)
    assert [line.split()[2] for line in err.splitlines() if "→" in line] == ["200"]
    assert flask_app.taken == [to]


async def test_a_redirect_and_a_wrong_path_of_an_app_are_told_with_what_was_requested(
    onward: Forwarding, flask_app: "FlaskApp"
) -> None:
    url = flask_app.url
    run = await onward.start("--forward-to", f"{url}/slashed")
    await onward.post(run, a_body(0))
    await asyncio.to_thread(run.err.until, b"308 in ")
    await onward.post(run, a_body(1), path="/elsewhere")
    await asyncio.to_thread(run.err.until, b"404 in ")
    _, err = await onward.stop(run)
    told = [SEEN.sub("TIME", line[9:]) for line in err.splitlines() if "→" in line]
    only_200, event = "Vonage counts only 200 as success", "(streamCreated 2_A)"
    assert told == [
        f"→ 308 in TIME (POST {url}/slashed): redirects to {url}/slashed/; {only_200}  {event}",
        f"→ 404 in TIME (POST {url}/slashed/elsewhere): 404 Not Found  (streamCreated 2_A)",
    ]
    assert flask_app.taken == []


# What is told.


async def test_in_a_pipe_outcomes_are_told_beside_the_lines(onward: Forwarding, app: "App") -> None:
    app.answers = lambda request: (
        app.answer, failure(404, b"no \x1b[31mroom\nmore"), failure(204), failure(301),
    )[number_of(request)]  # fmt: skip # one answer each
    run = await onward.start("--forward-to", app.url)
    for number, status in enumerate((200, 404, 204, 301)):
        await onward.post(run, a_body(number))  # told in this order only where each is awaited
        await asyncio.to_thread(run.err.until, b" %d in " % status)
    out, err = await onward.stop(run)
    assert len(out.splitlines()) == 4
    told = [SEEN.sub("TIME", line[9:]) for line in err.splitlines() if "→" in line]
    assert told == [
        "→ 200 in TIME  (streamCreated 2_A)",
        f"→ 404 in TIME (POST {app.url}/): no ␛[31mroom  (streamCreated 2_A)",
        "→ 204 in TIME; Vonage counts only 200 as success  (streamCreated 2_A)",
        f"→ 301 in TIME (POST {app.url}/); Vonage counts only 200 as success  (streamCreated 2_A)",
    ]


async def test_the_banner_and_the_summary_say_it_in_plain_words(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    app.answers = lambda request: app.answer if number_of(request) else failure(404)
    run = await onward.start("-q", "--capture", capture, "--forward-to", app.url)
    await onward.post(run, *(a_body(number) for number in range(3)))
    await app.wait_for(lambda: len(app.requests) == 3)
    _, err = await onward.stop(run)
    assert (
        f"  forward   {app.url}\n"
        "  response  200 as soon as a delivery is captured;\n"
        "            vmon retries while your app is down or responds 5xx\n"
    ) in err
    figures = f"to 127.0.0.1:{app.port}   2 sent, 1 failed, p50 TIME, p95 TIME\n"
    told = re.sub(r"  +", "   ", SEEN.sub("TIME", err))
    assert figures in told
    assert f"resend with   vmon replay --failed {capture}\n" in told
    assert "→" not in err
    assert max(map(len, err.partition("\nready")[0].splitlines())) <= 80


async def test_without_a_capture_it_is_said_that_nothing_survives(
    onward: Forwarding, app: "App", tmp_path: Path
) -> None:
    run = await onward.start("--no-capture", "--forward-to", app.url)
    await onward.post(run, a_body(0))
    await app.wait_for(lambda: len(app.requests) == 1)
    _, err = await onward.stop(run)
    assert "without a capture, pending deliveries are lost on restart\n" in err
    assert journals(tmp_path / "a.jsonl") == []


# An app that is down, slow, broken, and back again.


async def test_whatever_an_app_answers_the_run_goes_on(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    seen: set[int] = set()

    def answers(request: "Request") -> bytes:
        number = number_of(request)
        once = number not in seen
        seen.add(number)
        return ODD_ANSWERS[number] if once and number < len(ODD_ANSWERS) else app.answer

    app.answers = answers
    run = await onward.start("-q", "--capture", capture, "--forward-to", app.url)
    for number, odd in enumerate((*ODD_ANSWERS, b"")):
        wanted = len(app.requests) + (2 if odd.startswith(b"HTTP/1.1 503") or b"bad" in odd else 1)
        await onward.post(run, a_body(number, session=f"2_{number}"))
        await app.wait_for(lambda wanted=wanted: len(app.requests) >= wanted)  # type: ignore[misc] # mypy cannot infer it
    _, err = await onward.stop(run)
    assert seen == set(range(len(ODD_ANSWERS) + 1))
    assert "Traceback" not in err
    assert f"{len(ODD_ANSWERS)} sent, 1 failed" in err


async def test_an_app_that_is_not_there_delays_no_answer_and_gets_all_when_it_is(
    onward: Forwarding, app: "App", free_port: int, capture: Path
) -> None:
    run = await onward.start("-q", "--capture", capture, "--forward-to", f"localhost:{free_port}")
    assert await onward.post(run, *(a_body(number) for number in range(20))) == [200] * 20
    await asyncio.to_thread(
        run.err.until,
        b" connection refused: nothing is listening on localhost:%d; retrying" % free_port,
    )
    back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
    await app.wait_for(lambda: len(app.requests) == 20)
    await asyncio.to_thread(run.err.until, b" is back after ")
    back.close()
    app.close()
    _, err = await onward.stop(run)
    assert [number_of(one) for one in app.requests] == list(range(20))
    assert (err.count("connection refused"), err.count("is back after")) == (1, 1)
    assert journals(capture) == []


@pytest.mark.parametrize("kind", ["slow", "500", "closes early", "resets"])
async def test_an_app_in_trouble_delays_no_answer_and_gets_all_in_the_end(
    onward: Forwarding, app: "App", capture: Path, kind: str
) -> None:
    app.silent = kind == "slow"
    app.reset = kind == "resets"
    app.answer = failure(500) if kind == "500" else b""
    args = ("--forward-to", app.url, "--forward-timeout", "300ms", "--capture", capture)
    run = await onward.start("-q", *args)
    async with asyncio.timeout(10):
        assert await onward.post(run, *(a_body(number) for number in range(5))) == [200] * 5
    await app.wait_for(lambda: len(app.requests) >= 2)
    app.silent = app.reset = False
    app.answer = failure(200)
    await app.wait_for(lambda: number_of(app.requests[-1]) == 4)
    await onward.stop(run)
    assert list(dict.fromkeys(map(number_of, app.requests))) == list(range(5))
    assert journals(capture) == []


# Across runs.


async def test_what_a_run_could_not_send_the_next_one_sends_first(
    onward: Forwarding, app: "App", free_port: int, capture: Path
) -> None:
    to = ("-q", "--capture", capture, "--forward-to", f"127.0.0.1:{free_port}")
    run = await onward.start(*to)
    await onward.post(run, *(a_body(number) for number in range(3)))
    _, err = await onward.stop(run)
    assert "0 sent, " in err
    assert ", 3 pending\n" in err
    assert len(journals(capture)) == 1
    idle = await onward.start("-q", "--capture", capture)  # one that forwards nothing
    await onward.post(idle, a_body(99))
    await onward.stop(idle)
    back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
    run = await onward.start(*to)
    await onward.post(run, a_body(3))
    await app.wait_for(lambda: len(app.requests) == 4)
    back.close()
    app.close()
    _, err = await onward.stop(run)
    assert (
        f"3 deliveries from an earlier run were not forwarded to http://127.0.0.1:{free_port}: "
        "sending them first (--discard-backlog drops them)\n"
    ) in err
    assert [number_of(one) for one in app.requests] == [0, 1, 2, 3]
    assert journals(capture) == []


async def test_the_next_capture_finds_what_a_killed_run_left(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    app.gate = asyncio.Event()
    run = await onward.start("-q", "--capture", capture, "--forward-to", app.url)
    await onward.post(run, *(a_body(number) for number in range(3)))
    await app.wait_for(lambda: len(app.requests) == 1)
    os.kill(run.process.pid, signal.SIGKILL)
    await asyncio.to_thread(run.ended)
    app.gate.set()
    other = capture.with_name("b.jsonl")
    run = await onward.start("-q", "--capture", other, "--forward-to", app.url)
    await app.wait_for(lambda: len(app.requests) == 4)
    await onward.stop(run)
    assert [number_of(one) for one in app.requests] == [0, 0, 1, 2]
    assert journals(capture) == []


async def test_what_was_left_for_another_target_is_said_and_kept(
    onward: Forwarding, app: "App", free_port: int, capture: Path
) -> None:
    gone = f"127.0.0.1:{free_port}"
    run = await onward.start("-q", "--capture", capture, "--forward-to", gone)
    await onward.post(run, a_body(0))
    await onward.stop(run)
    run = await onward.start("-q", "--capture", capture, "--forward-to", app.url)
    _, err = await onward.stop(run)
    assert f"1 delivery from an earlier run was not forwarded to http://{gone}, which is no" in err
    assert "vmon replay --failed" in err
    assert (app.requests, len(journals(capture))) == ([], 1)


async def test_the_journal_of_a_long_run_stays_small(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    code = "from vmon.forward import journal_writer\njournal_writer.COMPACT_BYTES = 2000"
    run = await onward.start("-q", "--capture", capture, "--forward-to", app.url, code=code)

    def load() -> None:
        client = run.client()
        for number in range(2000):
            client.request("POST", "/", a_body(number, session=f"2_{number % 9}"))
            client.getresponse().read()
        client.close()

    await asyncio.to_thread(load)
    await app.wait_for(lambda: len(app.requests) == 2000)
    (name,) = journals(capture)
    # The journal's own rule: what came after its head and the lines it was written anew with.
    await until(lambda: _appended(capture.parent / name) <= 2000)
    await onward.stop(run)
    assert journals(capture) == []


def _appended(journal: Path) -> int:
    """Bytes of the journal after its head, the file it names, and the line after these."""
    return sum(map(len, journal.read_bytes().splitlines(keepends=True)[3:]))


# A capture that is rotated.


async def test_a_full_file_stays_as_it_is_until_the_app_has_all_of_it(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    app.gate = asyncio.Event()
    args = ("-q", "--capture", capture, "--rotate", "1kB", "--forward-to", app.url)
    run = await onward.start(*args)
    assert await onward.post(run, *(a_body(n) for n in range(30))) == [200] * 30
    plain = await asyncio.to_thread(names_of, capture, "a.*.jsonl")
    assert len(plain) > 5
    app.gate.set()
    await app.wait_for(lambda: len(app.requests) == 30)
    await asyncio.to_thread(run.err.until, b"compressed once it is forwarded")
    await until(lambda: not names_of(capture, "a.*.jsonl"))
    await onward.stop(run)
    assert await asyncio.to_thread(names_of, capture, "a.*") == [
        *sorted(f"{name}.gz" for name in plain), "a.jsonl",
    ]  # fmt: skip # one thing a line
    assert [number_of(one) for one in app.requests] == list(range(30))


async def test_what_a_run_left_in_several_files_is_sent_by_the_next_before_its_own(
    onward: Forwarding, app: "App", capture: Path, free_port: int
) -> None:
    away = f"http://127.0.0.1:{free_port}"
    args = ("-q", "--capture", capture, "--rotate", "1kB")
    run = await onward.start(*args, "--forward-to", away)
    await onward.post(run, *(a_body(n) for n in range(10)))
    _, err = await onward.stop(run)
    assert "10 pending\n" in err
    run = await onward.start(*args)  # forwards nothing, rotates and compresses
    await onward.post(run, *(a_body(n) for n in range(100, 110)))
    await onward.stop(run)
    assert await asyncio.to_thread(names_of, capture, "a.*.jsonl") == []
    await asyncio.to_thread(replace_in_journal, capture, away, app.url)
    run = await onward.start(*args, "--forward-to", app.url)
    await onward.post(run, *(a_body(n) for n in range(10, 20)))
    await app.wait_for(lambda: len(app.requests) == 20)
    await onward.stop(run)
    assert [number_of(one) for one in app.requests] == list(range(20))
    assert journals(capture) == []


async def test_what_was_given_up_is_sent_again_from_compressed_files(
    onward: Forwarding, app: "App", capture: Path, start: "Start"
) -> None:
    app.answers = lambda request: failure(404) if number_of(request) % 3 == 0 else app.answer
    run = await onward.start(
        "-q", "--capture", capture, "--rotate", "1kB", "--forward-to", app.url, "--fsync"
    )
    await onward.post(run, *(a_body(n) for n in range(20)))
    await app.wait_for(lambda: len(app.requests) == 20)
    _, err = await onward.stop(run)
    assert "13 sent, 7 failed" in err
    assert await asyncio.to_thread(names_of, capture, "a.*.jsonl") == []
    app.answers = None
    again = await asyncio.to_thread(lambda: start("replay", "--failed", capture).result())
    assert again[0] == 0
    assert [number_of(one) for one in app.requests[20:]] == list(range(0, 20, 3))
    assert journals(capture) == []


def names_of(capture: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in capture.parent.glob(pattern))


def replace_in_journal(capture: Path, before: str, now: str) -> None:
    (journal,) = capture.parent.glob("*.forward")
    journal.write_bytes(journal.read_bytes().replace(before.encode(), now.encode()))


# Answering what the app answers.


async def test_with_ack_app_vonage_gets_what_the_app_answers(
    onward: Forwarding, app: "App"
) -> None:
    statuses = [200, 204, 301, 404, 500, 599]
    app.answers = lambda request: failure(statuses[number_of(request)])
    run = await onward.start("-q", "--ack", "app", "--forward-to", app.url)
    assert await onward.post(run, *(a_body(number) for number in range(6))) == statuses
    _, err = await onward.stop(run)
    assert "your app's response (502 if unreachable, 504 on timeout)" in err
    assert "anything but 200 is a failure, which Vonage retries for up to 24 h" in err
    assert err.count(" to Vonage: ") == 5
    assert "responded 204 to Vonage: Vonage retries in 5.0 s and gives up in 1 d" in err
    assert "failures returned to Vonage  5: Vonage retries each for 24 h" in err
    assert len(app.requests) == 6


async def test_with_ack_app_a_status_that_is_no_answer_is_502(
    onward: Forwarding, app: "App"
) -> None:
    statuses = [101, 999]
    app.answers = lambda request: failure(statuses[number_of(request)])
    run = await onward.start("-q", "--ack", "app", "--forward-to", app.url)
    assert await onward.post(run, a_body(0), a_body(1)) == [502, 502]
    await onward.stop(run)


async def test_with_ack_app_one_that_is_not_there_is_502_and_one_that_is_late_504(
    onward: Forwarding, app: "App", free_port: int
) -> None:
    app.silent = True
    run = await onward.start(
        "--ack", "app", "--failure-policy", "cutoff", "--forward-timeout", "200ms",
        "--route", f"archive={app.url}", "--forward-to", f"localhost:{free_port}",
    )  # fmt: skip # as it is typed
    assert await onward.post(run, a_body(0), a_body(1, "archive"), a_body(2)) == [502, 504, 502]
    _, err = await onward.stop(run)
    assert "responded 502 to Vonage: 1 of 50 failures in 30 min" in err
    assert "responded 504 to Vonage: 2 of 50 failures in 30 min" in err
    assert "Vonage stops after 50 in 30 min" in err
    assert "no response within 200 ms" in err


async def test_with_ack_app_and_several_targets_the_first_that_refuses_counts(
    onward: Forwarding, app: "App"
) -> None:
    app.answers = lambda request: failure(200 if "/a" in request.first else 418)
    to = ("--forward-to", app.url + "/a", "--forward-to", app.url + "/b")
    run = await onward.start("--ack", "app", *to)
    assert await onward.post(run, a_body(0)) == [418]
    _, err = await onward.stop(run)
    assert f"→ 127.0.0.1:{app.port} 200 in " in err
    assert len(app.requests) == 2


FAILS_ONCE = """
from vmon.forward.worker import TargetWorker
whole = TargetWorker.{name}
def sometimes(self, what, *more):
    body = getattr(what, "delivery", what).body
    if b'"n": 1,' in body + b"," or b'"n": 1}}' in body:
        1 // 0
    return whole(self, what, *more)
TargetWorker.{name} = sometimes
"""


@pytest.mark.parametrize("name", ["_as_sent", "take"])
async def test_a_bug_in_forwarding_ends_one_delivery_and_the_run_goes_on(
    onward: Forwarding, app: "App", name: str
) -> None:
    run = await onward.start("--forward-to", app.url, code=FAILS_ONCE.format(name=name))
    assert await onward.post(run, *map(a_body, range(4))) == [200] * 4
    await app.wait_for(lambda: len(app.requests) == 3)
    code, _, err = await asyncio.to_thread(run.stop)
    assert code == 70
    assert [number_of(one) for one in app.requests] == [0, 2, 3]
    assert err.count("warning: a bug in vmon: ZeroDivisionError") == 1
    assert err.count("Traceback") == 1


async def test_with_ack_app_a_bug_is_500_and_the_next_are_the_app_s(
    onward: Forwarding, app: "App"
) -> None:
    code = FAILS_ONCE.format(name="_as_sent")
    run = await onward.start("--forward-to", app.url, "--ack", "app", code=code)
    assert await onward.post(run, *map(a_body, range(4))) == [200, 500, 200, 200]
    ended, _, err = await asyncio.to_thread(run.stop)
    assert (ended, err.count("Traceback")) == (70, 1)
    assert [number_of(one) for one in app.requests] == [0, 2, 3]


async def test_with_ack_app_what_goes_nowhere_is_200(onward: Forwarding, app: "App") -> None:
    run = await onward.start("--ack", "app", "--route", f"archive={app.url}")
    assert await onward.post(run, a_body(0), a_body(1, "archive")) == [200, 200]
    await onward.stop(run)
    assert [number_of(one) for one in app.requests] == [1]


async def test_with_ack_app_an_app_that_closed_an_old_connection_is_no_failure(
    onward: Forwarding, app: "App"
) -> None:
    run = await onward.start("--ack", "app", "--forward-to", app.url)
    for number in range(5):
        assert await onward.post(run, a_body(number)) == [200]
        app.close()  # as an app does with connections that were idle for long
    await onward.stop(run)


async def test_with_ack_app_and_fsync_both_are_waited_for(onward: Forwarding, app: "App") -> None:
    app.answer = failure(503)
    run = await onward.start("--ack", "app", "--fsync", "--forward-to", app.url)
    assert await onward.post(run, a_body(0)) == [503]
    await onward.stop(run)


# On a terminal.


async def test_on_a_terminal_an_outcome_is_under_its_event(
    onward: Forwarding, app: "App", flow_of: "Callable[[int], Flow]"
) -> None:
    import pty

    ours, theirs = pty.openpty()
    run = await onward.start("--forward-to", app.url, out=theirs, NO_COLOR="1")
    os.close(theirs)
    screen = flow_of(ours)
    app.answers = lambda request: failure(404, b"x" * 300) if number_of(request) else app.answer
    for number, status in enumerate((200, 404)):
        await onward.post(run, a_body(number))  # an outcome that is late is under another event
        await asyncio.to_thread(screen.until, b" %d in " % status)
    run.signal(signal.SIGINT)
    await asyncio.to_thread(run.ended)
    lines = screen.all().decode().splitlines()
    os.close(ours)
    told = [line for line in lines if line]
    assert "streamCreated" in told[0]
    assert re.fullmatch(r"    → 200 in \d+ ms", told[1])
    assert "streamCreated" in told[2]
    assert re.fullmatch(rf"    → 404 in \d+ ms \(POST {app.url}/\): x+…", told[3])
    assert max(map(len, told)) <= 80


# Wrong use.


def test_a_listener_does_not_forward_to_itself(
    vmon_run: Callable[..., tuple[int, str, str]], free_port: int, tmp_path: Path
) -> None:
    args = ("listen", "--port", str(free_port), "--capture", tmp_path / "a.jsonl")
    code, _, err = vmon_run(*args, "--forward-to", f"localhost:{free_port}/x")
    assert (code, err.splitlines()[0]) == (
        2,
        f"error: cannot forward to http://localhost:{free_port}/x: it is vmon itself",
    )
    assert journals(tmp_path / "a.jsonl") == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--ack", "app"), "--ack app needs --forward-to or --route"),
        (("--forward-event", "archive"), "--forward-event needs --forward-to or --route"),
        (("-H", "X: 1"), "--forward-header needs --forward-to or --route"),
        (("--forward-to", "ftp://x"), "invalid URL 'ftp://x'"),
        (("--route", "archive"), "invalid route 'archive'"),
        (("--route", "bogus=x"), "unknown event type 'bogus'"),
        (("--forward-to", "x", "-H", "secret"), "invalid header 'secret'"),
    ],
)
def test_wrong_use_is_exit_2_in_words(
    vmon_run: Callable[..., tuple[int, str, str]], args: tuple[str, ...], said: str
) -> None:
    code, _, err = vmon_run("listen", "--port", "0", "--no-capture", *args)
    assert code == 2
    assert err.startswith(f"error: {said}")
    assert "\nhint: " in err


async def test_ctrl_c_says_what_is_in_flight_and_waits_for_it(
    onward: Forwarding, app: "App"
) -> None:
    app.gate = asyncio.Event()
    run = await onward.start("--forward-to", app.url)
    await onward.post(run, a_body(0))
    await app.wait_for(lambda: len(app.requests) == 1)
    run.signal(signal.SIGINT)
    finishing = b"finishing 1 request (Ctrl-C again to stop now)\n"
    await asyncio.to_thread(run.err.until, finishing)
    app.gate.set()
    code, _, err = await asyncio.to_thread(run.result)
    assert code == 0
    assert "  1 sent, " in err


async def test_a_second_ctrl_c_stops_at_once_and_still_sums_up(
    onward: Forwarding, app: "App", capture: Path
) -> None:
    app.gate = asyncio.Event()
    run = await onward.start("--capture", capture, "--forward-to", app.url)
    await onward.post(run, a_body(0))
    await app.wait_for(lambda: len(app.requests) == 1)
    run.signal(signal.SIGINT)
    await asyncio.to_thread(run.err.until, b"finishing 1 request")
    run.signal(signal.SIGINT)
    code, _, err = await asyncio.to_thread(run.result)
    assert code == 130
    assert "1 delivery in " in err
    assert "0 sent, 1 pending\n" in err
    assert len(journals(capture)) == 1


async def test_with_ack_app_a_second_ctrl_c_stops_at_once_too(
    onward: Forwarding, app: "App"
) -> None:
    app.gate = asyncio.Event()
    run = await onward.start("--forward-to", str(app.port), "--ack", "app")
    asked = asyncio.create_task(onward.post(run, a_body(0)))
    await app.wait_for(lambda: len(app.requests) == 1)
    run.signal(signal.SIGINT)
    await asyncio.to_thread(run.err.until, b"finishing 1 request (Ctrl-C again")
    run.signal(signal.SIGINT)
    code, _, err = await asyncio.to_thread(run.result)
    assert (code, "1 delivery in " in err) == (130, True)
    with pytest.raises((OSError, http.client.HTTPException)):
        await asked
    app.gate.set()


async def test_a_backlog_that_is_discarded_is_said_and_never_sent(
    onward: Forwarding, app: "App", free_port: int, capture: Path
) -> None:
    to = ("-q", "--capture", capture, "--forward-to", str(free_port))
    run = await onward.start(*to)
    await onward.post(run, a_body(0))
    await onward.stop(run)
    back = await app.open("127.0.0.1", free_port)
    run = await onward.start(*to, "--discard-backlog")
    await onward.post(run, a_body(1))
    await app.wait_for(lambda: len(app.requests) == 1)
    back.close()
    app.close()
    _, err = await onward.stop(run)
    url = f"http://localhost:{free_port}"
    assert (
        f"1 delivery from an earlier run was not forwarded to {url}: discarded; "
        "the capture still has it\n"
    ) in err
    assert [number_of(one) for one in app.requests] == [1]
    assert journals(capture) == []


async def test_without_retries_a_failing_app_holds_nothing_back_and_nothing_is_lost(
    onward: Forwarding, app: "App", capture: Path, vmon_run: Callable[..., tuple[int, str, str]]
) -> None:
    app.answers = lambda request: failure(503) if number_of(request) == 0 else app.answer
    to = ("--capture", capture, "--forward-to", str(app.port), "--retry", "none")
    run = await onward.start(*to)
    await onward.post(run, *(a_body(number) for number in range(3)))
    await app.wait_for(lambda: len(app.requests) == 3)
    _, err = await onward.stop(run)
    assert "vmon sends each delivery once (--retry none)\n" in err
    assert "2 sent, 1 failed, " in err
    app.answers = None
    code, _, _ = await asyncio.to_thread(vmon_run, "replay", "--failed", capture)
    assert (code, [number_of(one) for one in app.requests][3:]) == (0, [0])
