import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.forwarding import QUICK, Recorder, Tape, a_worker, number_of, numbered
from tests.support.waiting import until
from vmon.events.redelivery import LIKE_VONAGE, Schedule
from vmon.forward import health as module
from vmon.forward.backlog import JournalCursor
from vmon.forward.client import Outcome
from vmon.forward.health import Prober, TargetHealth
from vmon.forward.listener import TargetBack, TargetDown
from vmon.forward.queue import TargetQueue

if TYPE_CHECKING:
    from tests.support.app_server import App


async def test_an_app_that_is_down_is_told_once_and_told_when_it_is_back(
    app: "App", recorder: Recorder, free_port: int
) -> None:
    async with a_worker(f"http://127.0.0.1:{free_port}", recorder) as worker:
        for number in range(40):
            worker.take(numbered(number, f"2_{number % 8}"), number, 1)
        await until(lambda: worker.stats.retried > 10)
        where = f"127.0.0.1:{free_port}"
        problem = f"connection refused: nothing is listening on {where}"
        assert recorder.health == [TargetDown(where, problem, retrying=True)]
        assert recorder.results == []
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        await until(lambda: worker.queue.sessions.waiting == 0)
        back.close()
    assert len(recorder.health) == 2
    event = recorder.health[1]
    assert isinstance(event, TargetBack)
    assert (event.target, event.waiting, event.more) == (where, 40, False)
    assert 0 < event.after_s < 10
    for rest in range(8):
        order = [number_of(one) for one in app.requests if number_of(one) % 8 == rest]
        assert order == list(range(rest, 40, 8))
    app.close()


async def test_an_app_that_is_down_is_asked_by_one_delivery_at_a_time(
    recorder: Recorder, free_port: int
) -> None:
    slow = Schedule(0.1, 0.1, 0.0)
    async with a_worker(f"http://127.0.0.1:{free_port}", recorder, schedule=slow) as worker:
        for number in range(100):
            worker.take(numbered(number, f"2_{number}"), number, 1)
        await until(lambda: worker.stats.retried >= 4 + 2)
        assert worker.stats.retried <= 4 + 4  # 4 were on their way when it was found to be down


async def test_a_new_delivery_tries_an_app_that_was_down_without_waiting_for_long(
    app: "App", recorder: Recorder, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IMPATIENT_S", 0.0)
    patient = Schedule(600, 600)
    async with a_worker(f"http://127.0.0.1:{free_port}", recorder, schedule=patient) as worker:
        worker.take(numbered(0), 0, 1)
        await until(lambda: len(recorder.health) == 1)
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        worker.take(numbered(1, "2_B"), 1, 1)
        await until(lambda: worker.queue.sessions.waiting == 0)
        back.close()
    assert sorted(number for number, _, _ in recorder.ends) == [0, 1]
    app.close()


async def test_like_vonage_nothing_is_tried_before_its_time(
    app: "App", recorder: Recorder, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IMPATIENT_S", 0.0)
    url = f"http://127.0.0.1:{free_port}"
    async with a_worker(url, recorder, schedule=LIKE_VONAGE) as worker:
        worker.take(numbered(0), 0, 1)
        await until(lambda: len(recorder.health) == 1)
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        worker.take(numbered(1, "2_B"), 1, 1)
        await worker.finish(0.2)
        back.close()
    assert app.requests == []
    assert worker.queue.position() == (2, [0, 1])


BROKEN = Outcome(None, 0.1, "closed", kind="broken")


async def test_a_target_counts_as_down_after_three_failures_in_a_row(recorder: Recorder) -> None:
    queue = TargetQueue(JournalCursor(), recorder)
    health = TargetHealth("app:80", queue, Prober(QUICK, queue), recorder)
    for outcome in (BROKEN, BROKEN, Outcome(500, 0.1), BROKEN, BROKEN):
        health.note_outcome("2_A", outcome)
    assert (health.is_down, recorder.health) == (False, [])
    health.note_outcome("2_A", BROKEN)
    health.note_outcome("2_A", BROKEN)
    assert (health.is_down, recorder.health) == (
        True,
        [TargetDown("app:80", "closed", retrying=True)],
    )


async def test_where_somebody_waits_for_the_answer_it_is_not_said_that_it_is_sent_again(
    recorder: Recorder,
) -> None:
    queue = TargetQueue(JournalCursor(), recorder)
    health = TargetHealth("app:80", queue, Prober(QUICK, queue), recorder)
    health.retrying = False
    health.note_outcome("2_A", Outcome(None, 0.1, "refused", kind="unreachable"))
    assert recorder.health == [TargetDown("app:80", "refused", retrying=False)]


async def test_a_target_that_is_down_holds_all_sessions_but_the_one_that_asks(
    recorder: Recorder,
) -> None:
    queue = TargetQueue(JournalCursor(), recorder)
    prober = Prober(Schedule(0.0, 0.0, 0.0), queue)
    health = TargetHealth("app:80", queue, prober, recorder)
    health.note_outcome(None, Outcome(None, 0.1, "refused", kind="unreachable"))
    for session in ("2_A", "2_B", None):
        assert health.must_hold(session)
        prober.hold(session)
        prober.probe_later()
    assert await asyncio.wait_for(queue.sessions.next_session(), 5) == "2_A"
    assert [health.must_hold(session) for session in ("2_A", "2_B", None)] == [False, True, True]
    prober.probe_later()  # one asks already
    assert not queue.sessions.has_ready
    health.note_outcome("2_A", Outcome(200, 0.1))
    assert [await queue.sessions.next_session() for _ in range(2)] == ["2_B", None]
    assert not health.is_down


async def test_an_app_that_is_down_is_asked_on_after_a_bug_has_hit_the_one_that_asked(
    app: "App", broken_recorder: Recorder, free_port: int
) -> None:
    def broken(path: str) -> str:
        worker.inner_path = None  # the first that asks fails so, and no other
        raise ZeroDivisionError(path)

    async with a_worker(f"http://127.0.0.1:{free_port}", broken_recorder) as worker:
        for number in range(3):
            worker.take(numbered(number, f"2_{number}"), number, 1)
        await until(lambda: worker.stats.retried >= 3)
        worker.inner_path = broken
        await until(lambda: worker.stats.failed == 1)
        back = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
        await until(lambda: worker.queue.sessions.waiting == 0)
        back.close()
    assert worker.stats.sent == 2
    app.close()


async def test_an_app_that_is_down_is_asked_on_after_the_one_that_asked_cannot_be_read(
    recorder: Recorder, free_port: int, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmon.forward.queue._MAX_BYTES", 0)
    async with a_worker(f"http://127.0.0.1:{free_port}", recorder, tape.cursor) as worker:
        for number in range(3):
            worker.take(*tape.write(numbered(number, f"2_{number}")))
        await until(lambda: worker.stats.retried >= 3)
        os.ftruncate(tape.file.fileno(), 0)
        await until(lambda: worker.stats.failed == 3)
