import asyncio
import os

import pytest

from tests.support.waiting import until
from vmon.commands import stopping
from vmon.commands.stopping import Stopper
from vmon.errors import INTERRUPTED


class Recorded:
    """A stopper of so many requests in flight, and what it does."""

    def __init__(self, in_flight: int) -> None:
        self.said: list[str] = []
        self.hurried = 0
        self.last_words = 0
        self.stopper = Stopper(lambda: in_flight, self.hurry, self.said.append, self.end)

    def hurry(self) -> None:
        self.hurried += 1

    def end(self) -> None:
        self.last_words += 1
        raise OSError  # whatever fails, it ends


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes that the process would have ended with."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    return codes


async def test_the_first_signal_stops_the_second_hurries_and_the_third_exits(
    exits: list[int],
) -> None:
    run = Recorded(1)
    run.stopper.signalled()
    assert (run.stopper.stopped.is_set(), run.hurried, exits) == (True, 0, [])
    run.stopper.signalled()
    assert (run.stopper.is_hurried, run.hurried, exits) == (True, 1, [])
    run.stopper.signalled()
    assert (run.hurried, run.last_words, exits) == (1, 1, [INTERRUPTED])


async def test_a_hurried_end_that_hangs_is_cut_short(
    exits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_HURRY_S", 0.01)
    run = Recorded(1)
    run.stopper.signalled()
    run.stopper.signalled()
    await until(lambda: exits == [INTERRUPTED])


@pytest.mark.parametrize(
    ("in_flight", "said"),
    [
        (0, []),
        (1, ["finishing 1 request (Ctrl-C again to stop now)"]),
        (2, ["finishing 2 requests (Ctrl-C again to stop now)"]),
    ],
)
async def test_an_end_that_takes_long_says_what_it_waits_for(
    in_flight: int, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_SILENT_S", 0.01)
    run = Recorded(in_flight)
    with run.stopper.finishing():
        await asyncio.sleep(0.1)  # an end that takes long
    assert run.said == said


async def test_an_end_that_takes_no_time_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_SILENT_S", 0.01)
    run = Recorded(1)
    with run.stopper.finishing():
        pass
    await asyncio.sleep(0.05)  # nothing is to be said in it
    assert run.said == []
