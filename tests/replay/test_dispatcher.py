import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_entry
from vmon.errors import WrongUse
from vmon.events.entry import Entry
from vmon.forward.client import Outcome
from vmon.forward.targets import target_of
from vmon.replay import dispatcher
from vmon.replay.dispatcher import Sender
from vmon.replay.schedule import ScheduledDelivery

if TYPE_CHECKING:
    from tests.support.app_server import App, Request

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def due(number: int, session: str | None = None, at_s: float = 0.0) -> ScheduledDelivery:
    body = json.dumps({"sessionId": session, "n": number}).encode()
    entry = make_entry(body, id=str(number), received_at=NOW, headers=(), remote=None)
    return ScheduledDelivery(at_s, entry, b"", 0.0)


def said(request: "Request") -> tuple[str | None, int]:
    body = json.loads(request.body)
    return body["sessionId"], body["n"]


class Told:
    def __init__(self) -> None:
        self.outcomes: list[tuple[str, int | None]] = []

    def __call__(self, entry: Entry, outcome: Outcome) -> None:
        self.outcomes.append((entry.delivery.id, outcome.status))


async def send(
    app: "App",
    dues: Iterable[ScheduledDelivery],
    concurrency: int,
    told: Callable[[Entry, Outcome], None] | None = None,
) -> None:
    """Send it all, in a time that is long enough."""
    async with asyncio.timeout(20):
        await Sender(target_of(app.url), concurrency, told or Told()).send_all(dues)


async def test_each_entry_is_sent_once_and_noted_with_its_outcome(app: "App") -> None:
    told = Told()
    await send(app, (due(number, str(number % 3)) for number in range(30)), 4, told)
    assert sorted(said(one)[1] for one in app.requests) == list(range(30))
    assert sorted(told.outcomes) == sorted((str(number), 200) for number in range(30))


async def test_sessions_go_side_by_side_and_each_in_its_own_order(app: "App") -> None:
    app.gate = asyncio.Event()
    dues = [due(number, "ABC"[number % 3]) for number in range(60)]
    sending = asyncio.ensure_future(send(app, dues, 8))
    await app.wait_for(lambda: app.running == 3)
    assert [said(one) for one in app.requests] == [("A", 0), ("B", 1), ("C", 2)]
    app.gate.set()
    await sending
    assert app.most_running == 3
    for session in "ABC":
        order = [number for of, number in map(said, app.requests) if of == session]
        assert order == sorted(order)
        assert len(order) == 20


async def test_no_more_sessions_are_sent_in_parallel_than_the_concurrency(app: "App") -> None:
    app.gate = asyncio.Event()
    dues = [due(number, str(number)) for number in range(20)]
    sending = asyncio.ensure_future(send(app, dues, 4))
    await app.wait_for(lambda: app.running == 4)
    app.gate.set()
    await sending
    assert app.most_running == 4
    assert len(app.requests) == 20


async def test_one_session_alone_is_never_two_at_a_time(app: "App") -> None:
    await send(app, (due(number, "A") for number in range(40)), 16)
    assert app.most_running == 1
    assert [said(one)[1] for one in app.requests] == list(range(40))


async def test_what_has_no_session_keeps_its_order_too(app: "App") -> None:
    await send(app, (due(number) for number in range(40)), 16)
    assert app.most_running == 1
    assert [said(one)[1] for one in app.requests] == list(range(40))


async def test_a_session_that_is_stuck_does_not_hold_the_others(app: "App") -> None:
    app.gate = asyncio.Event()
    app.held = lambda request: said(request)[0] == "stuck"
    dues = [due(number, "stuck" if number < 5 else "free") for number in range(10)]
    sending = asyncio.ensure_future(send(app, dues, 2))
    await app.wait_for(lambda: len(app.requests) == 6)
    assert {said(one) for one in app.requests} == {
        ("stuck", 0),
        *(("free", number) for number in range(5, 10)),
    }
    app.gate.set()
    await sending
    assert [said(one)[1] for one in app.requests][-4:] == [1, 2, 3, 4]


async def test_a_failure_does_not_stop_what_comes_after_it(app: "App") -> None:
    app.answers = lambda request: (
        b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (500 if said(request)[1] == 1 else 200)
    )
    told = Told()
    await send(app, (due(number, "A") for number in range(4)), 4, told)
    assert told.outcomes == [("0", 200), ("1", 500), ("2", 200), ("3", 200)]


async def test_reading_waits_for_the_app(app: "App", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "_MAX_WAITING", 10)
    app.gate = asyncio.Event()
    read = []

    def dues() -> Iterator[ScheduledDelivery]:
        for number in range(500):
            read.append(number)
            yield due(number, str(number % 7))

    sending = asyncio.ensure_future(send(app, dues(), 4))
    await app.wait_for(lambda: app.running == 4)
    assert len(read) <= 11
    app.gate.set()
    await sending
    assert len(read) == len(app.requests) == 500


async def test_entries_are_sent_when_they_are_due(
    app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []

    async def sleep(wait: float) -> None:
        waits.append(wait)

    monkeypatch.setattr("vmon.replay.dispatcher.asyncio.sleep", sleep)
    dues = [due(0, "A", 0.0), due(1, "A", 100.0), due(2, "B", 100.0), due(3, "A", 350.5)]
    await send(app, dues, 4)
    assert waits == pytest.approx([100.0, 100.0, 350.5], abs=5)
    assert len(app.requests) == 4


async def test_an_error_in_the_outcome_callback_stops_it(app: "App") -> None:
    def told(_entry: Entry, _outcome: Outcome) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await send(app, (due(number, "A") for number in range(100)), 4, told)
    assert len(app.requests) < 100


async def test_what_was_read_of_a_source_is_sent_before_it_is_raised_that_it_broke(
    app: "App",
) -> None:
    def broken() -> Iterator[ScheduledDelivery]:
        for number in range(20):
            yield due(number, "AB"[number % 2])
        raise WrongUse("it breaks off")

    told = Told()
    with pytest.raises(WrongUse, match="it breaks off"):
        await send(app, broken(), 4, told)
    assert (len(told.outcomes), len(app.requests)) == (20, 20)


async def test_nothing_to_send_is_no_trouble(app: "App") -> None:
    told = Told()
    await send(app, [], 4, told)
    assert (told.outcomes, app.requests) == ([], [])
