"""The real command, started as a program, and everything it says compared."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import termios
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.capture.codec import read_line
from vmon.capture.folder import newest
from vmon.events.catalogue import ALL
from vmon.events.payload import read_body

if TYPE_CHECKING:
    from tests.support.processes import Flow, Listen, Listening, Start

SEED = "seed/connectionCreated.json"


def body_of(line: bytes) -> bytes:
    """The exact body in a capture line, taken out by means that are not vmon's."""
    said = json.loads(line)
    if "body_base64" in said:
        return b64decode(said["body_base64"])
    return line[line.index(b',"body":') + len(b',"body":') : -2]


def post_all(run: "Listening", bodies: dict[str, bytes]) -> list[int]:
    client = run.client()
    statuses = []
    for name, body in bodies.items():
        client.request("POST", f"/{name}", body, {"Content-Type": "application/json"})
        answer = client.getresponse()
        assert answer.read() == b""
        statuses.append(answer.status)
    client.close()
    return statuses


def steady(text: str) -> str:
    """A report without what no two runs share: the port, how long it took, the slowest lag."""
    text = re.sub(r"(127\.0\.0\.1):\d+", r"\1:PORT", text)
    text = re.sub(r"(deliver(?:y|ies)) in .+", r"\1 in TIME", text)
    return re.sub(r"(slowest delivery +).+", r"\1LAG", text)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Make a terminal of 100 columns: our end, and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


# Everything, once through.


def test_every_body_is_answered_captured_byte_for_byte_and_put_out(
    listen: "Listen", bodies: dict[str, bytes], tmp_path: Path
) -> None:
    capture = tmp_path / "all.jsonl"
    run = listen("--capture", capture)
    assert post_all(run, bodies) == [200] * len(bodies)
    code, out, err = run.stop()
    assert code == 0
    lines = capture.read_bytes().splitlines(keepends=True)
    assert "".join(line.decode() for line in lines) == out
    assert [body_of(line) for line in lines] == list(bodies.values())
    heads = [json.loads(line) for line in lines]
    assert [head["path"] for head in heads] == [f"/{name}" for name in bodies]
    assert [head["type"] for head in heads] == [read_body(body).type for body in bodies.values()]
    assert {head["vmon"] for head in heads} == {1}
    assert sorted({head["id"] for head in heads}) == [head["id"] for head in heads]
    assert all(["Content-Type", "application/json"] in head["headers"] for head in heads)
    assert capture.stat().st_mode & 0o777 == 0o600
    assert {read_line(line).payload.type for line in lines} == set(ALL)
    undecodable = types_of(lines)["undecodable"]
    assert ["undecodable", str(undecodable)] in [line.split()[:2] for line in err.splitlines()]


def types_of(lines: list[bytes]) -> dict[str, int]:
    types = [json.loads(line)["type"] for line in lines]
    return {name: types.count(name) for name in types}


def test_what_it_says_of_itself_whole(
    listen: "Listen", bodies: dict[str, bytes], tmp_path: Path
) -> None:
    run = listen("--capture", tmp_path / "a b.jsonl", "--event", "stream*")
    names = [name for name in bodies if name.startswith("seed/")]
    post_all(run, {name: bodies[name] for name in names})
    assert run.post(b"{") == 200
    run.err.until(b"undecodable: body is not JSON")
    client = run.client()
    client.request("GET", "/probe")
    assert client.getresponse().status == 200
    client.close()
    code, out, err = run.stop()
    assert code == 0
    assert [json.loads(line)["type"] for line in out.splitlines()] == [
        "streamCreated",
        "streamDestroyed",
    ]
    err = re.sub(r"\d\d:\d\d:\d\d ([·⚠]) ", r"NOW \1 ", steady(err))
    assert err == BANNER_AND_SUMMARY.replace("PATH", str(tmp_path))
    assert len((tmp_path / "a b.jsonl").read_bytes().splitlines()) == 5


