"""A run of `vmon sessions`: who is in which session, once or again and again."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.capture.follow import Unread
from vmon.errors import WrongUse
from vmon.events.names import person
from vmon.events.timestamps import instant
from vmon.humanize import count, parse_instant
from vmon.search import reader
from vmon.search.not_found import nothing_found
from vmon.sessions.loader import SessionLoader, now_ms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.render.live.redraw import LiveArea
    from vmon.render.style import LineStyle
    from vmon.search.filter import Filter
    from vmon.search.matching import DecodedLine
    from vmon.sessions.snapshot import Order, SessionSnapshot

_FEW = 20
"""Sessions that are drawn where somebody looks and no limit is given."""
_TIME_OF_DAY = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*")
_PAUSE_S, _SECOND_S = 0.2, 1.0
"""How long a drawing stays at least, and when nothing comes at most."""


class Options(Struct, frozen=True):
    """Options of a run; `limit` 0 is all of them, None what suits who looks."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    at: str | None = None
    limit: int | None = None
    as_json: bool = False
    name_of: Callable[[str | None], str | None] = person


def run(options: Options) -> int:
    """Draw the sessions once; Refused when there is none."""
    if options.at is not None:
        parse_instant(options.at, datetime.now(UTC))  # wrong before all is read
    loader = SessionLoader(options.name_of)
    for entry in reader.entries(options.sources, options.event_filter):
        loader.enter(entry)
    if options.at is None:
        return _put(options, loader.order, now_ms_of(options.sources, loader.last_ms))
    at_ms = _at_ms(options.at, loader.last_ms)
    return _put(options, loader.as_it_was(at_ms), at_ms)


def _at_ms(text: str, last_ms: int) -> int:
    """The instant meant: a time of day is that of the capture's last day."""
    is_of_a_day = _TIME_OF_DAY.fullmatch(text) and last_ms
    now = datetime.fromtimestamp(last_ms / 1000, UTC) if is_of_a_day else datetime.now(UTC)
    return int(parse_instant(text, now).timestamp() * 1000)


def _put(options: Options, order: Order, now_ms: int) -> int:
    """Write the sessions as they stand in their order; what is said of them goes to stderr."""
    order.settle()
    total, is_open = order.counts()
    if not total:
        then = f" before {_instant(now_ms)}" if options.at else ""
        raise nothing_found(f"sessions{then}", options.sources, options.event_filter)
    few = _FEW if sys.stdout.isatty() and not options.as_json else 0
    most = (few if options.limit is None else options.limit) or total
    lines = _as_json if options.as_json else _drawn
    for text in lines(options, order.first(most), now_ms):
        sys.stdout.write(text + "\n")
    said = [count(total, "session"), f"{is_open:,} open"]
    if total > most:
        said.append(f"{most:,} shown (--limit 0 shows all)")
    sys.stderr.write(", ".join(said) + f", as of {_instant(now_ms)}\n")
    return 0


def _as_json(options: Options, first: Iterable[SessionSnapshot], _now_ms: int) -> Iterator[str]:
    from vmon.render.reports.sessions_json import as_json

    for laid in first:
        yield as_json(laid, counted=options.at is None)


def _drawn(options: Options, first: Iterable[SessionSnapshot], now_ms: int) -> Iterator[str]:
    from vmon.render.reports.sessions import rows
    from vmon.render.style import LineStyle, Paint, console

    terminal, is_terminal = console(sys.stdout), sys.stdout.isatty()
    look_ = LineStyle(Paint(terminal), terminal.width if is_terminal else None)
    fold = is_terminal and options.limit is None and not options.event_filter.session
    for laid in first:
        yield from rows(laid, look_, now_ms, fold=fold)


def _instant(at_ms: int) -> str:
    at = instant(at_ms)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "the start"


# Again and again.


class LiveSessions:
    """A book that a thread of its own goes on entering deliveries into, as they are captured."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loader = SessionLoader(options.name_of)
        self._lock = threading.Lock()
        self._news, self._over = threading.Event(), threading.Event()
        self._trouble: Exception | None = None

    def run(self, place: LiveArea) -> None:
        """Draw until the source ends, or somebody presses Ctrl-C."""
        threading.Thread(target=self._read, name="vmon-watch", daemon=True).start()
        while not self._over.wait(_PAUSE_S):
            self._news.wait(_SECOND_S - _PAUSE_S)
            self._news.clear()
            place.show(self._lines(place.look, place.height))
        place.show(self._lines(place.look, place.height))
        if self._trouble:
            raise self._trouble

    def _read(self) -> None:
        try:
            (source,) = self._options.sources
            for batch in reader.decoded_batches(
                (source,), self._options.event_filter, follow=source is not None
            ):
                self._enter(batch)
        except Unread:
            self._trouble = BrokenPipeError()
        except Exception as error:  # noqa: BLE001 - the thread that draws raises it
            self._trouble = error
        finally:
            self._over.set()
            self._news.set()

    def _enter(self, batch: Iterable[DecodedLine]) -> None:
        with self._lock:
            for _, entry in batch:
                self._loader.enter(entry)
        self._news.set()

    def _lines(self, look_: LineStyle, height: int) -> list[str]:
        from vmon.render.reports.sessions import rows

        order, now_ms = self._loader.order, int(time.time() * 1000)
        with self._lock:
            order.settle()
            total, is_open = order.counts()
            most = height if self._options.limit is None else self._options.limit or total
            drawn = [list(rows(one, look_, now_ms, fold=True)) for one in order.first(most)]
        head = f"{time.strftime('%H:%M:%S')}  {count(total, 'session')}, {is_open:,} open"
        shown, left_out = fitting(drawn, height - 2)
        if more := left_out + total - len(drawn):
            head += f"; {more:,} below"
        return [head, *shown]


def fitting(trees: list[list[str]], room: int) -> tuple[list[str], int]:
    """The lines of as many trees as there is room for, and how many trees have none."""
    lines: list[str] = []
    for number, tree in enumerate(trees):
        if lines and len(lines) + len(tree) > room:
            return lines, len(trees) - number
        lines += tree
    if len(lines) > room:
        return [*lines[: max(0, room - 1)], f"… {count(len(lines) - room + 1, 'more line')}"], 0
    return lines, 0


def watch(options: Options) -> int:
    """Draw the sessions of a capture that grows, in place, until Ctrl-C."""
    if not sys.stdout.isatty():
        raise WrongUse(
            "--watch needs a terminal",
            hint="remove --watch, or follow the events with vmon filter --follow",
        )
    if len(options.sources) > 1:
        raise WrongUse("--watch takes only one capture")
    from vmon.render.live.redraw import LiveArea

    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # the cursor comes back
    with LiveArea() as place:
        LiveSessions(options).run(place)
    return 0
