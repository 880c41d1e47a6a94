import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest

from tests.support.factories import make_entry
from tests.support.waiting import until
from vmon.events.entry import Entry
from vmon.forward.client import ForwardResult, Outcome
from vmon.receive import feed
from vmon.receive.elements import CaptureTrouble, Element, Forwarded, Notice
from vmon.receive.feed import Feed
from vmon.render.live import screen as module
from vmon.render.live.notices import Notices
from vmon.render.live.screen import Display, Screen
from vmon.render.live.writer import ERR, OUT
from vmon.search.filter import Filter
from vmon.sessions.tracker import Annotation, SessionTracker

if TYPE_CHECKING:
    from vmon.render.formats.protocol import EntryFormatter
    from vmon.render.outcome import Outcomes

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


class Paper:
    """A writer that keeps what it is given, and may be stuck."""

    def __init__(self) -> None:
        self.put_there: list[tuple[int, bytes]] = []
        self.free = True
        self.closed = False
        self.finished: list[float] = []
        self.pinned: list[bytes] = []

    def pin(self, line: bytes) -> None:
        self.pinned.append(line)

    def put(self, fd: int, batch: bytes) -> None:
        if batch:
            self.put_there.append((fd, batch))

    def finish(self, within_s: float) -> bool:
        self.finished.append(within_s)
        return self.free

    def close(self) -> None:
        self.closed = True

    def lines(self, fd: int = OUT) -> list[str]:
        return b"".join(batch for to, batch in self.put_there if to == fd).decode().splitlines()


@pytest.fixture
def papers(monkeypatch: pytest.MonkeyPatch) -> list[Paper]:
    made: list[Paper] = []

    def writer(_on_gone: Callable[[], None]) -> Paper:
        made.append(Paper())
        return made[-1]

    monkeypatch.setattr(module, "Writer", writer)
    monkeypatch.setattr(module, "_TICK_S", 0.001)
    return made


def draw(entry: Entry, _line: bytes | None = None, _note: Annotation | None = None) -> bytes:
    return entry.delivery.id.encode() + b"\n"


class Lines:
    """Formats an entry by a function."""

    def __init__(self, draw: Callable[..., bytes]) -> None:
        self.entry = draw
        self.measured = 0

    def measure(self) -> None:
        self.measured += 1


class Watched:
    """A feed and the screen that follows it; what is received is entered at once."""

    def __init__(
        self,
        chosen: Filter | None = None,
        drawn: Callable[..., bytes] | None = draw,
        results: "Outcomes | None" = None,
        status: Callable[[int], bytes | None] | None = None,
        *,
        dedupe: str | None = None,
    ) -> None:
        self.bugs: list[Exception] = []
        self.tracker = SessionTracker()
        self.feed = Feed(self.tracker, self.bugs.append)
        self.lines = Lines(drawn) if drawn else None
        formatter = cast("EntryFormatter | None", self.lines)
        display = Display(formatter, Notices(), chosen, results, status, dedupe)
        self.screen = Screen(display, lambda: None, self.bugs.append)
        self.feed.subscribe(self.screen.queue)
        self.feed.watch(lambda _entry, _result: self.screen.wake_status())

    def offer(self, *entries: Entry) -> None:
        for one in entries:
            self.feed.deliver(one, None)
        self.feed.flush()

    def publish(self, element: Element) -> None:
        self.feed.publish(element)
        self.feed.flush()

    async def drain(self, within_s: float) -> None:
        await self.screen.drain(within_s)

    @property
    def counts(self) -> tuple[int, int]:
        return self.screen.shown.hidden, self.screen.shown.not_shown


def a_screen(chosen: Filter | None = None, drawn: Callable[..., bytes] = draw) -> Watched:
    return Watched(chosen, drawn)


