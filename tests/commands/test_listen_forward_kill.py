"""`kill -9` of vmon and of the app under load: what was answered 200 is in the capture, and comes
to the app."""

import contextlib
import gzip
import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.capture.folder import captures_in

if TYPE_CHECKING:
    from tests.support.processes import Listen, Listening

ROUNDS = 10
SESSIONS = 3

APP = """
import os, socket, sys, threading
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
def serve(client):
    file = client.makefile("rb")
    while file.readline():
        length = 0
        while (line := file.readline().strip()):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        os.write(log, file.read(length) + b"\\n")
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("up", flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""


class AnApp:
    """An app that is a process of its own, and writes down each body before it answers."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._argv = [sys.executable, "-c", APP, str(port), str(log)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._argv, stdout=subprocess.PIPE)
        assert self._process.stdout
        assert self._process.stdout.readline() == b"up\n"

    def kill(self) -> None:
        if self._process and self._process.stdout:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def got(self) -> list[bytes]:
        with contextlib.suppress(FileNotFoundError):
            return self._log.read_bytes().splitlines()
        return []

    def wait_for(self, bodies: set[bytes]) -> None:
        """Wait until all of them were here."""
        deadline = time.monotonic() + 30
        while missing := bodies - set(self.got()):
            assert time.monotonic() < deadline, f"{len(missing)} of {len(bodies)} never came"
            threading.Event().wait(0.02)


@pytest.fixture
def an_app(free_port: int, tmp_path: Path) -> Iterator[AnApp]:
    one = AnApp(free_port, tmp_path / "app.log")
    yield one
    one.kill()


class Load:
    """A client per session posts numbered bodies until it is stopped or the server is gone."""

    def __init__(self, run: "Listening", salt: str) -> None:
        self.acknowledged: list[bytes] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._post, args=(run, f"{salt}-{number}"))
            for number in range(SESSIONS)
        ]
        for thread in self._threads:
            thread.start()

    def _post(self, run: "Listening", session: str) -> None:
        client = run.client()
        with contextlib.suppress(OSError, Exception):
            for number in range(1_000_000):
                body = b'{"sessionId":"%b","n":%d}' % (session.encode(), number)
                client.request("POST", "/", body)
                answer = client.getresponse()
                answer.read()
                assert answer.status == 200
                self.acknowledged.append(body)
                if self._stopped.is_set():
                    break
        client.close()

    def join(self) -> set[bytes]:
        self._stopped.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
        return set(self.acknowledged)


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)  # a moment of the run under test, and not one of ours


def in_order(got: list[bytes]) -> bool:
    """Whether each session's bodies came in their order the first time they came."""
    seen: dict[bytes, int] = {}
    for body in dict.fromkeys(got):
        session, _, number = body[:-1].rpartition(b'","n":')
        if int(number) != seen.get(session, -1) + 1:
            return False
        seen[session] = int(number)
    return True


Bodies = Callable[[Path], Counter[bytes]]


def bodies_in(data: bytes) -> list[bytes]:
    lines = data.splitlines()
    return [line[line.index(b',"body":') + 8 : -1] for line in lines if line.endswith(b"}")]


def captured(path: Path) -> set[bytes]:
    return set(bodies_in(path.read_bytes()))


def captured_in(folder: Path) -> list[bytes]:
    """All bodies in the captures of a folder, as its readers see them."""
    found = []
    for name in captures_in(str(folder)):
        data = Path(name).read_bytes()
        found += bodies_in(gzip.decompress(data) if name.endswith(".gz") else data)
    return found


def test_ten_kills_of_vmon_keep_nothing_from_the_app(
    listen: "Listen", an_app: AnApp, tmp_path: Path
) -> None:
    capture, numbers, acknowledged = tmp_path / "a.jsonl", random.Random(2016), set[bytes]()
    an_app.start()
    for number in range(ROUNDS):
        run = listen("-q", "--capture", capture, "--forward-to", an_app.url)
        load = Load(run, f"k{number}")
        pause(numbers.uniform(0.02, 0.3))
        os.kill(run.process.pid, signal.SIGKILL)
        acknowledged |= load.join()
        if number % 3 == 1:
            an_app.kill()  # a run with the app away leaves all of it to the next
        elif number % 3 == 2:
            an_app.start()
    assert acknowledged <= captured(capture)
    run = listen("-q", "--capture", capture, "--forward-to", an_app.url)
    an_app.wait_for(acknowledged)
    code, _, err = run.stop()
    assert code == 0, err
    assert in_order(an_app.got())
    assert len(acknowledged) > 100
    assert list(tmp_path.glob("*.forward")) == []


