"""`vmon sessions`: show the sessions of captures, once or live."""

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
from vmon.events.names import name_in_data
from vmon.events.timestamps import instant
from vmon.humanize import count, parse_instant
from vmon.search import reader
from vmon.search.not_found import nothing_found
from vmon.sessions.loader import SessionLoader, now_ms_of
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.render.live.redraw import LiveArea
    from vmon.render.style import LineStyle
    from vmon.search.filter import Filter
    from vmon.search.matching import DecodedLine
    from vmon.sessions.snapshot import Order, SessionSnapshot

_DEFAULT_LIMIT = 20
"""Sessions shown on a terminal without --limit."""
_TIME_OF_DAY = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*")
_MIN_INTERVAL_S, _MAX_INTERVAL_S = 0.2, 1.0
"""Time between two refreshes of --watch: at least, and at most if nothing arrives."""


class Options(Struct, frozen=True):
    """Options of `vmon sessions`; `limit` 0 is all, None is 20 on a terminal and all in a pipe."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    at: str | None = None
    limit: int | None = None
    as_json: bool = False
    name_of: Callable[[str | None], str | None] = name_in_data


def run(options: Options) -> int:
    """Show the sessions once; Refused if there are none."""
    if options.at is not None:
        parse_instant(options.at, datetime.now(UTC))  # fails before all is read
    loader = SessionLoader(options.name_of)
    for entry in reader.entries(options.sources, options.event_filter):
        loader.apply(entry)
    if options.at is None:
        return _print(options, loader.order, now_ms_of(options.sources, loader.last_ms))
    at_ms = _at_ms(options.at, loader.last_ms)
    return _print(options, loader.order_as_of(at_ms), at_ms)


def _at_ms(text: str, last_ms: int) -> int:
    """Parse `--at`, in ms since the epoch; a time of day is on the capture's last day."""
    is_time_of_day = _TIME_OF_DAY.fullmatch(text) and last_ms
    now = datetime.fromtimestamp(last_ms / 1000, UTC) if is_time_of_day else datetime.now(UTC)
    return int(parse_instant(text, now).timestamp() * 1000)


def _print(options: Options, order: Order, now_ms: int) -> int:
    """Print the sessions in their order, and the counts on standard error."""
    order.settle()
    total, is_open = order.counts()
    if not total:
        then = f" before {_instant(now_ms)}" if options.at else ""
        raise nothing_found(f"sessions{then}", options.sources, options.event_filter)
    default = _DEFAULT_LIMIT if sys.stdout.isatty() and not options.as_json else 0
    limit = (default if options.limit is None else options.limit) or total
    lines = _as_json if options.as_json else _as_text
    for text in lines(options, order.first(limit), now_ms):
        sys.stdout.write(text + "\n")
    counts = [count(total, "session"), f"{is_open:,} open"]
    if total > limit:
        counts.append(f"{limit:,} shown (--limit 0 shows all)")
    if now_ms:
        counts.append(f"as of {_instant(now_ms)}")
    say(", ".join(counts))
    return 0


def _as_json(options: Options, first: Iterable[SessionSnapshot], _now_ms: int) -> Iterator[str]:
    from vmon.render.reports.sessions_json import as_json

    for session in first:
        yield as_json(session, counted=options.at is None)


def _as_text(options: Options, first: Iterable[SessionSnapshot], now_ms: int) -> Iterator[str]:
    from vmon.render.reports.sessions import rows
    from vmon.render.style import LineStyle, Paint, console

    terminal, is_terminal = console(sys.stdout), sys.stdout.isatty()
    style = LineStyle(Paint(terminal), terminal.width if is_terminal else None)
    fold = is_terminal and options.limit is None and not options.event_filter.session
    for session in first:
        yield from rows(session, style, now_ms, fold=fold)


def _instant(at_ms: int) -> str:
    at = instant(at_ms)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else "the start"


# vmon sessions --watch


class LiveSessions:
    """Live sessions: a thread of its own applies deliveries as they are captured."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._loader = SessionLoader(options.name_of)
        self._lock = threading.Lock()
        self._changed, self._ended = threading.Event(), threading.Event()
        self._error: Exception | None = None

    def run(self, area: LiveArea) -> None:
        """Show the sessions until the source ends, or until Ctrl-C."""
        threading.Thread(target=self._read, name="vmon-watch", daemon=True).start()
        while not self._ended.wait(_MIN_INTERVAL_S):
            self._changed.wait(_MAX_INTERVAL_S - _MIN_INTERVAL_S)
            self._changed.clear()
            area.show(self._lines(area.look, area.height))
        area.show(self._lines(area.look, area.height))
        if self._error:
            raise self._error

    def _read(self) -> None:
        try:
            (source,) = self._options.sources
            for batch in reader.decoded_batches(
                (source,), self._options.event_filter, follow=source is not None
            ):
                self._apply(batch)
        except Unread:
            self._error = BrokenPipeError()
        except Exception as error:  # noqa: BLE001 - raised in the main thread
            self._error = error
        finally:
            self._ended.set()
            self._changed.set()

    def _apply(self, batch: Iterable[DecodedLine]) -> None:
        with self._lock:
            for _, entry in batch:
                self._loader.apply(entry)
        self._changed.set()

    def _lines(self, style: LineStyle, height: int) -> list[str]:
        from vmon.render.reports.sessions import rows

        order, now_ms = self._loader.order, int(time.time() * 1000)
        with self._lock:
            order.settle()
            total, is_open = order.counts()
            limit = height if self._options.limit is None else self._options.limit or total
            trees = [
                list(rows(session, style, now_ms, fold=True)) for session in order.first(limit)
            ]
        head = f"{time.strftime('%H:%M:%S')}  {count(total, 'session')}, {is_open:,} open"
        shown, left_out = fitting(trees, height - 2)
        if more := left_out + total - len(trees):
            head += f"; {more:,} below"
        return [head, *shown]


def fitting(trees: list[list[str]], room: int) -> tuple[list[str], int]:
    """The lines of the trees that fit into `room` lines, and how many trees do not."""
    lines: list[str] = []
    for number, tree in enumerate(trees):
        if lines and len(lines) + len(tree) > room:
            return lines, len(trees) - number
        lines += tree
    if len(lines) > room:
        return [*lines[: max(0, room - 1)], f"… {count(len(lines) - room + 1, 'more line')}"], 0
    return lines, 0


def watch(options: Options) -> int:
    """Show the sessions of a growing capture, refreshed in place, until Ctrl-C."""
    if not sys.stdout.isatty():
        raise WrongUse(
            "--watch needs a terminal",
            hint="remove --watch, or follow the events with vmon filter --follow",
        )
    if len(options.sources) > 1:
        raise WrongUse("--watch takes only one capture")
    from vmon.render.live.redraw import LiveArea

    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # so that the cursor is shown again
    with LiveArea() as area:
        LiveSessions(options).run(area)
    return 0
