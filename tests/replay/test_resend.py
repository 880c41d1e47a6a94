import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.forwarding import failure, number_of, numbered
from tests.support.journals import begun
from vmon.capture.codec import write_line
from vmon.events.delivery import Delivery
from vmon.events.entry import Entry
from vmon.forward.client import Outcome
from vmon.forward.journal import JournalLine, read_progress
from vmon.forward.leftovers import LeftJournal, open_journal
from vmon.forward.targets import target_of
from vmon.replay import resend as module
from vmon.replay.resend import Resend, ResendCallbacks
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from tests.support.app_server import App

Left = Callable[[], LeftJournal]


def delivery_of(entry: Entry) -> Delivery:
    return entry.delivery


@pytest.fixture
def left(tmp_path: Path) -> LeftJournal:
    """Six deliveries that a run left: the first sent, the second given up."""
    lines = [write_line(numbered(number)) for number in range(6)]
    journal = begun(tmp_path)
    journal.begin(lines[0], 0)
    journal.capture.write_bytes(b"".join(lines))
    journal.write([JournalLine(done=(0,), failed=(len(lines[0]),))])
    journal.close(keep=True)
    left = open_journal(journal.path)
    assert left
    return left


async def resend(left: LeftJournal, app: "App", chosen: Filter | None = None) -> list[int | None]:
    """Send again what the first target has still to get; the statuses."""
    statuses: list[int | None] = []

    def note(_entry: Entry, outcome: Outcome) -> None:
        statuses.append(outcome.status)

    def run() -> None:
        again = Resend(left, 0)
        deliveries = again.deliveries(chosen or Filter())
        again.send(target_of(app.url), 4, deliveries, ResendCallbacks(delivery_of, note))

    await asyncio.to_thread(run)
    return statuses


async def test_accepted_deliveries_are_no_longer_left_and_rejected_ones_are(
    left: LeftJournal, app: "App"
) -> None:
    app.answers = lambda request: failure(500) if number_of(request) == 3 else app.answer
    assert await resend(left, app) == [200, 200, 500, 200, 200]
    assert [number_of(request) for request in app.requests] == [1, 2, 3, 4, 5]
    line = left.journal.segments.read(left.starts(0)[0], 1 << 16)
    assert (len(left.starts(0)), b'"n": 3' in line.replace(b'\\"', b'"')) == (1, True)
    left.journal.close(keep=False)


async def test_accepted_deliveries_are_written_before_all_are_sent(
    left: LeftJournal, app: "App", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    written: list[int] = []

    def answers(_request: object) -> bytes:
        written.append(len(read_progress(left.journal.path, 2)[0].done))
        return app.answer

    app.answers = answers
    await resend(left, app)
    assert written[0] == 2  # as the run itself left it
    assert written[-1] > written[0]
    left.journal.close(keep=False)


async def test_a_filter_leaves_what_it_does_not_let_through(left: LeftJournal, app: "App") -> None:
    assert await resend(left, app, Filter(session=("2_Z",))) == []
    assert len(left.starts(0)) == 5
    left.journal.close(keep=False)
