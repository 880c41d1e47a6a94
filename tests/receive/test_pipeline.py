"""The road of a delivery: captured, counted, answered, published; and what goes wrong on it."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_delivery
from tests.support.waiting import until
from vmon.bugs import Bugs
from vmon.capture.codec import Outage, read_line
from vmon.capture.writer import CaptureWriter
from vmon.events.ids import Ids
from vmon.events.payload import TooLarge
from vmon.receive import pipeline as module
from vmon.receive.elements import (
    BugFound,
    CaptureRecovered,
    CaptureTrouble,
    Notice,
    Received,
    TunnelBack,
)
from vmon.receive.feed import Feed, Subscription
from vmon.receive.group_commit import GroupCommit
from vmon.receive.pipeline import Pipeline, PipelineOptions
from vmon.security.access import Guard
from vmon.security.signature import Secret, sign
from vmon.security.verifier import Verifier
from vmon.sessions.tracker import SessionTracker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.receive.elements import Element

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
BODY = b'{"event":"connectionCreated","sessionId":"2_A","connection":{"id":"c1"}}'
SECRET = Secret("mine", "s3cret-of-32-characters-at-least")
STRICT = Verifier((SECRET,), required=True)
TOKEN = "Zq3x_-0aBcDeFgHiJkLmNo"


class Disk(CaptureWriter):
    """A capture on a disk that may be full."""

    is_full = False

    def _write(self, line: bytes) -> bool:
        if self.is_full:
            self._trouble(f"{self.path.name}: No space left on device")
            return False
        return super()._write(line)


class App:
    """Who forwards: what it was offered, what files it was told of, and what the app answers."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.offered: list[tuple[Entry, int, int]] = []
        self.begun: list[tuple[bytes, int]] = []
        self.settled: list[tuple[str, int]] = []

    def begin(self, line: bytes, at: int) -> None:
        self.begun.append((line, at))

    def offer(self, entry: Entry, start: int, size: int) -> None:
        self.offered.append((entry, start, size))

    async def before_answer(self, delivery: Delivery, status: int) -> int:
        self.settled.append((delivery.id, status))
        return self.status if status == 200 else status


class Run:
    """A pipeline, and what came of it on the feed."""

    def __init__(self, options: PipelineOptions, path: Path | None, bound: int) -> None:
        self.bugs = Bugs()
        self.tracker = SessionTracker()
        self.feed = Feed(self.tracker, self._note_bug)
        self.queue = Subscription(lambda: None)
        self.feed.subscribe(self.queue)
        self.pipeline = Pipeline(options, Ids(), self.feed, self.bugs)
        if path:
            self.pipeline.capture = Disk(path, bound=bound, trouble=self.pipeline.capture_trouble)
            self.pipeline.totals.capture = path

    def _note_bug(self, error: Exception) -> None:
        self.pipeline.note_bug(error)

    @property
    def disk(self) -> Disk:
        assert isinstance(self.pipeline.capture, Disk)
        return self.pipeline.capture

    def lines(self) -> list[bytes]:
        return self.disk.path.read_bytes().splitlines(keepends=True)

    def published(self) -> list[Element]:
        self.feed.flush()
        return [self.queue.take() for _ in range(len(self.queue))]

    def received(self) -> list[Received]:
        return [element for element in self.published() if isinstance(element, Received)]


