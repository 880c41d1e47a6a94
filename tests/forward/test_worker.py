import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.support.forwarding import (
    OK,
    Recorder,
    a_worker,
    failure,
    number_of,
    numbered,
)
from tests.support.waiting import until
from vmon.events.entry import Entry
from vmon.events.redelivery import Schedule
from vmon.forward.retry import NEVER
from vmon.forward.worker import TargetWorker, Throttle

if TYPE_CHECKING:
    from tests.support.app_server import App, Request


async def test_each_delivery_is_sent_once_in_the_order_of_its_session(
    app: "App", recorder: Recorder
) -> None:
    async with a_worker(app.url, recorder) as worker:
        for number in range(60):
            worker.take(numbered(number, f"2_{number % 3}"), number, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    for rest in range(3):
        order = [number_of(one) for one in app.requests if number_of(one) % 3 == rest]
        assert order == list(range(rest, 60, 3))
    assert worker.stats.sent == 60
    assert sorted(worker.queue.own.done) == list(range(60))


async def test_other_types_are_not_taken_and_count_as_passed(
    app: "App", recorder: Recorder
) -> None:
    async with a_worker(app.url, recorder, types=frozenset({"archive"})) as worker:
        worker.take(numbered(1), 0, 100)
    assert (app.requests, worker.queue.position()) == ([], (100, []))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_failure_that_may_pass_holds_back_its_session_and_no_other(
    app: "App", recorder: Recorder, status: int
) -> None:
    failing = True

    def answers(request: "Request") -> bytes:
        return failure(status) if failing and number_of(request) == 0 else OK

    app.answers = answers
    async with a_worker(app.url, recorder) as worker:
        for number in range(6):
            worker.take(numbered(number, f"2_{number % 2}"), number, 1)
        await until(lambda: len(recorder.ends) == 3 and worker.stats.retried >= 2)
        assert {number for number, _, _ in recorder.ends} == {1, 3, 5}
        assert [number_of(one) for one in app.requests if number_of(one) in {2, 4}] == []
        failing = False
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert [number for number, _, _ in recorder.ends if number % 2 == 0] == [0, 2, 4]
    assert worker.stats.failed == 0
    first, last = (
        one
        for one in recorder.results
        if one.entry.delivery.body == numbered(0, "2_0").delivery.body
    )
    assert (first.attempts, first.again_s is not None) == (1, True)
    assert (last.attempts > 2, last.again_s, last.outcome.ok) == (True, None, True)


@pytest.mark.parametrize("status", [301, 400, 404, 422])
async def test_what_an_app_does_not_want_is_given_up_at_once_and_the_next_comes(
    app: "App", recorder: Recorder, status: int
) -> None:
    app.answers = lambda request: failure(status) if number_of(request) == 0 else OK
    async with a_worker(app.url, recorder) as worker:
        worker.take(numbered(0), 0, 1)
        worker.take(numbered(1), 1, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert recorder.ends == [(0, status, 1), (1, 200, 1)]
    assert (worker.queue.own.failed, worker.queue.own.done, worker.queue.own.gave_up) == (
        [0],
        [1],
        True,
    )


async def test_a_failure_is_told_again_when_it_has_changed(app: "App", recorder: Recorder) -> None:
    statuses = iter([503, 503, 500, 500, 429])
    app.answers = lambda _request: failure(status) if (status := next(statuses, None)) else OK
    async with a_worker(app.url, recorder) as worker:
        worker.take(numbered(0), 0, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    told = [(result.outcome.status, result.attempts) for result in recorder.results]
    assert told == [(503, 1), (500, 3), (429, 5), (200, 6)]


async def test_a_session_that_waits_long_for_its_first_delivery_is_told_a_way_out_once(
    app: "App", recorder: Recorder
) -> None:
    app.answers = lambda request: failure(500) if number_of(request) < 2 else OK
    async with a_worker(app.url, recorder) as worker:
        for number in range(4):
            worker.take(numbered(number), number, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    name = worker.route.target.name
    assert recorder.notices == [
        f"{name}: 3 deliveries wait behind one that fails (500); --retry none goes on without it"
    ]


async def test_without_retries_what_fails_is_given_up_and_the_next_is_sent_at_once(
    app: "App", recorder: Recorder, free_port: int
) -> None:
    app.answers = lambda request: failure(503) if number_of(request) == 0 else OK
    async with a_worker(app.url, recorder, schedule=NEVER, retrying=False) as worker:
        for number in range(3):
            worker.take(numbered(number), number, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert recorder.ends == [(0, 503, 1), (1, 200, 1), (2, 200, 1)]
    assert worker.queue.own.failed == [0]
    recorder.results.clear()
    gone = f"http://127.0.0.1:{free_port}"
    async with a_worker(gone, recorder, schedule=NEVER, retrying=False) as worker:
        for number in range(3):
            worker.take(numbered(number), number, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert recorder.ends == [(0, None, 1), (1, None, 1), (2, None, 1)]
    assert worker.queue.own.failed == [0, 1, 2]


async def test_an_app_that_goes_on_failing_is_given_up_after_some_attempts(
    app: "App", recorder: Recorder
) -> None:
    app.answers = lambda request: failure(500) if number_of(request) == 0 else OK
    async with a_worker(app.url, recorder, schedule=Schedule(0.001, 0.002, answers=4)) as worker:
        worker.take(numbered(0), 0, 1)
        worker.take(numbered(1), 1, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert recorder.ends == [(0, 500, 4), (1, 200, 1)]
    assert worker.stats.retried == 3


async def test_a_retry_after_is_honoured(app: "App", recorder: Recorder) -> None:
    app.answer = failure(503, "Retry-After: 120\r\n")
    async with a_worker(app.url, recorder) as worker:
        worker.take(numbered(0), 0, 1)
        await until(lambda: len(recorder.results) == 1)
    assert recorder.results[0].again_s == 120
    assert worker.queue.position() == (1, [0])


@pytest.mark.parametrize("kind", ["closes", "resets", "is late"])
async def test_a_cut_or_late_answer_is_asked_for_again(
    app: "App", recorder: Recorder, kind: str
) -> None:
    app.answer, app.reset, app.silent = b"", kind == "resets", kind == "is late"
    async with a_worker(app.url, recorder, timeout_s=0.2 if kind == "is late" else 10) as worker:
        worker.take(numbered(0), 0, 1)
        await until(lambda: len(app.requests) >= 2)
        app.answer, app.reset, app.silent = OK, False, False
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert recorder.ends[0][1] == 200
    assert recorder.results[0].outcome.status is None


async def test_one_that_is_asked_for_gets_the_app_s_answer(app: "App", recorder: Recorder) -> None:
    app.answer = failure(418)
    async with a_worker(app.url, recorder) as worker:
        outcome = await worker.ask(numbered(0))
    assert (outcome.status, len(app.requests), worker.stats.failed) == (418, 1, 1)


async def test_one_that_is_asked_for_in_vain_is_late_also_when_it_waited_for_its_turn(
    app: "App", recorder: Recorder
) -> None:
    app.silent = True
    async with a_worker(app.url, recorder, timeout_s=0.2) as worker:
        outcomes = await asyncio.gather(*(worker.ask(numbered(number)) for number in range(5)))
    assert [(one.status, one.kind) for one in outcomes] == [(None, "late")] * 5
    assert len(app.requests) < 5


async def test_the_end_waits_for_what_is_on_its_way_and_not_for_what_must_wait(
    app: "App", recorder: Recorder
) -> None:
    app.answers = lambda request: failure(503) if number_of(request) == 0 else OK
    async with a_worker(app.url, recorder, schedule=Schedule(600, 600)) as worker:
        for number in range(10):
            worker.take(numbered(number, f"2_{min(number, 1)}"), number, 1)
        async with asyncio.timeout(5):
            await worker.finish(60)
        assert worker.queue.position() == (10, [0])
    assert worker.stats.sent == 9


async def test_while_many_are_answered_sending_is_slow_and_afterwards_it_is_not() -> None:
    throttle = Throttle()
    await throttle.wait()
    throttle._since_s -= 0.06
    throttle.note(200)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for _ in range(20):
        await throttle.wait()
    assert loop.time() - begun >= 0.015
    throttle._since_s -= 1
    throttle._free_s += 3600
    async with asyncio.timeout(1):
        await throttle.wait()


def numbered_at(number: int, session: str = "2_A") -> Entry:
    return Entry(replace(numbered(number, session).delivery, path=f"/{number}"))


def fails_for(worker: TargetWorker, number: int) -> None:
    def inner(path: str) -> str:
        if path == f"/{number}":
            raise ZeroDivisionError
        return path

    worker.inner_path = inner


async def test_a_bug_gives_up_its_delivery_and_those_behind_it_are_sent(
    app: "App", broken_recorder: Recorder
) -> None:
    async with a_worker(app.url, broken_recorder, width=1) as worker:
        fails_for(worker, 1)
        for number in range(6):
            worker.take(numbered_at(number, f"2_{number % 2}"), number, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
    assert sorted(number_of(one) for one in app.requests) == [0, 2, 3, 4, 5]
    assert (worker.stats.sent, worker.stats.failed) == (5, 1)
    assert (worker.queue.own.failed, worker.queue.own.gave_up) == ([1], True)


async def test_a_bug_is_raised_where_somebody_waits_for_the_answer(
    app: "App", recorder: Recorder
) -> None:
    async with a_worker(app.url, recorder, width=1) as worker:
        fails_for(worker, 1)
        with pytest.raises(ZeroDivisionError):
            await worker.ask(numbered_at(1))
        assert (await worker.ask(numbered_at(2))).status == 200