BANNER_AND_SUMMARY = """\
vmon 0.1.0 is listening (Ctrl-C to stop)
  local    http://127.0.0.1:PORT  (any path)
  capture  ~/'a b.jsonl'
  filter   streamCreated or streamDestroyed (everything is captured)
ready local=http://127.0.0.1:PORT capture='PATH/a b.jsonl'
NOW ⚠ undecodable: body is not JSON: expecting property name enclosed in double quotes at byte 1
NOW · GET /probe not captured: responded 200 to a probe
5 deliveries in TIME
  connectionCreated            1
  connectionDestroyed          1
  streamCreated                1
  streamDestroyed              1
  undecodable                  1
  hidden by filter  3
  other requests    1
  slowest delivery  LAG
  sessions          1 (0 open), 1 connection, 1 stream
  kxOH45            1 connection, 1 stream, 4 events, 20 min 9 s, ended
  oddities          1 (see vmon oddities)
  capture           ~/'a b.jsonl'
  replay            vmon replay ~/'a b.jsonl'
"""


def test_on_a_terminal_every_delivery_is_a_line_and_nothing_acts_on_it(
    listen: "Listen",
    bodies: dict[str, bytes],
    terminal: tuple[int, int],
    flow_of: Callable[[int], "Flow"],
) -> None:
    ours, theirs = terminal
    run = listen("--no-capture", out=theirs, NO_COLOR="1")
    screen = flow_of(ours)
    assert post_all(run, bodies) == [200] * len(bodies)
    assert run.stop()[0] == 0
    screen.match(rb"(.*\r\n){%d}" % len(bodies))
    lines = screen.match(rb"(?s).*\r\n")[0].decode().split("\r\n")
    assert lines.pop() == ""
    assert len(lines) == len(bodies)
    assert all(line.isprintable() and len(line) <= 100 for line in lines)
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in lines)


def test_colours_are_the_only_escape_sequences_on_a_terminal(
    listen: "Listen",
    bodies: dict[str, bytes],
    terminal: tuple[int, int],
    flow_of: Callable[[int], "Flow"],
) -> None:
    ours, theirs = terminal
    run = listen("--no-capture", "-vv", out=theirs)
    screen = flow_of(ours)
    post_all(run, bodies)
    assert run.stop()[0] == 0
    text = screen.match(rb"(?s).*\r\n")[0].decode()
    assert "\x1b[" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(line.isprintable() for line in plain.split("\r\n"))