def test_kills_while_the_capture_rotates_keep_nothing_from_the_app(
    listen: "Listen", an_app: AnApp, tmp_path: Path
) -> None:
    folder, numbers, acknowledged = tmp_path / "kept", random.Random(1894), set[bytes]()
    capture = folder / "a.jsonl"
    rotating: tuple[str | Path, ...] = ("-q", "--capture", capture, "--rotate", "3kB")
    an_app.start()
    for number in range(ROUNDS):
        run = listen(*rotating, "--forward-to", an_app.url, *["--fsync"] * (number % 2))
        load = Load(run, f"k{number}")
        pause(numbers.uniform(0.02, 0.3))
        if number % 4 == 3:
            acknowledged |= load.join()
            assert run.stop()[0] == 0
        else:
            os.kill(run.process.pid, signal.SIGKILL)
            acknowledged |= load.join()
        if number % 3 == 1:
            an_app.kill()
        elif number % 3 == 2:
            an_app.start()
        if number % 4 == 1:  # it compresses what is pending, and rotates
            other = listen(*rotating)
            for count in range(9):
                assert other.post(b'{"sessionId":"other","n":%d}' % count) == 200
            assert other.stop()[0] == 0
    run = listen(*rotating, "--forward-to", an_app.url)
    an_app.wait_for(acknowledged)
    code, _, err = run.stop()
    assert code == 0, err
    found = captured_in(folder)
    assert acknowledged <= set(found)
    assert max(Counter(body for body in found if b"other" not in body).values()) == 1
    assert in_order(an_app.got())
    assert len(list(folder.iterdir())) > 10
    assert not any(b"other" in body for body in an_app.got())
    assert listen(*rotating, "--forward-to", an_app.url).stop()[0] == 0
    assert {path.name for path in folder.iterdir() if not path.name.endswith(".gz")} == {"a.jsonl"}


KILLED_AT = """
import os, signal
from pathlib import Path
from vmon.capture.writer import CaptureWriter as Capture
from vmon.capture import writer as capture
from vmon.forward.journal import Journal
steps, switch_file = [], Capture.switch_file
def counted(do):
    def doing(*args, **more):
        steps.append(do)
        if len(steps) == {step}:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(*args, **more)
    return doing
def renewing(*args):
    if not steps:  # what the first rotation does, and the line after it, is counted
        for place, name in (
            (capture, "_create"), (Path, "rename"), (os, "link"), (Path, "unlink"),
            (Journal, "announce"), (Journal, "begin"), (Capture, "append"),
        ):
            setattr(place, name, counted(getattr(place, name)))
    return switch_file(*args)
Capture.switch_file = renewing
"""


def test_a_kill_between_any_two_steps_of_a_rotation_loses_nothing(
    listen: "Listen", an_app: AnApp, tmp_path: Path
) -> None:
    killed, acknowledged = 0, set[bytes]()
    for step in range(1, 30):
        folder = tmp_path / str(step)
        rotating = ("-q", "--capture", folder / "a.jsonl", "--rotate", "600B")
        code = KILLED_AT.format(step=step)
        run = listen(*rotating, "--forward-to", an_app.url, code=code)  # which is away
        taken = []
        client = run.client()
        with contextlib.suppress(OSError, http.client.HTTPException):
            for number in range(4):
                body = b'{"sessionId":"s%d","n":%d}' % (step, number)
                client.request("POST", "/", body)
                if client.getresponse().read() == b"":
                    taken.append(body)
        client.close()
        if len(taken) == 4:
            assert run.stop()[0] == 0
            break
        killed += run.ended() == -signal.SIGKILL
        acknowledged.update(taken)
        assert set(taken) <= set(captured_in(folder))
        an_app.start()
        run = listen(*rotating, "--forward-to", an_app.url)
        an_app.wait_for(acknowledged)
        assert run.stop()[0] == 0
        an_app.kill()
        assert max(Counter(captured_in(folder)).values()) == 1
        assert list(folder.glob("*.forward")) == []
    assert killed == step - 1 > 5


def test_ten_kills_of_the_app_keep_nothing_from_it(
    listen: "Listen", an_app: AnApp, tmp_path: Path
) -> None:
    capture, numbers = tmp_path / "a.jsonl", random.Random(2026)
    run = listen("-q", "--capture", capture, "--forward-to", an_app.url)
    load = Load(run, "a")
    for _ in range(ROUNDS):
        an_app.start()
        pause(numbers.uniform(0.02, 0.3))
        an_app.kill()
        pause(numbers.uniform(0.0, 0.2))
    acknowledged = load.join()
    assert acknowledged <= captured(capture)
    an_app.start()
    an_app.wait_for(acknowledged)
    code, _, err = run.stop()
    assert code == 0, err
    assert in_order(an_app.got())
    assert f"{len(acknowledged):,} sent" in err
    assert list(tmp_path.glob("*.forward")) == []