def entry(number: int, event: str = "streamCreated", body_size: int = 0, lag_s: float = 0) -> Entry:
    happened = (NOW - timedelta(seconds=lag_s)).timestamp()
    said = {"event": event, "timestamp": int(happened * 1000), "x": "y" * body_size}
    return make_entry(said, id=str(number), received_at=NOW, headers=(), remote="there:1")


async def test_entries_are_drawn_soon_and_in_their_order(papers: list[Paper]) -> None:
    screen = a_screen()
    for number in range(100):
        screen.offer(entry(number))
    assert papers[0].put_there == []  # never on the answer's path
    await until(lambda: len(papers[0].lines()) == 100)
    assert papers[0].lines() == [str(number) for number in range(100)]
    assert screen.counts == (0, 0)


async def test_what_the_filter_hides_is_counted(papers: list[Paper]) -> None:
    screen = a_screen(Filter(types=frozenset({"archive"})))
    for number in range(6):
        screen.offer(entry(number, "archive" if number % 3 == 0 else "streamCreated"))
    await screen.drain(10)
    assert papers[0].lines() == ["0", "3"]
    assert screen.counts == (4, 0)


async def test_a_notice_keeps_its_place_among_the_events(papers: list[Paper]) -> None:
    screen = a_screen()
    screen.offer(entry(1))
    screen.publish(Notice("a probe"))
    screen.offer(entry(2))
    await screen.drain(10)
    (first, (fd, notice), last) = papers[0].put_there
    assert (first, last) == ((OUT, b"1\n"), (OUT, b"2\n"))
    assert (fd, notice.endswith("· a probe\n".encode())) == (ERR, True)


