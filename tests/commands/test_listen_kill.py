"""`kill -9` at any moment: what was acknowledged is in the capture, byte for byte."""

import http.client
import json
import os
import random
import signal
import threading
from base64 import b64decode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.processes import Listen, Listening

ROUNDS = 50
CLIENTS = 4
TORN = b'{"vmon":1,"type":"unknown","session":null,"id":"0'


class Load:
    """Clients that post bodies no other body is equal to, until the server is gone."""

    def __init__(self, run: "Listening", salt: str) -> None:
        self.acknowledged: list[bytes] = []
        self._news = threading.Condition()
        self._threads = [
            threading.Thread(target=self._post, args=(run, f"{salt}-{number}"))
            for number in range(CLIENTS)
        ]
        for thread in self._threads:
            thread.start()

    def _post(self, run: "Listening", salt: str) -> None:
        client = run.client()
        numbers = random.Random(salt)
        try:
            for number in range(1_000_000):
                body = a_body(f"{salt}-{number}", numbers)
                client.request("POST", "/", body)
                answer = client.getresponse()
                answer.read()
                if answer.status == 200:
                    with self._news:
                        self.acknowledged.append(body)
                        self._news.notify_all()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            client.close()

    def wait_for(self, number: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.acknowledged) >= number, 20)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()


def a_body(name: str, numbers: random.Random) -> bytes:
    """JSON of one line, JSON of several, or no JSON; short or long."""
    filling = "x" * numbers.choice([0, 0, 0, 300, 30_000])
    said = {"name": name, "filling": filling}
    match numbers.randrange(3):
        case 0:
            return json.dumps(said).encode()
        case 1:
            return json.dumps(said, indent=2).encode()
        case _:
            return name.encode() + b"\xff\x00" + filling.encode()


def bodies_in(capture: Path) -> Counter[bytes]:
    """The bodies of a capture, read by means that are not vmon's."""
    return Counter(map(body_of, capture.read_bytes().splitlines(keepends=True)))


def body_of(line: bytes) -> bytes:
    assert line.endswith(b"}\n")
    said = json.loads(line)
    if "body_base64" in said:
        return b64decode(said["body_base64"])
    return line[line.index(b',"body":') + len(b',"body":') : -2]


def rounds(listen: "Listen", capture: Path, seed: int) -> Counter[bytes]:
    """Start, load and kill, again and again; what was acknowledged in all of it."""
    numbers, acknowledged = random.Random(seed), Counter[bytes]()
    for number in range(ROUNDS // 2):
        run = listen("-q", "--capture", capture)
        load = Load(run, f"{seed}-{number}")
        load.wait_for(numbers.randint(1, 60))
        threading.Event().wait(numbers.random() * 0.01)  # a moment, and not one of ours
        os.kill(run.process.pid, signal.SIGKILL)
        load.join()
        assert run.ended() == -signal.SIGKILL
        acknowledged.update(load.acknowledged)
        if numbers.random() < 0.5:  # a power loss would leave a piece; a kill hardly can
            with capture.open("ab") as file:
                file.write(TORN[: numbers.randint(1, len(TORN))])
    return acknowledged


def test_fifty_kills_lose_no_acknowledged_delivery(listen: "Listen", tmp_path: Path) -> None:
    captures = [tmp_path / "0.jsonl", tmp_path / "1.jsonl"]
    with ThreadPoolExecutor(2) as lanes:
        told = list(lanes.map(rounds, [listen] * 2, captures, [2016, 2026]))
    for capture, acknowledged in zip(captures, told, strict=True):
        run = listen("-q", "--capture", capture)
        assert run.post(b'{"last":1}') == 200
        assert run.stop()[0] == 0
        found = bodies_in(capture)
        assert acknowledged - found == Counter()
        assert found[b'{"last":1}'] == 1
        assert max(found.values()) == 1
        assert acknowledged.total() >= ROUNDS // 2
