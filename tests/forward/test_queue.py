import asyncio
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.forwarding import Recorder, Tape, a_worker, number_of, numbered
from tests.support.waiting import until
from vmon.capture.codec import read_line, write_line
from vmon.events.entry import Entry
from vmon.forward import backlog
from vmon.forward import queue as module

if TYPE_CHECKING:
    from tests.support.app_server import App


async def test_what_finds_memory_full_is_read_back_in_its_order(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_DELIVERIES", 20)
    monkeypatch.setattr(module, "_BATCH", 3)
    app.gate = asyncio.Event()
    async with a_worker(app.url, recorder, tape.cursor) as worker:
        for number in range(500):
            worker.take(*tape.write(numbered(number, f"2_{number % 7}")))
        await app.wait_for(lambda: len(app.requests) == 4)
        assert (worker.queue.sessions.waiting, worker.queue.is_behind) == (20, True)
        upto, pending = worker.queue.position()
        assert len(pending) == 20
        assert pending[-1] < upto < tape.end
        app.gate.set()
        await until(lambda: len(recorder.ends) == 500)
        assert not worker.queue.is_behind
        worker.take(*tape.write(numbered(500, "2_0")))
        await until(lambda: len(recorder.ends) == 501)
        assert worker.queue.position() == (tape.end, [])
    for rest in range(7):
        order = [number_of(one) for one in app.requests if number_of(one) % 7 == rest]
        assert [one for one in order if one < 500] == list(range(rest, 500, 7))
    assert len(app.requests) == 501


async def test_bodies_beyond_what_memory_may_hold_are_read_when_it_is_their_turn(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 10_000)
    app.gate = asyncio.Event()
    async with a_worker(app.url, recorder, tape.cursor) as worker:
        for number in range(50):
            worker.take(*tape.write(numbered(number, pad="x" * 1000)))
        await app.wait_for(lambda: len(app.requests) == 1)
        assert worker.queue.sessions.size <= 10_000
        app.gate.set()
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert [number_of(one) for one in app.requests] == list(range(50))
    assert all(len(one.body) > 1000 for one in app.requests)
    assert worker.queue.sessions.size == 0


async def test_without_a_capture_what_finds_memory_full_is_counted_as_lost(
    app: "App", recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_DELIVERIES", 5)
    app.gate = asyncio.Event()
    async with a_worker(app.url, recorder) as worker:
        for number in range(9):
            worker.take(numbered(number), 0, 1)
        assert worker.queue.lost == 4
        app.gate.set()
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert len(app.requests) == 5


async def test_what_is_not_on_the_disk_yet_is_waited_for(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_DELIVERIES", 2)
    monkeypatch.setattr(module, "_DISK_S", 0.01)
    app.gate = asyncio.Event()
    lines = [write_line(numbered(number)) for number in range(6)]
    async with a_worker(app.url, recorder, tape.cursor) as worker:
        start = 0
        for number, line in enumerate(lines):
            if number < 3:
                os.write(tape.file.fileno(), line)
            worker.take(numbered(number), start, len(line))
            start += len(line)
        app.gate.set()
        await until(lambda: len(recorder.ends) == 3)
        assert worker.queue.is_behind
        os.write(tape.file.fileno(), b"".join(lines[3:]))
        await until(lambda: len(recorder.ends) == 6)
    assert [number_of(one) for one in app.requests] == list(range(6))


async def test_a_capture_that_was_changed_meanwhile_is_a_failure_and_no_crash(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_BYTES", 0)
    app.gate = asyncio.Event()
    async with a_worker(app.url, recorder, tape.cursor, width=1) as worker:
        for number in range(3):
            worker.take(*tape.write(numbered(number)))
        await app.wait_for(lambda: len(app.requests) == 1)
        os.ftruncate(tape.file.fileno(), 0)
        app.gate.set()
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert worker.stats.failed == 2


async def test_a_line_that_a_bug_hits_is_given_up_and_those_behind_it_are_read_back(
    app: "App", broken_recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(line: bytes) -> Entry:
        if b'"n":3' in line or b'"n": 3' in line:
            raise ZeroDivisionError
        return read_line(line)

    monkeypatch.setattr("vmon.forward.queue._MAX_DELIVERIES", 2)
    monkeypatch.setattr("vmon.forward.queue.read_line", failing)
    monkeypatch.setattr("vmon.forward.queued.read_line", failing)
    async with a_worker(app.url, broken_recorder, tape.cursor) as worker:
        starts = []
        for number in range(8):
            taken = tape.write(numbered(number))
            starts.append(taken[1])
            worker.take(*taken)
        await until(lambda: worker.queue.is_empty)
    assert [number_of(one) for one in app.requests] == [0, 1, 2, 4, 5, 6, 7]
    assert tape.cursor.failed == [starts[3]]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ZeroDivisionError()])
async def test_a_capture_that_cannot_be_read_for_a_while_is_read_again(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    left = [error, error]
    whole = backlog.BacklogReader.lines

    def failing(self: backlog.BacklogReader, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        if left:
            raise left.pop()
        return whole(self, start, end)

    monkeypatch.setattr("vmon.forward.queue._MAX_DELIVERIES", 2)
    monkeypatch.setattr("vmon.forward.queue._DISK_S", 0.01)
    monkeypatch.setattr(backlog.BacklogReader, "lines", failing)
    async with a_worker(app.url, recorder, tape.cursor) as worker:
        for number in range(8):
            worker.take(*tape.write(numbered(number)))
        await until(lambda: worker.queue.is_empty)
    assert [number_of(one) for one in app.requests] == list(range(8))
    if isinstance(error, OSError):
        assert recorder.notices == ["the capture cannot be read: Input/output error; trying again"]
    else:
        assert recorder.bugs == [error, error]
        recorder.bugs.clear()


async def test_after_the_end_nothing_is_read_back(
    app: "App", recorder: Recorder, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_DELIVERIES", 2)
    monkeypatch.setattr(module, "_DISK_S", 3600)
    lines = [write_line(numbered(number)) for number in range(6)]
    async with a_worker(app.url, recorder, tape.cursor) as worker:
        os.write(tape.file.fileno(), b"".join(lines[:3]))
        for number, line in enumerate(lines):
            worker.take(numbered(number), sum(map(len, lines[:number])), len(line))
        await until(lambda: worker.queue._disk is not None)
        timers = [worker.queue._disk]
        worker.queue.refill_soon()
        await until(lambda: worker.queue._disk is not timers[0])
        timers.append(worker.queue._disk)
        assert [timer and timer.cancelled() for timer in timers] == [True, False]
        await worker.finish(0)
    assert [timer and timer.cancelled() for timer in timers] == [True, True]
    os.write(tape.file.fileno(), b"".join(lines[3:]))
    waiting = worker.queue.sessions.waiting
    worker.queue.refill_soon()
    for _ in range(3):
        await asyncio.sleep(0)  # a turn of the event loop
    assert (worker.queue.is_behind, worker.queue.sessions.waiting) == (True, waiting)
