"""A target's worker as its tests drive it: entries, who listens, a capture it reads back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.factories import make_entry
from vmon.capture.codec import write_line
from vmon.capture.segments import Segment, Segments
from vmon.events.catalogue import NAMES
from vmon.events.entry import Entry
from vmon.events.redelivery import Schedule
from vmon.forward.backlog import BacklogReader, JournalCursor
from vmon.forward.client import Client, ForwardResult
from vmon.forward.listener import TargetBack, TargetDown
from vmon.forward.targets import Route, target_of
from vmon.forward.worker import TargetWorker, WorkerSettings

if TYPE_CHECKING:
    from tests.support.app_server import Request

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RUN = "5a17c0de"
QUICK = Schedule(0.01, 0.05, 0.1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def failure(status: int, more: str = "") -> bytes:
    """An app's answer with this status; `more` are header lines."""
    return f"HTTP/1.1 {status} X\r\n{more}Content-Length: 0\r\n\r\n".encode()


def numbered(number: int, session: str | None = "2_A", **more: Any) -> Entry:
    """An entry whose body has this number."""
    body = json.dumps({"event": "streamCreated", "sessionId": session, "n": number} | more).encode()
    return make_entry(
        body,
        id=f"{number:014x}-{RUN}",
        received_at=NOW,
        path="/hook",
        headers=(),
        remote="127.0.0.1:9",
    )


def number_of(request: "Request") -> int:
    """The number in the body that an app got."""
    number: int = json.loads(request.body)["n"]
    return number


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.results: list[ForwardResult] = []
        self.health: list[TargetDown | TargetBack] = []
        self.notices: list[str] = []
        self.bugs: list[Exception] = []

    def forwarded(self, result: ForwardResult) -> None:
        self.results.append(result)

    def target_down(self, event: TargetDown) -> None:
        self.health.append(event)

    def target_back(self, event: TargetBack) -> None:
        self.health.append(event)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def bug(self, error: Exception) -> None:
        self.bugs.append(error)

    @property
    def ends(self) -> list[tuple[int, int | None, int]]:
        """Number, status and attempts of what came to an end."""
        return [
            (json.loads(result.entry.delivery.body)["n"], result.outcome.status, result.attempts)
            for result in self.results
            if result.again_s is None
        ]


class Tape:
    """A capture that is written by a test, and read back by what it tests."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b", buffering=0)
        self.end = 0
        types = frozenset(name.encode() for name in NAMES)
        reader = BacklogReader(Segments(path, [Segment("", 0)]), RUN.encode(), types)
        self.cursor = JournalCursor(reader=reader)

    def write(self, entry: Entry) -> tuple[Entry, int, int]:
        """Write an entry; with where its line begins, and its size."""
        line = write_line(entry)
        start = self.end
        self.file.write(line)
        self.end += len(line)
        return entry, start, len(line)


@asynccontextmanager
async def a_worker(  # noqa: PLR0913 - a test says what it is about
    url: str,
    recorder: Recorder,
    own: JournalCursor | None = None,
    schedule: Schedule = QUICK,
    *,
    types: frozenset[str] = frozenset(NAMES),
    timeout_s: float = 10.0,
    width: int = 4,
    retrying: bool = True,
) -> AsyncIterator[TargetWorker]:
    """A worker that sends to an app, until it has sent what it can."""
    route = Route(target_of(url, timeout_s=timeout_s), types)
    settings = WorkerSettings(schedule, recorder, retrying=retrying)
    worker = TargetWorker(route, settings, own or JournalCursor())
    async with Client(width) as client:
        worker.start(client, width)
        try:
            yield worker
        finally:  # a worker that goes on would keep the loop of a failed test from its end
            await worker.finish(5)
