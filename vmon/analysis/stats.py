"""Statistics of captures, in one pass over their lines."""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Callable  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING

from msgspec import Struct, field

from vmon.analysis.lifetimes import RECORDERS, Lifetimes
from vmon.analysis.stats_row import (
    BODY,
    END,
    StatsRow,
    occurred_ms,
    plain,
    reason_of_call,
    signed_ms,
    stats_row_of,
    token_of,
)
from vmon.capture import inputs
from vmon.capture.codec import read_line
from vmon.capture.format import START
from vmon.errors import VmonError
from vmon.events.redelivery import retry_of
from vmon.events.timestamps import FIRST_MS, FUTURE_MS, LAST_MS
from vmon.histogram import Histogram
from vmon.search import matching, reader, scan
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.analysis.lifetimes import Peak
    from vmon.events.entry import Entry

MINUTE_MS = 60_000
_AT_ONCE = 500  # one line that is not plain costs its whole batch a second pass


def _counter() -> defaultdict[str, int]:
    return defaultdict(int)


class OfType(Struct):
    """The statistics of an event type. Lags are of first copies, in ms.

    `lives` records a begin or an end, where the type is one.
    """

    lives: Callable[[Lifetimes, StatsRow, int, Histogram], None] | None = None
    deliveries: int = 0
    reasons: defaultdict[str, int] = field(default_factory=_counter)
    statuses: defaultdict[str, int] = field(default_factory=_counter)
    delivery_lag: Histogram = field(default_factory=Histogram)
    platform_lag: Histogram = field(default_factory=Histogram)


class Skew(Struct):
    """Receipt minus the token's `iat`, ms: the offset to Vonage's clock plus the network delay.

    `iat` is in whole seconds: up to a second of it is rounding.
    """

    number: int = 0
    least_ms: int = 0

    def note(self, ms: int) -> None:
        """Count a signed delivery."""
        self.least_ms = min(self.least_ms, ms) if self.number else ms
        self.number += 1