@pytest.mark.parametrize(
    ("args", "env", "coloured"),
    [
        ((), {}, False),
        (("--format", "line"), {}, False),
        (("--format", "line"), {"FORCE_COLOR": "1"}, True),
        (("--format", "line"), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (("--format", "json"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_a_pipe_has_colours_only_when_they_are_asked_for(
    listen: "Listen",
    bodies: dict[str, bytes],
    args: tuple[str, ...],
    env: dict[str, str],
    *,
    coloured: bool,
) -> None:
    run = listen("--no-capture", *args, **env)
    assert run.post(bodies[SEED]) == 200
    code, out, _ = run.stop()
    assert (code, "\x1b[" in out, "connectionCreated" in out) == (0, coloured, True)


# How it ends.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_any_signal_to_end_ends_it_well(
    listen: "Listen", bodies: dict[str, bytes], number: int
) -> None:
    run = listen()
    assert run.post(bodies[SEED]) == 200
    code, out, err = run.stop(number)
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "\n1 delivery in " in err
    assert Path(run.capture).read_text() == out


def half_sent(run: "Listening") -> socket.socket:
    """Send all of a request but its end; returns when it has begun to be received."""
    one = socket.create_connection(("127.0.0.1", run.port))
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n"
    one.sendall(head)
    assert one.recv(100).startswith(b"HTTP/1.1 100 ")
    return one


def refuses(port: int) -> bool:
    """Whether connections are refused from now on, waited for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:  # it closes just now
            continue
    return False


def test_what_is_in_flight_at_the_end_is_finished_and_kept(listen: "Listen") -> None:
    run = listen()
    one = half_sent(run)
    run.signal(signal.SIGINT)
    assert refuses(run.port)
    one.sendall(b'{"a":1}')
    assert one.recv(100).startswith(b"HTTP/1.1 200 ")
    one.close()
    code, out, _ = run.result()
    assert code == 0
    assert body_of(out.encode()) == b'{"a":1}'


def test_a_second_interrupt_leaves_at_once_with_130(listen: "Listen") -> None:
    run = listen()
    one = half_sent(run)
    run.signal(signal.SIGINT)
    assert refuses(run.port)
    run.signal(signal.SIGINT)
    code, out, err = run.result()
    one.close()
    assert (code, out) == (130, "")
    assert "Traceback" not in err


def test_a_reader_that_has_seen_enough_ends_it_quietly(
    listen: "Listen", bodies: dict[str, bytes]
) -> None:
    ours, theirs = os.pipe()
    run = listen(out=theirs)
    os.close(theirs)
    assert run.post(bodies[SEED]) == 200
    assert os.read(ours, 20) == b'{"vmon":1,"type":"co'
    os.close(ours)
    assert run.post(bodies[SEED]) == 200
    code, _, err = run.result()
    assert code == 0
    assert "\n2 deliveries in " in err
    assert "Broken" not in err
    assert "Traceback" not in err
    assert len(Path(run.capture).read_bytes().splitlines()) == 2


FAILS_SOMETIMES = """
import {module} as module
whole = module.{name}
def sometimes(self, one, *more):
    entry = getattr(one, "entry", one)
    if b"bug" in getattr(entry, "delivery", entry).body:
        1 // 0
    return whole(self, one, *more)
module.{name} = sometimes
"""
"""Code that makes a method fail for deliveries with "bug" in them."""
FAILS_ONCE = """
import {module} as module
whole, failures = module.{name}, [1]
def once(self, *more):
    if failures:
        failures.pop() // 0
    return whole(self, *more)
module.{name} = once
"""
ZERO = "ZeroDivisionError: integer division or modulo by zero"


def bugs_of(run: "Listening", times: int) -> str:
    """Stop a run in which one bug came up so often; what it said, looked at."""
    code, _, err = run.stop()
    assert code == 70
    live, _, end = err.partition("\nerror: there is a bug in vmon\nhint: please report it")
    assert live.count(f"warning: a bug in vmon: {ZERO}\n") == 1
    assert "Traceback" not in live
    assert re.search(rf"\n  bugs in vmon +{times}\n", live)
    said = "1 time" if times == 1 else f"{times} times"
    assert end.startswith(f" with what follows\n{said}:\nTraceback (most recent call last):\n")
    assert end.endswith(f"{ZERO}\n")
    assert end.count("Traceback") == 1
    return live


def test_a_bug_ends_its_request_and_is_told_with_its_traceback_at_the_end(
    listen: "Listen",
) -> None:
    run = listen(
        code=FAILS_SOMETIMES.format(module="vmon.receive.pipeline", name="Pipeline.accept")
    )
    sent = [b"1", b'"bug"', b"2", b'"bug"', b'"bug"', b"3"]
    assert [run.post(body) for body in sent] == [200, 500, 200, 500, 500, 200]
    bugs_of(run, 3)
    lines = Path(run.capture).read_bytes().splitlines()
    assert [json.loads(line)["body"] for line in lines] == [1, 2, 3]


def test_a_bug_before_a_request_is_looked_at_is_answered_500_too(listen: "Listen") -> None:
    run = listen(
        code="""
from aiohttp import web
whole = web.RequestHandler.data_received
def sometimes(self, data):
    if b"/bug" in data:
        1 // 0
    return whole(self, data)
web.RequestHandler.data_received = sometimes
"""
    )
    with socket.create_connection(("127.0.0.1", run.port), timeout=20) as client:
        client.sendall(WHOLE)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        client.sendall(WHOLE.replace(b"/", b"/bug", 1))
        assert client.recv(1000).startswith(b"HTTP/1.1 500 ")
        assert client.recv(1000) == b""
    assert run.post(b"{}") == 200
    bugs_of(run, 1)


def test_a_bug_in_drawing_costs_one_drawing_and_no_answer(listen: "Listen") -> None:
    name = "Screen._show_delivery"
    run = listen(code=FAILS_SOMETIMES.format(module="vmon.render.live.screen", name=name))
    assert [run.post(body) for body in (b"1", b'"bug"', b"2")] == [200] * 3
    assert run.out is not None
    run.out.until(b'"body":2}\n')
    assert re.search(r"\n  not shown +1\n", bugs_of(run, 1))
    assert run.out.all().count(b"\n") == 2
    assert len(Path(run.capture).read_bytes().splitlines()) == 3


def test_a_bug_in_entering_costs_neither_an_answer_nor_a_drawing(listen: "Listen") -> None:
    name = "SessionTracker.apply"
    run = listen(code=FAILS_SOMETIMES.format(module="vmon.sessions.tracker", name=name))
    assert [run.post(body) for body in (b"1", b'"bug"', b"2")] == [200] * 3
    assert "not shown" not in bugs_of(run, 1)
    assert run.out is not None
    lines = run.out.all().splitlines()
    assert [json.loads(line)["body"] for line in lines] == [1, "bug", 2]
    assert Path(run.capture).read_bytes().splitlines() == lines


@pytest.mark.parametrize(
    ("module", "name"),
    [("vmon.render.live.screen", "Screen._show_for"), ("vmon.receive.feed", "Feed._enter_some")],
)
def test_a_bug_in_a_timer_is_told_like_any_other_and_the_timer_goes_on(
    listen: "Listen", module: str, name: str
) -> None:
    run = listen(code=FAILS_ONCE.format(module=module, name=name))
    assert run.post(b"1") == 200
    run.err.until(b"warning: a bug in vmon: ")
    assert run.post(b"2") == 200
    assert run.out is not None
    run.out.until(b'"body":2}\n')
    bugs_of(run, 1)
    assert [json.loads(line)["body"] for line in run.out.all().splitlines()] == [1, 2]


def test_the_words_of_a_bug_cannot_act_on_a_terminal(listen: "Listen") -> None:
    code = """
import vmon.receive.pipeline as p
def fail(self, delivery):
    raise ValueError(delivery.body.decode())
p.Pipeline.accept = fail
"""
    run = listen(code=code)
    assert run.post(b"\x1b[31mred\xe2\x80\xae") == 500
    ended, _, err = run.stop()
    assert ended == 70
    assert "red" in err
    assert all(line.isprintable() for line in err.splitlines())


# Clients that break off.

GET = b"GET /looks HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\n{}"
BEGUN = HEAD + b"Content-Length: 100\r\n\r\n{"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN_OFF = {
    "nothing": b"",
    "in the first line": b"POST / HT",
    "in the headers": HEAD,
    "in the body": BEGUN,
    "in a size": CHUNKS + b"1",
    "in a chunk": CHUNKS + b"10\r\n{",
    "after a chunk": CHUNKS + b"2\r\n{}\r\n",
    "in the end": CHUNKS + b"2\r\n{}\r\n0\r\n",
    "a broken size": CHUNKS + b"zz\r\n{}\r\n",
    "waiting to be asked": HEAD + b"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    "a PUT": b"PUT" + BEGUN[4:],
}


def leave(run: "Listening", wire: bytes, after_s: float, *, reset: bool) -> None:
    """Send this in one packet, and close or reset the connection while it is answered."""
    with socket.create_connection(("127.0.0.1", run.port), timeout=20) as client:
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(wire)
        until_s = time.perf_counter() + after_s
        while time.perf_counter() < until_s:
            pass  # a sleep takes longer than an answer


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("more", [(), ("--fsync",)], ids=["plain", "fsync"])
def test_a_client_that_breaks_off_ends_its_own_connection_and_nothing_else(
    listen: "Listen", more: tuple[str, ...], *, reset: bool
) -> None:
    run = listen(*more)
    for before in (b"", GET, WHOLE, GET + WHOLE, GET * 3):
        for broken in BROKEN_OFF.values():
            for after_s in (0, 0.00005, 0.0001, 0.00015, 0.0003):
                leave(run, before + broken, after_s, reset=reset)
        assert run.post(b'"acknowledged"') == 200
    code, _, err = run.stop()
    assert code == 0, err[-3000:]
    assert "bug" not in err
    assert Path(run.capture).read_bytes().count(b'"body":"acknowledged"}\n') == 5
    if not reset:
        assert "POST / not captured: connection closed before the body was complete" in err


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_client_that_leaves_amid_its_answers_takes_no_acknowledged_delivery_along(
    listen: "Listen", *, reset: bool
) -> None:
    run, answered = listen("-q"), []
    for first in range(0, 1000, 50):
        bodies = [b"%d" % number for number in range(first, first + 50)]
        with socket.create_connection(("127.0.0.1", run.port), timeout=20) as client:
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(
                b"".join(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(b), b) for b in bodies)
            )
            got = client.recv(400)
            answered += bodies[: got.count(b"HTTP/1.1 200 OK\r\n")]
    assert run.post(b'"last"') == 200
    code, _, err = run.stop()
    assert (code, "Traceback" in err) == (0, False)
    kept = {json.loads(line)["body"] for line in Path(run.capture).read_bytes().splitlines()}
    assert {int(body) for body in answered} <= kept
    assert len(answered) >= 20
    assert "last" in kept


# What must not delay an answer, nor lose a delivery.


def test_a_reader_that_never_reads_delays_no_answer_and_hears_what_it_missed(
    listen: "Listen", bodies: dict[str, bytes], flow_of: Callable[[int], "Flow"]
) -> None:
    ours, theirs = os.pipe()
    run = listen(out=theirs, code="import vmon.receive.feed as f\nf.MOST_ELEMENTS = 300")
    os.close(theirs)
    client = run.client()
    for number in range(2000):
        client.request("POST", f"/{number}", bodies[SEED])
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.close()
    kept = Path(run.capture).read_bytes().splitlines()
    assert [json.loads(line)["path"] for line in kept] == [f"/{one}" for one in range(2000)]
    screen = flow_of(ours)
    code, _, err = run.stop()
    assert code == 0
    drawn = screen.all().splitlines()
    gaps = re.findall(r"^… ([\d,]+) more, not shown \(all captured\)$", err, re.MULTILINE)
    missed = sum(int(gap.replace(",", "")) for gap in gaps)
    assert 0 < missed < 2000
    assert len(drawn) + missed == 2000
    assert set(drawn) <= set(kept)
    os.close(ours)


def test_large_bodies_on_one_connection_are_all_answered(listen: "Listen") -> None:
    run = listen("-q")
    client = run.client()
    for number in range(40):
        body = b'{"n":%d,"x":"%b"}' % (number, b"x" * 300_000)
        client.request("POST", "/", body)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.close()
    assert run.stop()[:2] == (0, "")
    lines = Path(run.capture).read_bytes().splitlines(keepends=True)
    assert [json.loads(line)["body"]["n"] for line in lines] == list(range(40))


def test_a_client_that_goes_away_in_the_middle_ends_nothing(listen: "Listen") -> None:
    run = listen()
    half_sent(run).close()
    run.err.until(b"POST / not captured: connection closed before the body was complete\n")
    assert run.post(b"{}") == 200
    code, _, err = run.stop()
    assert code == 0
    assert "Traceback" not in err


def test_a_full_disk_is_said_loudly_and_nothing_acknowledged_is_lost(
    listen: "Listen", bodies: dict[str, bytes], tmp_path: Path
) -> None:
    run = listen(file_size=4096)
    said = json.loads(bodies[SEED])
    expected = [json.dumps(said | {"n": number}).encode() for number in range(10)]
    assert [run.post(body) for body in expected] == [200] * 10
    run.err.until(b"warning: cannot write the capture: ")
    run.err.until(b"deliveries are acknowledged and kept in memory")
    code, _, err = run.stop()
    assert code == 0
    rescued = re.search(r"not in the capture +(\d+) deliver(?:y|ies), saved to (\S+)\n", err)
    assert rescued is not None, err
    kept = Path(run.capture).read_bytes().splitlines(keepends=True)
    rest = Path(rescued[2]).read_bytes().splitlines(keepends=True)
    assert Path(rescued[2]).parent == tmp_path
    assert len(rest) == int(rescued[1]) > 0
    assert [body_of(line) for line in kept + rest] == expected
    assert "Traceback" not in err


def test_beyond_what_memory_may_hold_it_answers_503_so_that_they_come_again(
    listen: "Listen", bodies: dict[str, bytes]
) -> None:
    patch = (
        "import vmon.capture.writer as c\nc.CaptureWriter.__init__.__kwdefaults__['bound'] = 2000"
    )
    run = listen(file_size=4096, code=patch)
    statuses = [run.post(bodies[SEED]) for _ in range(20)]
    taken = statuses.index(503)
    assert statuses == [200] * taken + [503] * (20 - taken)
    run.err.until(b"new deliveries get 503, so that Vonage retries them")
    code, _, err = run.stop()
    assert code == 0
    assert err.count("the memory for unwritten deliveries is full") == 1
    assert re.search(rf"  rejected \(503\) +{20 - taken}: Vonage retries each after", err)
    assert f"\n{taken} deliveries in " in err


def test_with_fsync_answers_come_and_share_the_disk_s_time(
    listen: "Listen", bodies: dict[str, bytes]
) -> None:
    patch = """
import atexit, os, sys, time
syncs = []
def slow(fd):
    time.sleep(0.02)  # what a disk takes
    syncs.append(fd)
os.fdatasync = slow
atexit.register(lambda: sys.stderr.write(f"syncs={len(syncs)}"))
"""
    run = listen("--fsync", code=patch)
    statuses: list[int] = []

    def client() -> None:
        statuses.extend(post_all(run, dict.fromkeys("abcde", bodies[SEED])))

    threads = [threading.Thread(target=client) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code, out, err = run.stop()
    assert (code, statuses, len(out.splitlines())) == (0, [200] * 50, 50)
    syncs = int(err.rpartition("syncs=")[2])
    assert 5 <= syncs <= 25


# What it is told.


def test_without_a_capture_nothing_is_kept(listen: "Listen", tmp_path: Path) -> None:
    run = listen("--no-capture")
    assert run.capture == "-"
    assert run.post(b"{}") == 200
    code, out, err = run.stop()
    assert (code, len(out.splitlines())) == (0, 1)
    assert "capture  off (deliveries are not saved)\n" in err
    assert "replay" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_default_capture_is_new_and_in_the_data_folder(
    listen: "Listen", tmp_path: Path
) -> None:
    first, second = listen("-q"), listen("-q")
    folder = tmp_path / "data" / "vmon" / "captures"
    assert {Path(one.capture).parent for one in (first, second)} == {folder}
    assert first.capture != second.capture
    assert second.post(b"{}") == 200
    code, _, err = first.stop()
    assert (code, second.stop()[0]) == (0, 0)
    assert "  capture" not in err.partition("0 deliveries in ")[2]  # it received nothing
    assert [str(path) for path in folder.iterdir()] == [second.capture]


def test_what_a_killed_run_left_empty_is_not_the_newest_capture(
    listen: "Listen", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "vmon" / "captures"
    monkeypatch.setattr("vmon.capture.folder.default_folder", lambda: folder)
    first = listen("-q")
    assert first.post(b"{}") == 200
    assert first.stop()[0] == 0
    second = listen("-q")
    assert str(newest()) == second.capture  # who follows it is shown what comes
    second.signal(signal.SIGKILL)
    second.ended()
    assert Path(second.capture).read_bytes() == b""
    assert str(newest()) == first.capture


def test_quiet_draws_nothing_and_keeps_everything(
    listen: "Listen", bodies: dict[str, bytes]
) -> None:
    run = listen("-q")
    assert run.post(bodies[SEED]) == 200
    code, out, err = run.stop()
    assert (code, out) == (0, "")
    assert "\n1 delivery in " in err
    assert len(Path(run.capture).read_bytes().splitlines()) == 1


def test_what_is_refused_is_said_and_counted(listen: "Listen") -> None:
    run = listen("--max-body", "100", "--body-timeout", "200ms")
    assert run.post(b"x" * 101) == 413
    bomb = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xc1\x01\r\x00\x00\x00\xc2\xa0\xf7Om\x0e7"
    assert run.post(bomb, **{"Content-Encoding": "gzip"}) == 200  # torn, and small: kept as it is
    one = half_sent(run)
    assert one.recv(100).startswith(b"HTTP/1.1 408 ")
    one.close()
    code, _, err = run.stop()
    assert code == 0
    assert "not captured: responded 413: body larger than 100 B (--max-body)\n" in err
    assert "not captured: responded 408: body not received within 0.2 s (--body-timeout)\n" in err
    assert re.search(r"  other requests +2\n", err)


# What keeps it from listening.


def test_a_port_that_is_taken_is_exit_3_with_a_way_out(start: "Start", tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = start("listen", "--port", str(port), "--no-capture").result()
    assert (code, out) == (3, "")
    assert err == (
        f"error: port {port} on 127.0.0.1 is already in use\n"
        "hint: stop the program that uses it, or set --port (0 picks a free port)\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_that_is_not_ours_is_exit_3(start: "Start", host: str) -> None:
    code, out, err = start("listen", "--host", host, "--port", "0", "--no-capture").result()
    assert (code, out) == (3, "")
    first, second = err.splitlines()
    assert first.startswith(f"error: cannot listen on {host}:0: ")
    assert second == "hint: --host must be an address of this machine, e.g. 127.0.0.1"


def test_a_capture_that_cannot_be_written_is_exit_2(start: "Start", tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "a.jsonl"
    code, out, err = start("listen", "--port", "0", "--capture", path).result()
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith(f"error: cannot write the capture {path}: ")
    assert second == "hint: use another file with --capture FILE, or --no-capture"


def test_a_file_that_is_no_capture_is_exit_2_and_left_as_it_is(
    start: "Start", tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n")
    code, out, err = start("listen", "--port", "0", "--capture", path).result()
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path} is not a capture: ")
    assert path.read_text() == "buy milk\n"


def test_a_capture_in_use_is_exit_3_and_the_run_that_has_it_goes_on(
    listen: "Listen", start: "Start", tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    run = listen("--capture", path)
    assert run.post(b"{}") == 200
    code, out, err = start("listen", "--port", "0", "--capture", path).result()
    assert (code, out) == (3, "")
    assert err == (
        f"error: another vmon is writing to {path}\n"
        "hint: stop it, or use another file with --capture FILE\n"
    )
    assert run.post(b"{}") == 200
    assert run.stop()[0] == 0
    assert len(path.read_bytes().splitlines()) == 2


def test_a_run_that_cannot_listen_leaves_no_capture_before_the_one_in_use(
    start: "Start", listen: "Listen", bodies: dict[str, bytes], tmp_path: Path
) -> None:
    run = listen("--capture", tmp_path / "one.jsonl")
    run.post(bodies[SEED])
    code, _, err = start("listen", "--port", str(run.port)).result()
    assert code == 3
    assert "is already in use" in err
    code, out, err = start("captures", "--format", "json").result()
    assert json.loads(out)["captures"] == []