class Make:
    """Makes runs, and closes their captures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[Run] = []

    def __call__(
        self, *, capture: bool = True, verifier: Verifier | None = None, **options: Any
    ) -> Run:
        path = self._folder / f"{len(self._made)}.jsonl" if capture else None
        bound = options.pop("bound", 1 << 20)
        settings = {"max_body": 1 << 20} | options
        run = Run(PipelineOptions(verifier or Verifier(), **settings), path, bound)
        self._made.append(run)
        return run

    def close(self) -> None:
        for run in self._made:
            if run.pipeline.capture:
                run.disk.is_full = False
                run.pipeline.close()


@pytest.fixture
def runs(tmp_path: Path) -> Make:
    return Make(tmp_path)


@pytest.fixture
async def make(runs: Make) -> AsyncIterator[Make]:
    yield runs
    runs.close()


def delivery(number: int = 1, body: bytes = BODY, **changed: Any) -> Delivery:
    fields: dict[str, Any] = {"id": f"{number:06}", "path": "/hook", "remote": "127.0.0.1:1"}
    return make_delivery(body, **fields | {"received_at": NOW} | changed)


def signed(number: int, secret: Secret = SECRET) -> Delivery:
    now = time.time()
    token = sign(BODY, secret, api_key="7", now=now, jti=str(number))
    received_at = datetime.fromtimestamp(now, UTC)
    return delivery(number, headers=(("Authorization", token),), received_at=received_at)


# A delivery that is taken.


async def test_a_delivery_is_captured_counted_and_published_with_its_line(make: Make) -> None:
    run = make()
    assert run.pipeline.accept(delivery()) == 200
    (line,) = run.lines()
    assert read_line(line).delivery == delivery()
    assert run.pipeline.totals.types == {"connectionCreated": 1}
    (received,) = run.received()
    assert received.line == line
    assert received.entry.delivery == delivery()
    assert run.pipeline.totals.turned_away == 0


@pytest.mark.parametrize("writes_lines", [False, True])
async def test_without_a_capture_a_line_is_made_only_where_it_is_shown(
    make: Make, *, writes_lines: bool
) -> None:
    run = make(capture=False, writes_lines=writes_lines)
    assert run.pipeline.accept(delivery()) == 200
    (received,) = run.received()
    assert (received.line is not None) == writes_lines
    assert received.line is None or read_line(received.line).delivery == delivery()
    assert run.pipeline.totals.types == {"connectionCreated": 1}


async def test_a_body_that_unpacks_to_too_much_is_neither_captured_nor_counted(
    make: Make,
) -> None:
    run = make(max_body=1000)
    packed = delivery(body=gzip.compress(b"0" * 2000), headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(TooLarge):
        run.pipeline.accept(packed)
    assert (run.lines(), run.published(), run.pipeline.totals.types) == ([], [], {})


async def test_with_the_signature_required_what_is_not_valid_is_401_and_captured_all_the_same(
    make: Make,
) -> None:
    run, app = make(verifier=STRICT), App()
    run.pipeline.forwarding = app
    wrong = Secret("theirs", "another-secret-of-32-characters-!")
    statuses = [run.pipeline.accept(one) for one in (signed(1), signed(2, wrong), delivery(3))]
    assert statuses == [200, 401, 401]
    assert [json.loads(line)["verdict"]["kind"] for line in run.lines()] == [
        "valid",
        "invalid",
        "unsigned",
    ]
    assert run.pipeline.totals.verdicts == {"valid": 1, "invalid": 1, "unsigned": 1}
    assert run.pipeline.totals.types == {"connectionCreated": 3}
    assert len(run.received()) == 3
    assert [entry.delivery.id for entry, *_ in app.offered] == ["000001"]


async def test_the_secret_path_is_captured_and_not_shown(make: Make) -> None:
    run = make()
    run.pipeline.guard = Guard(TOKEN, frozenset({"public.example"}))
    came = delivery(path=f"/{TOKEN}/hook?a=1")
    assert run.pipeline.accept(came) == 200
    assert run.pipeline.accept(delivery(2, path="/local")) == 200
    assert [json.loads(line)["path"] for line in run.lines()] == [came.path, "/local"]
    shown = [received.entry for received in run.received()]
    assert [entry.delivery.path for entry in shown] == ["/hook?a=1", "/local"]
    assert [(entry.type, entry.session) for entry in shown] == [("connectionCreated", "2_A")] * 2
    assert [entry.payload.value for entry in shown] == [json.loads(BODY)] * 2


# Forwarding.


async def test_a_delivery_is_forwarded_from_where_its_line_stands(make: Make) -> None:
    run, app = make(), App()
    run.pipeline.forwarding = app
    for number in range(3):
        assert run.pipeline.accept(delivery(number)) == 200
    data = run.disk.path.read_bytes()
    stands = [data[start : start + size] for _, start, size in app.offered]
    assert stands == run.lines()
    assert app.begun == [(run.lines()[0], 0)]  # told before the first line alone
    assert not run.pipeline.waits


async def test_without_a_capture_a_delivery_is_forwarded_with_the_size_of_its_body(
    make: Make,
) -> None:
    run, app = make(capture=False, writes_lines=False), App()
    run.pipeline.forwarding = app
    run.pipeline.accept(delivery())
    assert [(start, size) for _, start, size in app.offered] == [(0, len(BODY))]
    assert app.begun == []


async def test_the_answer_may_be_that_of_the_app(make: Make) -> None:
    run, app = make(waits_for_app=True), App(500)
    assert not run.pipeline.waits  # nobody forwards
    run.pipeline.forwarding = app
    assert run.pipeline.waits
    assert run.pipeline.accept(delivery()) == 200
    assert app.offered == []
    assert await run.pipeline.before_answer(delivery(), 200) == 500
    assert app.settled == [("000001", 200)]


async def test_nothing_is_awaited_where_nothing_is_to_be_waited_for(make: Make) -> None:
    run = make()
    run.pipeline.forwarding = App(500)
    assert not run.pipeline.waits
    assert await run.pipeline.before_answer(delivery(), 200) == 200


async def test_the_disk_has_a_delivery_before_the_app_is_asked(make: Make) -> None:
    run, app = make(waits_for_app=True), App(201)
    run.pipeline.forwarding = app
    run.pipeline.commit = GroupCommit(run.disk)
    assert run.pipeline.waits
    run.pipeline.accept(delivery())
    assert await run.pipeline.before_answer(delivery(), 200) == 201
    run.disk.is_full = True
    run.pipeline.accept(delivery(2))
    assert await run.pipeline.before_answer(delivery(2), 200) == 503
    assert app.settled == [("000001", 200), ("000002", 503)]


async def test_a_run_that_syncs_waits_without_an_app(make: Make) -> None:
    run = make()
    run.pipeline.commit = GroupCommit(run.disk)
    assert run.pipeline.waits
    run.pipeline.accept(delivery())
    assert await run.pipeline.before_answer(delivery(), 200) == 200


async def test_rotation_is_asked_before_a_line_is_written_and_forwarding_told_of_the_new_file(
    make: Make,
) -> None:
    run, app = make(), App()
    seen: list[tuple[str, int]] = []

    class Rotating:
        def rotate_if_due(self, line: bytes) -> None:
            seen.append((read_line(line).delivery.id, len(run.lines())))
            if len(seen) == 3:
                run.disk.switch_file(run.disk.path.with_suffix(".full"), lambda: None)

    rotation: Any = Rotating()
    run.pipeline.rotation = rotation
    run.pipeline.forwarding = app
    for number in range(1, 5):
        run.pipeline.accept(delivery(number))
    assert seen == [("000001", 0), ("000002", 1), ("000003", 2), ("000004", 1)]
    assert [read_line(line).delivery.id for line in run.lines()] == ["000003", "000004"]
    assert [(read_line(line).delivery.id, at) for line, at in app.begun] == [
        ("000001", 0),
        ("000003", app.offered[2][1]),
    ]


# A capture in trouble.


async def test_what_cannot_be_written_waits_and_goes_out_first(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    run = make()
    run.disk.is_full = True
    assert [run.pipeline.accept(delivery(number)) for number in range(3)] == [200] * 3
    trouble = [one for one in run.published() if isinstance(one, CaptureTrouble)]
    assert trouble == [CaptureTrouble("0.jsonl: No space left on device")]
    tries: list[bytes] = []
    write = run.disk._write

    def counted(line: bytes) -> bool:
        tries.append(line)
        return write(line)

    monkeypatch.setattr(run.disk, "_write", counted)
    await until(lambda: len(tries) >= 3)  # it is tried again and again, and told once
    assert run.published() == []
    run.disk.is_full = False
    await until(run.lines)
    assert run.pipeline.accept(delivery(3)) == 200
    ids = [read_line(line).delivery.id for line in run.lines()]
    assert ids == ["000000", "000001", "000002", "000003"]
    assert [type(one) for one in run.published()] == [CaptureRecovered, Received]
    assert run.pipeline._retry is None


async def test_trouble_that_comes_again_is_told_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    run = make()
    for number in range(2):
        run.disk.is_full = True
        run.pipeline.accept(delivery(number))
        run.disk.is_full = False
        await until(lambda number=number: len(run.lines()) == number + 1)  # type: ignore[misc] # a default of a lambda has no type
    kinds = [type(one) for one in run.published() if not isinstance(one, Received)]
    assert kinds == [CaptureTrouble, CaptureRecovered] * 2


async def test_what_memory_cannot_hold_is_503_neither_counted_nor_forwarded_and_told_once(
    make: Make,
) -> None:
    run, app = make(bound=500), App()
    run.pipeline.forwarding = app
    run.disk.is_full = True
    statuses = [run.pipeline.accept(delivery(number)) for number in range(6)]
    kept = statuses.index(503)
    assert 0 < kept < 6
    assert statuses == [200] * kept + [503] * (6 - kept)
    assert run.pipeline.totals.turned_away == 6 - kept
    assert run.pipeline.totals.types.total() == kept == len(app.offered)
    published = run.published()
    assert len([one for one in published if isinstance(one, Received)]) == kept
    trouble = [one for one in published if isinstance(one, CaptureTrouble)]
    assert [one.is_full for one in trouble] == [False, True]


# What went otherwise.


async def test_requests_that_became_no_delivery_are_counted_and_told(make: Make) -> None:
    run = make()
    for number in range(2):
        run.pipeline.notice_request(f"probe {number}")
    assert run.pipeline.totals.notices == 2
    (first, second) = run.published()
    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert (first.text, first.about, second.text) == ("probe 0", "request", "probe 1")


async def test_blocked_requests_are_all_counted_and_told_now_and_then(make: Make) -> None:
    run = make()
    for _ in range(5):
        run.pipeline.block("GET /.env")
    assert run.pipeline.blocked.total == 5
    (notice,) = run.published()
    assert isinstance(notice, Notice)
    assert notice.text == "blocked: GET /.env (404)"
    assert run.pipeline.totals.notices == 0


async def test_a_bug_is_told_once_per_kind_and_each_is_counted(make: Make) -> None:
    run = make()

    def divide() -> None:
        _ = 1 // 0

    def look_up() -> None:
        raise KeyError("k")

    for fails in (divide, look_up, divide):
        with pytest.raises(Exception, match=r".") as caught:
            fails()
        run.pipeline.note_bug(caught.value)
    assert run.published() == [
        BugFound("ZeroDivisionError: integer division or modulo by zero"),
        BugFound("KeyError: 'k'"),
    ]
    assert run.bugs.total == 3


async def test_an_outage_is_told_counted_and_kept_in_the_capture(make: Make) -> None:
    run, outage = make(), Outage("https://a.example", NOW - timedelta(minutes=1), NOW, "lost")
    run.pipeline.note_outage(outage)
    (back,) = run.published()
    assert isinstance(back, TunnelBack)
    assert back.outage == outage
    assert run.pipeline.totals.outages == [outage]
    (line,) = run.lines()
    said = json.loads(line)
    assert (said["vmon"], said["type"], said["session"]) == (1, "tunnel", None)
    assert (said["url"], said["detail"]) == ("https://a.example", "lost")
    assert said["up_at"] == "2026-11-24T09:30:00.000000Z"
    assert run.pipeline.totals.types == {}


async def test_without_a_capture_an_outage_is_told_all_the_same(make: Make) -> None:
    run, outage = make(capture=False), Outage("https://a.example", NOW, NOW, "lost")
    run.pipeline.note_outage(outage)
    assert len(run.published()) == 1
    assert run.pipeline.totals.outages == [outage]


# The end.


@pytest.mark.parametrize("is_used", [False, True])
async def test_an_empty_capture_of_our_own_naming_does_not_outlive_its_run(
    runs: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_used: bool
) -> None:
    monkeypatch.setattr("vmon.capture.writer.default_folder", lambda: tmp_path)
    run = runs()
    if is_used:
        run.pipeline.accept(delivery())
    run.pipeline.close()
    assert run.disk.path.exists() == is_used
    assert run.pipeline.totals.capture == (run.disk.path if is_used else None)
    assert run.pipeline.totals.rescued is None


async def test_an_empty_capture_that_a_user_named_stays(runs: Make) -> None:
    run = runs()
    run.pipeline.close()
    assert run.disk.path.exists()
    assert run.pipeline.totals.capture == run.disk.path


async def test_at_the_end_what_still_waits_is_rescued_and_nothing_is_tried_any_more(
    runs: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run = runs()
    run.disk.is_full = True
    run.pipeline.accept(delivery())
    retry = run.pipeline._retry
    assert retry is not None
    run.pipeline.close()
    assert retry.cancelled()
    said, _, rescued = (run.pipeline.totals.rescued or "").partition(" saved to ")
    assert (said, rescued.startswith(f"{tmp_path}/vmon-rescued-")) == ("1 delivery,", True)
    with open(rescued, "rb") as file:  # noqa: ASYNC230, PTH123 - nobody waits for this loop
        assert read_line(file.read()).delivery == delivery()


async def test_without_a_capture_there_is_nothing_to_close(runs: Make) -> None:
    run = runs(capture=False)
    run.pipeline.close()
    assert run.pipeline.totals.capture is None