class Stats:
    """The statistics so far; instants are ms since the epoch.

    `retries` are the duplicates received when a retry of Vonage is due.
    """

    def __init__(self) -> None:
        self.types: dict[str, OfType] = {}
        self.sessions = Counter[str]()
        self.minutes = Counter[int]()  # since the epoch
        self.duplicates = self.retries = 0
        self.repeated: defaultdict[int, int] = defaultdict(int)
        self.after_first = Histogram()
        self.skew = Skew()
        self.first_ms: int | None = None
        self.last_ms = 0
        self._lives = Lifetimes()
        self.people, self.streams = self._lives.people, self._lives.streams
        self.oddities: dict[str, int] | None = None
        self._copies: dict[int, int] = {}

    @property
    def deliveries(self) -> int:
        """The number of deliveries, including duplicates."""
        return sum(one.deliveries for one in self.types.values())

    def lines(self, lines: list[bytes], bad: Callable[[str], None]) -> None:
        """Count capture lines, at once where all are plain; `bad` gets the reason of a bad one."""
        try:
            row = plain.decode_lines(b"".join(lines))
        except (ValueError, RecursionError):
            row = []
        if len(row) == len(lines) and all(line.endswith(END) for line in lines):
            self._enter_all(row, lines)
            return
        for line in lines:
            try:
                self.line(line)
            except (ValueError, VmonError) as error:  # a torn line among whole ones
                bad(str(error))

    def line(self, line: bytes) -> None:
        """Count a line; ValueError or VmonError where it holds no delivery."""
        try:
            row = plain.decode(line)
        except (ValueError, RecursionError):
            row = None
        if row and line.endswith(END):
            self._enter_all([row], [line])
        else:
            self.entry(read_line(line))

    def entry(self, entry: Entry) -> None:
        """Count a decoded delivery."""
        row = stats_row_of(entry)
        received_ms = entry.received_ms
        if (signed := signed_ms(row, token_of(entry))) is not None:
            self.skew.note(received_ms - signed)
        # Probes with an empty body are all alike, but no duplicates.
        body = entry.delivery.body or entry.delivery.id.encode()
        self._enter([row], [received_ms], [hash(body + END)])

    def _enter_all(self, row: list[StatsRow], lines: list[bytes]) -> None:
        """Count decoded lines."""
        received = [int(one.received_at.timestamp() * 1000) for one in row]
        for number, one in enumerate(row):
            if one.verdict and (signed := signed_ms(one, lines[number])) is not None:
                self.skew.note(received[number] - signed)
        self._enter(row, received, [hash(line.partition(BODY)[2]) for line in lines])

    def _enter(self, row: list[StatsRow], received: list[int], marks: list[int]) -> None:
        """Count deliveries column by column where possible, which is much faster."""
        for name, number in Counter([one.type for one in row]).items():
            if name not in self.types:
                self.types[name] = OfType(RECORDERS.get(name))
            self.types[name].deliveries += number
        self.sessions.update([one.session for one in row if one.session is not None])
        if known := [ms for ms in received if ms]:  # 0: a bare body without a time
            self.minutes.update([ms // MINUTE_MS for ms in known])
            first_ms = min(known)
            self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
            self.last_ms = max(self.last_ms, *known)
        types, first, of_mark = self.types, self._first, self._copies.setdefault
        for one, received_ms, mark in zip(row, received, marks, strict=True):
            first_ms = of_mark(mark, received_ms)
            if first_ms is received_ms:
                first(one, received_ms, types[one.type])
            else:
                self.duplicates += 1
                self.repeated[mark] += 1
                after_ms = received_ms - first_ms if received_ms and first_ms else 0
                self.after_first.note(after_ms)
                self.retries += retry_of(after_ms / 1000) is not None

    def _first(self, row: StatsRow, received_ms: int, of_type: OfType) -> None:
        """Count the fields of a first copy."""
        body = row.body
        at_ms = body.timestamp
        if at_ms is None or not FIRST_MS <= at_ms <= LAST_MS:
            at_ms = occurred_ms(row)
        if at_ms is None:
            at_ms = received_ms
        elif row.remote is not None and at_ms - received_ms <= FUTURE_MS:
            of_type.delivery_lag.note(received_ms - at_ms)
        if of_type.lives:
            of_type.lives(self._lives, row, at_ms, of_type.platform_lag)
        if reason := body.reason or (body.call and reason_of_call(body, body.call)):
            of_type.reasons[reason] += 1
        if status := body.status or body.state:
            of_type.statuses[status] += 1

    def peaks(self) -> tuple[Peak, Peak]:
        """Compute the peaks of connections and streams."""
        return self._lives.peaks(self.last_ms)


def stats_of(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[matching.BadLine], None] | None = None,
) -> Stats:
    """Compute the statistics of the selected deliveries of the sources (None is standard input)."""
    gc.disable()  # decoded lines are many, and form no cycles
    stats = Stats()
    for source in sources:
        name = inputs.source_name(source)
        for batch in reader.batches((source,), chosen, bad):
            _count(stats, batch, name, bad or scan.say_bad)
    return stats


def stats_with(
    sources: Iterable[str | None],
    chosen: Filter,
    each: Callable[[Entry], object],
    bad: Callable[[matching.BadLine], None] | None = None,
) -> Stats:
    """Compute the same statistics, while `each` gets every delivery, selected or not."""
    stats = Stats()
    for entry in reader.entries(sources, Filter(), bad):
        each(entry)
        if chosen(entry):
            stats.entry(entry)
    return stats


def _count(
    stats: Stats,
    batch: list[matching.StoredLine],
    name: str,
    bad: Callable[[matching.BadLine], None],
) -> None:
    plain = [line for line, entry in batch if entry is None or line.startswith(START)]
    for line, entry in batch:
        if entry is not None and not line.startswith(START):
            stats.entry(entry)
    for at in range(0, len(plain), _AT_ONCE):
        stats.lines(plain[at : at + _AT_ONCE], lambda why: bad(matching.BadLine(name, 0, why)))
