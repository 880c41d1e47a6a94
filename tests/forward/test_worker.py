import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from vmon.capture.codec import read_line, write_line
from vmon.capture.segments import Segment, Segments
from vmon.events.catalogue import NAMES
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.events.redelivery import LIKE_VONAGE, Schedule
from vmon.forward import backlog
from vmon.forward import worker as module
from vmon.forward.client import Client, ForwardResult
from vmon.forward.queue import JournalCursor
from vmon.forward.targets import Route, target_of
from vmon.forward.worker import TargetWorker, Throttle, WorkerListener

if TYPE_CHECKING:
    from tests.conftest import App, Request

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RUN = "5a17c0de"
QUICK = Schedule(0.01, 0.05, 0.1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def failure(status: int, more: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\n\r\n".encode()


def an_entry(number: int, session: str | None = "2_A", **more: Any) -> Entry:
    body = json.dumps({"event": "streamCreated", "sessionId": session, "n": number} | more).encode()
    return Entry(Delivery(f"{number:014x}-{RUN}", NOW, "POST", "/hook", (), "127.0.0.1:9", body))


def number_of(request: "Request") -> int:
    found: int = json.loads(request.body)["n"]
    return found


class Ears:
    """What a course tells."""

    def __init__(self) -> None:
        self.told: list[ForwardResult] = []
        self.said: list[str] = []
        self.bugs: list[Exception] = []
        self.hearing = WorkerListener(self.told.append, self.said.append, self.bugs.append)

    @property
    def ends(self) -> list[tuple[int, int | None, int]]:
        """Number, status and attempts of what came to an end."""
        return [
            (json.loads(one.entry.delivery.body)["n"], one.outcome.status, one.attempts)
            for one in self.told
            if one.again_s is None
        ]


@pytest.fixture
def ears() -> Iterator[Ears]:
    one = Ears()
    yield one
    assert one.bugs == []


class Tape:
    """A capture as a course reads it back."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b", buffering=0)
        self.end = 0
        types = frozenset(name.encode() for name in NAMES)
        volumes = Segments(path, [Segment("", 0)])
        self.source = JournalCursor(None, 0, backlog.BacklogReader(volumes, RUN.encode(), types))

    def write(self, entry: Entry) -> tuple[Entry, int, int]:
        line = write_line(entry)
        start = self.end
        self.file.write(line)
        self.end += len(line)
        return entry, start, len(line)


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    one = Tape(tmp_path / "a.jsonl")
    yield one
    one.file.close()


@asynccontextmanager
async def a_course(  # noqa: PLR0913 - a test says what it is about
    url: str,
    ears: Ears,
    own: JournalCursor | None = None,
    schedule: Schedule = QUICK,
    *,
    types: frozenset[str] = frozenset(NAMES),
    timeout_s: float = 10.0,
    width: int = 4,
) -> AsyncIterator[TargetWorker]:
    aim = Route(target_of(url, timeout_s=timeout_s), types)
    one = TargetWorker(aim, schedule, ears.hearing, own or JournalCursor())
    async with Client(width) as client:
        one.work(client, width)
        yield one
        await one.finish(5)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


# Order and attempts.


async def test_each_delivery_is_sent_once_in_the_order_of_its_session(
    app: "App", ears: Ears
) -> None:
    async with a_course(app.url, ears) as course:
        for number in range(60):
            course.take(an_entry(number, f"2_{number % 3}"), number, 1)
        await until(lambda: course.left == 0)
    for rest in range(3):
        order = [number_of(one) for one in app.requests if number_of(one) % 3 == rest]
        assert order == list(range(rest, 60, 3))
    assert course.figures.sent == 60
    assert sorted(course.own.done) == list(range(60))


async def test_other_types_are_not_taken_and_count_as_passed(app: "App", ears: Ears) -> None:
    async with a_course(app.url, ears, types=frozenset({"archive"})) as course:
        course.take(an_entry(1), 0, 100)
    assert (app.requests, course.where()) == ([], (100, []))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_failure_that_may_pass_holds_back_its_session_and_no_other(
    app: "App", ears: Ears, status: int
) -> None:
    failing = True

    def answers(request: "Request") -> bytes:
        return failure(status) if failing and number_of(request) == 0 else OK

    app.answers = answers
    async with a_course(app.url, ears) as course:
        for number in range(6):
            course.take(an_entry(number, f"2_{number % 2}"), number, 1)
        await until(lambda: len(ears.ends) == 3 and course.figures.retried >= 2)
        assert {number for number, _, _ in ears.ends} == {1, 3, 5}
        assert [number_of(one) for one in app.requests if number_of(one) in {2, 4}] == []
        failing = False
        await until(lambda: course.left == 0)
    assert [number for number, _, _ in ears.ends if number % 2 == 0] == [0, 2, 4]
    assert course.figures.failed == 0
    first, last = (
        one for one in ears.told if one.entry.delivery.body == an_entry(0, "2_0").delivery.body
    )
    assert (first.attempts, first.again_s is not None) == (1, True)
    assert (last.attempts > 2, last.again_s, last.outcome.ok) == (True, None, True)


@pytest.mark.parametrize("status", [301, 400, 404, 422])
async def test_what_an_app_does_not_want_is_given_up_at_once_and_the_next_comes(
    app: "App", ears: Ears, status: int
) -> None:
    app.answers = lambda request: failure(status) if number_of(request) == 0 else OK
    async with a_course(app.url, ears) as course:
        course.take(an_entry(0), 0, 1)
        course.take(an_entry(1), 1, 1)
        await until(lambda: course.left == 0)
    assert ears.ends == [(0, status, 1), (1, 200, 1)]
    assert (course.own.failed, course.own.done, course.own.gave_up) == ([0], [1], True)


async def test_an_app_that_goes_on_failing_is_given_up_after_some_attempts(
    app: "App", ears: Ears
) -> None:
    app.answers = lambda request: failure(500) if number_of(request) == 0 else OK
    async with a_course(app.url, ears, schedule=Schedule(0.001, 0.002, answers=4)) as course:
        course.take(an_entry(0), 0, 1)
        course.take(an_entry(1), 1, 1)
        await until(lambda: course.left == 0)
    assert ears.ends == [(0, 500, 4), (1, 200, 1)]
    assert course.figures.retried == 3


async def test_a_retry_after_is_honoured(app: "App", ears: Ears) -> None:
    app.answer = failure(503, "Retry-After: 120\r\n")
    async with a_course(app.url, ears) as course:
        course.take(an_entry(0), 0, 1)
        await until(lambda: len(ears.told) == 1)
    assert ears.told[0].again_s == 120
    assert course.where() == (1, [0])


@pytest.mark.parametrize("kind", ["closes", "resets", "is late"])
async def test_a_cut_or_late_answer_is_asked_for_again(app: "App", ears: Ears, kind: str) -> None:
    app.answer, app.reset, app.silent = b"", kind == "resets", kind == "is late"
    async with a_course(app.url, ears, timeout_s=0.2 if kind == "is late" else 10) as course:
        course.take(an_entry(0), 0, 1)
        await until(lambda: len(app.requests) >= 2)
        app.answer, app.reset, app.silent = OK, False, False
        await until(lambda: course.left == 0)
    assert ears.ends[0][1] == 200
    assert ears.told[0].outcome.status is None


# Health.


async def test_an_app_that_is_down_is_told_once_and_told_when_it_is_back(
    app: "App", ears: Ears, free_port: int
) -> None:
    async with a_course(f"http://127.0.0.1:{free_port}", ears) as course:
        for number in range(40):
            course.take(an_entry(number, f"2_{number % 8}"), number, 1)
        await until(lambda: course.figures.retried > 10)
        assert len(ears.said) == 1
        where = f"127.0.0.1:{free_port}"
        assert ears.said == [f"connection refused: nothing is listening on {where}; retrying"]
        assert ears.told == []
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        await until(lambda: course.left == 0)
        back.close()
    assert len(ears.said) == 2
    assert ears.said[1].startswith(f"127.0.0.1:{free_port} is back after ")
    assert ears.said[1].endswith(": sending 40 deliveries")
    for rest in range(8):
        order = [number_of(one) for one in app.requests if number_of(one) % 8 == rest]
        assert order == list(range(rest, 40, 8))
    app.close()


async def test_an_app_that_is_down_is_asked_by_one_delivery_at_a_time(
    ears: Ears, free_port: int
) -> None:
    slow = Schedule(0.1, 0.1, 0.0)
    async with a_course(f"http://127.0.0.1:{free_port}", ears, schedule=slow) as course:
        for number in range(100):
            course.take(an_entry(number, f"2_{number}"), number, 1)
        await until(lambda: course.figures.retried >= 4 + 2)
        assert course.figures.retried <= 4 + 4  # 4 were on their way when it was found to be down


async def test_a_new_delivery_tries_an_app_that_was_down_without_waiting_for_long(
    app: "App", ears: Ears, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IMPATIENT_S", 0.0)
    patient = Schedule(600, 600)
    async with a_course(f"http://127.0.0.1:{free_port}", ears, schedule=patient) as course:
        course.take(an_entry(0), 0, 1)
        await until(lambda: len(ears.said) == 1)
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        course.take(an_entry(1, "2_B"), 1, 1)
        await until(lambda: course.left == 0)
        back.close()
    assert sorted(number for number, _, _ in ears.ends) == [0, 1]
    app.close()


async def test_like_vonage_nothing_is_tried_before_its_time(
    app: "App", ears: Ears, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IMPATIENT_S", 0.0)
    url = f"http://127.0.0.1:{free_port}"
    async with a_course(url, ears, schedule=LIKE_VONAGE) as course:
        course.take(an_entry(0), 0, 1)
        await until(lambda: len(ears.said) == 1)
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        course.take(an_entry(1, "2_B"), 1, 1)
        await course.finish(0.2)
        back.close()
    assert app.requests == []
    assert course.where() == (2, [0, 1])


# Memory.


async def test_what_finds_memory_full_is_read_back_in_its_order(
    app: "App", ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ITEMS", 20)
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    app.gate = asyncio.Event()
    async with a_course(app.url, ears, tape.source) as course:
        for number in range(500):
            course.take(*tape.write(an_entry(number, f"2_{number % 7}")))
        await app.wait_for(lambda: len(app.requests) == 4)
        assert (course.left, course.is_behind) == (20, True)
        upto, pending = course.where()
        assert len(pending) == 20
        assert pending[-1] < upto < tape.end
        app.gate.set()
        await until(lambda: len(ears.ends) == 500)
        assert not course.is_behind
        course.take(*tape.write(an_entry(500, "2_0")))
        await until(lambda: len(ears.ends) == 501)
        assert course.where() == (tape.end, [])
    for rest in range(7):
        order = [number_of(one) for one in app.requests if number_of(one) % 7 == rest]
        assert [one for one in order if one < 500] == list(range(rest, 500, 7))
    assert len(app.requests) == 501


async def test_bodies_beyond_what_memory_may_hold_are_read_when_it_is_their_turn(
    app: "App", ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 10_000)
    app.gate = asyncio.Event()
    async with a_course(app.url, ears, tape.source) as course:
        for number in range(50):
            course.take(*tape.write(an_entry(number, pad="x" * 1000)))
        await app.wait_for(lambda: len(app.requests) == 1)
        assert course._bytes <= 10_000
        app.gate.set()
        await until(lambda: course.left == 0)
    assert [number_of(one) for one in app.requests] == list(range(50))
    assert all(len(one.body) > 1000 for one in app.requests)
    assert course._bytes == 0


async def test_without_a_capture_what_finds_memory_full_is_counted_as_lost(
    app: "App", ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ITEMS", 5)
    app.gate = asyncio.Event()
    async with a_course(app.url, ears) as course:
        for number in range(9):
            course.take(an_entry(number), 0, 1)
        assert course.figures.lost == 4
        app.gate.set()
        await until(lambda: course.left == 0)
    assert len(app.requests) == 5


async def test_what_is_not_on_the_disk_yet_is_waited_for(
    app: "App", ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ITEMS", 2)
    monkeypatch.setattr(module, "_DISK_S", 0.01)
    app.gate = asyncio.Event()
    lines = [write_line(an_entry(number)) for number in range(6)]
    async with a_course(app.url, ears, tape.source) as course:
        start = 0
        for number, line in enumerate(lines):
            if number < 3:
                os.write(tape.file.fileno(), line)
            course.take(an_entry(number), start, len(line))
            start += len(line)
        app.gate.set()
        await until(lambda: len(ears.ends) == 3)
        assert course.is_behind
        os.write(tape.file.fileno(), b"".join(lines[3:]))
        await until(lambda: len(ears.ends) == 6)
    assert [number_of(one) for one in app.requests] == list(range(6))


async def test_a_capture_that_was_changed_meanwhile_is_a_failure_and_no_crash(
    app: "App", ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 0)
    app.gate = asyncio.Event()
    async with a_course(app.url, ears, tape.source, width=1) as course:
        for number in range(3):
            course.take(*tape.write(an_entry(number)))
        await app.wait_for(lambda: len(app.requests) == 1)
        os.ftruncate(tape.file.fileno(), 0)
        app.gate.set()
        await until(lambda: course.left == 0)
    assert course.figures.failed == 2


# Asked.


async def test_one_that_is_asked_for_gets_the_app_s_answer(app: "App", ears: Ears) -> None:
    app.answer = failure(418)
    async with a_course(app.url, ears) as course:
        outcome = await course.ask(an_entry(0))
    assert (outcome.status, len(app.requests), course.figures.failed) == (418, 1, 1)


async def test_one_that_is_asked_for_in_vain_is_late_also_when_it_waited_for_its_turn(
    app: "App", ears: Ears
) -> None:
    app.silent = True
    async with a_course(app.url, ears, timeout_s=0.2) as course:
        outcomes = await asyncio.gather(*(course.ask(an_entry(number)) for number in range(5)))
    assert [(one.status, one.kind) for one in outcomes] == [(None, "late")] * 5
    assert len(app.requests) < 5


# The end, and calm.


async def test_the_end_waits_for_what_is_on_its_way_and_not_for_what_must_wait(
    app: "App", ears: Ears
) -> None:
    app.answers = lambda request: failure(503) if number_of(request) == 0 else OK
    async with a_course(app.url, ears, schedule=Schedule(600, 600)) as course:
        for number in range(10):
            course.take(an_entry(number, f"2_{min(number, 1)}"), number, 1)
        async with asyncio.timeout(5):
            await course.finish(60)
        assert course.where() == (10, [0])
    assert course.figures.sent == 9


async def test_while_many_are_answered_sending_is_slow_and_afterwards_it_is_not() -> None:
    calm = Throttle()
    await calm.wait()
    calm._since_s -= 0.06
    calm.note(200)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(20):
        await calm.wait()
    assert loop.time() - begun >= 0.015
    calm._since_s -= 1
    calm._free_s += 3600
    async with asyncio.timeout(1):
        await calm.wait()


# Bugs of ours.


@pytest.fixture
def broken_ears(ears: Ears) -> Iterator[Ears]:
    """Ears that are told of bugs; the test takes out those it expects."""
    yield ears
    assert [type(bug) for bug in ears.bugs] == [ZeroDivisionError]
    ears.bugs.clear()


def an_entry_at(number: int, session: str = "2_A") -> Entry:
    return Entry(replace(an_entry(number, session).delivery, path=f"/{number}"))


def fails_for(course: TargetWorker, number: int) -> None:
    def inner(path: str) -> str:
        if path == f"/{number}":
            raise ZeroDivisionError
        return path

    course.inner_path = inner


async def test_a_bug_gives_up_its_delivery_and_those_behind_it_are_sent(
    app: "App", broken_ears: Ears
) -> None:
    async with a_course(app.url, broken_ears, width=1) as course:
        fails_for(course, 1)
        for number in range(6):
            course.take(an_entry_at(number, f"2_{number % 2}"), number, 1)
        await until(lambda: course.left == 0)
    assert sorted(number_of(one) for one in app.requests) == [0, 2, 3, 4, 5]
    assert (course.figures.sent, course.figures.failed) == (5, 1)
    assert (course.own.failed, course.own.gave_up) == ([1], True)


async def test_a_bug_is_raised_where_somebody_waits_for_the_answer(app: "App", ears: Ears) -> None:
    async with a_course(app.url, ears, width=1) as course:
        fails_for(course, 1)
        with pytest.raises(ZeroDivisionError):
            await course.ask(an_entry_at(1))
        assert (await course.ask(an_entry_at(2))).status == 200


async def test_a_line_that_a_bug_hits_is_given_up_and_those_behind_it_are_read_back(
    app: "App", broken_ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(line: bytes) -> Entry:
        if b'"n":3' in line or b'"n": 3' in line:
            raise ZeroDivisionError
        return read_line(line)

    monkeypatch.setattr("vmon.forward.worker._MOST_ITEMS", 2)
    monkeypatch.setattr("vmon.forward.worker.read_line", failing)
    async with a_course(app.url, broken_ears, tape.source) as course:
        starts = []
        for number in range(8):
            taken = tape.write(an_entry(number))
            starts.append(taken[1])
            course.take(*taken)
        await until(lambda: course.left == 0 and not course.is_behind)
    assert [number_of(one) for one in app.requests] == [0, 1, 2, 4, 5, 6, 7]
    assert tape.source.failed == [starts[3]]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ZeroDivisionError()])
async def test_a_capture_that_cannot_be_read_for_a_while_is_read_again(
    app: "App", ears: Ears, tape: Tape, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    left = [error, error]
    whole = backlog.BacklogReader.lines

    def failing(self: backlog.BacklogReader, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        if left:
            raise left.pop()
        return whole(self, start, end)

    monkeypatch.setattr("vmon.forward.worker._MOST_ITEMS", 2)
    monkeypatch.setattr("vmon.forward.worker._DISK_S", 0.01)
    monkeypatch.setattr(backlog.BacklogReader, "lines", failing)
    async with a_course(app.url, ears, tape.source) as course:
        for number in range(8):
            course.take(*tape.write(an_entry(number)))
        await until(lambda: course.left == 0 and not course.is_behind)
    assert [number_of(one) for one in app.requests] == list(range(8))
    if isinstance(error, OSError):
        assert ears.said == ["the capture cannot be read: Input/output error; trying again"]
    else:
        assert ears.bugs == [error, error]
        ears.bugs.clear()