async def test_what_finds_the_queue_full_is_said_in_its_place(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_ELEMENTS", 3)
    screen = a_screen()
    papers[0].free = False
    for number in range(8):
        screen.offer(entry(number))
    papers[0].free = True
    await until(lambda: not screen.screen.queue)
    screen.offer(entry(8))
    await screen.drain(10)
    assert papers[0].put_there == [
        (OUT, b"0\n1\n2\n"),
        (ERR, "… 5 more, not shown (all captured)\n".encode()),
        (OUT, b"8\n"),
    ]
    assert screen.screen.shown.not_shown == 5


async def test_large_bodies_fill_the_queue_sooner(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_BYTES", 10_000)
    screen = a_screen()
    for number in range(10):
        screen.offer(entry(number, body_size=4000))
    await screen.drain(10)
    assert screen.screen.shown.not_shown == 7
    assert papers[0].lines() == ["0", "1", "2"]
    screen.offer(entry(10, body_size=4000))
    await screen.drain(10)
    assert papers[0].lines() == ["0", "1", "2", "10"]
    assert papers[0].lines(ERR) == ["… 7 more, not shown (all captured)"]


async def test_a_notice_has_the_time_when_it_was_published(papers: list[Paper]) -> None:
    screen = a_screen()
    screen.publish(Notice("a probe", at_s=NOW.timestamp()))
    await screen.drain(10)
    at = NOW.astimezone().strftime("%H:%M:%S")
    assert papers[0].lines(ERR) == [f"{at} · a probe"]


async def test_trouble_goes_ahead_of_what_waits_and_is_never_missed(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_ELEMENTS", 2)
    screen = a_screen()
    papers[0].free = False
    screen.offer(*(entry(number) for number in range(5)))
    screen.publish(CaptureTrouble("a.jsonl: No space left on device"))
    papers[0].free = True
    await screen.drain(10)
    (first, *_), (second, shown), *_ = papers[0].put_there
    assert (first, second, shown) == (ERR, OUT, b"0\n1\n")
    assert papers[0].lines(ERR)[0].startswith("warning: cannot write the capture")


async def test_notices_alone_cannot_fill_memory(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_ELEMENTS", 3)
    screen = a_screen()
    for number in range(10):
        screen.publish(Notice(str(number)))
    await screen.drain(10)
    shown = [line.rpartition(" · ")[2] for line in papers[0].lines(ERR)]
    assert shown == ["0", "1", "2", "… 7 notices, not shown"]


async def test_while_the_terminal_takes_nothing_nothing_is_drawn(papers: list[Paper]) -> None:
    calls = []

    def drawn(one: Entry, line: bytes | None = None, _note: Annotation | None = None) -> bytes:
        calls.append(one)
        return draw(one, line)

    screen = a_screen(drawn=drawn)
    papers[0].free = False
    screen.offer(entry(1))
    for _ in range(20):
        await asyncio.sleep(module._TICK_S)  # that nothing happens in a tick has no event
    assert calls == []
    papers[0].free = True
    await until(lambda: papers[0].lines() == ["1"])


async def test_a_tick_takes_no_more_than_its_time(papers: list[Paper]) -> None:
    def slow(one: Entry, line: bytes | None = None, _note: Annotation | None = None) -> bytes:
        time.sleep(0.002)  # what drawing takes
        return draw(one, line)

    screen = a_screen(drawn=slow)
    for number in range(200):
        screen.offer(entry(number))
    screen.screen._show_for(0.01)
    assert 0 < len(papers[0].lines()) <= module._AT_ONCE
    await screen.drain(10)
    assert len(papers[0].lines()) == 200


async def test_the_slowest_delivery_is_remembered_hidden_or_not(papers: list[Paper]) -> None:
    screen = a_screen(Filter(types=frozenset({"archive"})))
    known = screen.tracker
    assert known.slowest_s is None
    for lag_s in (1.5, 120.25, 3):
        screen.offer(entry(1, lag_s=lag_s))
    await screen.drain(10)
    assert known.slowest_s == pytest.approx(120.25)
    assert papers[0].lines() == []


async def test_what_is_said_is_said_now(papers: list[Paper]) -> None:
    screen = a_screen()
    screen.offer(entry(1))
    screen.screen.say("ready \udcff")
    assert papers[0].put_there == [(ERR, b"ready \\udcff\n")]
    await screen.drain(10)


async def test_a_terminal_that_is_stuck_at_the_end_is_not_waited_for_longer(
    papers: list[Paper],
) -> None:
    screen = a_screen()
    papers[0].free = False
    for number in range(100_000 // 1000):
        screen.offer(entry(number))
    await screen.drain(0)
    assert screen.screen.shown.not_shown == 100
    screen.screen.say("100 deliveries")
    assert papers[0].closed
    assert papers[0].put_there == []
    assert papers[1].put_there == [(ERR, b"100 deliveries\n")]
    assert all(within_s <= 0 for within_s in papers[0].finished)
    screen.screen.close()
    assert papers[1].closed


async def test_a_terminal_that_is_stuck_is_handed_nothing_more_that_would_count_as_shown(
    papers: list[Paper],
) -> None:
    screen = a_screen()
    papers[0].free = False
    screen.offer(*(entry(number) for number in range(50)))
    await screen.drain(10)
    assert papers[0].put_there == []
    assert screen.screen.shown.not_shown == 50


async def test_lines_are_measured_with_each_tick(papers: list[Paper]) -> None:
    screen = a_screen()
    assert screen.lines is not None
    for expected in (1, 2):
        screen.offer(entry(expected))
        await until(lambda expected=expected: len(papers[0].lines()) == expected)  # type: ignore[misc] # a default of a lambda has no type
        assert screen.lines.measured == expected


# What came of forwarding.


def told(one: Entry) -> ForwardResult:
    return ForwardResult(one, "app.test", Outcome(200, 0.012))


class Answers:
    """Draws an outcome as the id of its event, and whether that was the last drawn."""

    def __init__(self, *, aside: bool = False) -> None:
        self.aside = aside

    def __call__(self, one: ForwardResult, *, is_last: bool) -> bytes:
        return f"{one.entry.delivery.id} {'under' if is_last else 'later'}\n".encode()


def a_forwarding_screen(chosen: Filter | None = None, *, aside: bool = False) -> Watched:
    return Watched(chosen, draw, cast("Outcomes", Answers(aside=aside)))


async def test_an_outcome_that_comes_soon_is_drawn_under_its_event(papers: list[Paper]) -> None:
    screen = a_forwarding_screen()
    for number in range(3):
        screen.offer(entry(number))
    for number in range(3):
        screen.publish(Forwarded(told(entry(number))))
    await screen.drain(10)
    assert papers[0].lines() == ["0", "0 under", "1", "1 under", "2", "2 under"]
    assert screen.screen.queue.results == {}


async def test_an_outcome_that_comes_late_names_its_event_unless_that_was_the_last(
    papers: list[Paper],
) -> None:
    screen = a_forwarding_screen()
    screen.offer(entry(1))
    screen.offer(entry(2))
    await until(lambda: len(papers[0].lines()) == 2)
    screen.publish(Forwarded(told(entry(2))))
    screen.publish(Forwarded(told(entry(1))))
    await until(lambda: len(papers[0].lines()) == 4)
    screen.publish(Notice("something else"))
    screen.publish(Forwarded(told(entry(1))))
    await screen.drain(10)
    assert papers[0].lines() == ["1", "2", "2 under", "1 later", "1 later"]


async def test_an_outcome_of_a_hidden_event_is_hidden_too(papers: list[Paper]) -> None:
    screen = a_forwarding_screen(Filter(types=frozenset({"archive"})))
    for number, name in enumerate(["archive", "streamCreated"]):
        screen.offer(entry(number, name))
        screen.publish(Forwarded(told(entry(number, name))))
    await screen.drain(10)
    assert papers[0].lines() == ["0", "0 under"]
    assert screen.screen.queue.results == {}


async def test_an_outcome_beside_a_pipe_goes_to_standard_error(papers: list[Paper]) -> None:
    screen = a_forwarding_screen(aside=True)
    screen.offer(entry(1))
    screen.publish(Forwarded(told(entry(1))))
    await screen.drain(10)
    assert papers[0].put_there == [(OUT, b"1\n"), (ERR, b"1 under\n")]


async def test_outcomes_that_find_the_queue_full_are_not_kept(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_ELEMENTS", 2)
    screen = a_forwarding_screen()
    papers[0].free = False
    for number in range(5):
        screen.offer(entry(number))
        screen.publish(Forwarded(told(entry(number))))
    assert len(screen.screen.queue.results) <= 1
    assert len(screen.screen.queue) <= 3


# What is known from other events.


def a_connection(number: int, event: str, data: str = "") -> Entry:
    connection = {"id": "c1", "createdAt": int(NOW.timestamp() * 1000), "data": data}
    now_ms = int(NOW.timestamp() * 1000) + number
    said = {"event": event, "sessionId": "2_A", "connection": connection, "timestamp": now_ms}
    return make_entry(said, id=str(number), received_at=NOW, headers=(), remote="there:1")


def noted(entry: Entry, _line: bytes | None = None, note: Annotation | None = None) -> bytes:
    return f"{entry.delivery.id} {note and note.who} {note and note.copies}\n".encode()


async def test_hidden_ones_are_known_too_and_copies_can_be_hidden(papers: list[Paper]) -> None:
    chosen = Filter(types=frozenset({"connectionDestroyed"}))
    screen = Watched(chosen, noted, dedupe="path")
    screen.offer(a_connection(1, "connectionCreated", '{"name":"Ann"}'))
    for _ in range(3):
        screen.offer(a_connection(2, "connectionDestroyed"))
    await screen.drain(10)
    assert papers[0].lines() == ["2 Ann 1"]
    assert screen.screen.shown.hidden == 3


@pytest.mark.usefixtures("papers")
@pytest.mark.parametrize(("dedupe", "hidden"), [("path", 1), ("any-path", 2)])
async def test_copies_at_another_path_are_hidden_only_with_any_path(
    dedupe: str, hidden: int
) -> None:
    screen, body = Watched(drawn=noted, dedupe=dedupe), {"event": "sessionCreated"}
    for path in ("/a", "/b", "/b"):
        screen.offer(make_entry(body, path=path))
    await screen.drain(10)
    assert screen.screen.shown.hidden == hidden


async def test_without_drawing_all_is_known_and_nothing_is_hidden_or_missing(
    papers: list[Paper],
) -> None:
    screen = Watched(drawn=None)
    for number in range(feed.MOST_ELEMENTS + 10):
        screen.offer(a_connection(number, "connectionCreated"))
    await screen.drain(10)
    assert papers[0].put_there == []
    assert screen.counts == (0, 0)
    assert sum(one.events for one in screen.tracker.store.sessions()) == feed.MOST_ELEMENTS + 10


async def test_what_is_not_drawn_is_known(papers: list[Paper]) -> None:
    screen = a_screen()
    papers[0].free = False
    for number in range(feed.MOST_ELEMENTS + 7):
        screen.offer(a_connection(number, "connectionCreated"))
    await screen.drain(0)
    assert screen.screen.shown.not_shown == feed.MOST_ELEMENTS + 7
    assert sum(one.events for one in screen.tracker.store.sessions()) == feed.MOST_ELEMENTS + 7


async def test_the_foot_changes_as_people_come_and_goes_at_the_end(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.001)

    def status(hidden: int) -> bytes:
        return f"{screen.tracker.occupancy().people} {hidden}".encode()

    screen = Watched(status=status)
    screen.offer(a_connection(1, "connectionCreated"))
    await until(lambda: papers[0].pinned[-1:] == [b"1 0"])
    screen.offer(a_connection(2, "connectionDestroyed"))
    await until(lambda: papers[0].pinned[-1:] == [b"0 0"])
    await screen.drain(10)
    assert papers[0].pinned[-1] == b""


async def test_a_bug_in_drawing_ends_that_drawing_alone(papers: list[Paper]) -> None:
    def failing(one: Entry, *_: object) -> bytes:
        if one.delivery.id == entry(1).delivery.id:
            raise ZeroDivisionError
        return draw(one)

    screen = Watched(drawn=failing)
    for number in range(3):
        screen.offer(entry(number))
    await screen.drain(1)
    assert papers[0].lines() == [entry(number).delivery.id for number in (0, 2)]
    assert ([type(bug) for bug in screen.bugs], screen.screen.shown.not_shown) == (
        [ZeroDivisionError],
        1,
    )


async def test_a_bug_in_the_foot_ends_that_look_alone(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(_hidden: int) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "_BEAT_S", 0.001)
    screen = Watched(status=status)
    screen.offer(entry(0))
    await until(lambda: screen.bugs)
    await screen.drain(1)
    assert len(papers[0].lines()) == 1


async def test_a_paused_terminal_is_handed_no_status_lines_that_pile_up(
    papers: list[Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.001)
    screen = Watched(status=lambda _hidden: str(screen.tracker.store.newest_ms).encode())
    papers[0].free = False
    beats = set[object]()

    def has_beaten() -> bool:
        beats.add(screen.screen._beat)
        return len(beats) > 3

    screen.offer(entry(0))
    await until(has_beaten)
    assert (None in beats, papers[0].pinned) == (False, [])
    papers[0].free = True
    await until(lambda: len(papers[0].pinned) == 1)
    assert screen.screen._beat is None
    await screen.drain(1)


async def test_a_result_of_an_event_that_a_bug_kept_from_being_shown_names_it(
    papers: list[Paper],
) -> None:
    def failing(*_: object) -> bytes:
        raise ZeroDivisionError

    screen = Watched(drawn=failing, results=cast("Outcomes", Answers()))
    screen.offer(entry(0))
    screen.publish(Forwarded(told(entry(0))))
    await screen.drain(10)
    assert papers[0].lines() == ["0 later"]
