"""Figures of captures: one pass over their lines, counting what each says in brief."""

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
from vmon.events.timestamps import FIRST_MS, LAST_MS
from vmon.histogram import Histogram
from vmon.search import matching, reader, scan
from vmon.search.filter import Filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.analysis.lifetimes import Peak
    from vmon.events.entry import Entry

MINUTE_MS = 60_000
_AT_ONCE = 500  # a line that is not plain costs its like a second look


def _counter() -> defaultdict[str, int]:
    return defaultdict(int)


class OfType(Struct):
    """What was counted of a type. Lags are of first copies, in ms.

    `lives` notes when something began or ended, where the type tells that.
    """

    lives: Callable[[Lifetimes, StatsRow, int, Histogram], None] | None = None
    deliveries: int = 0
    reasons: defaultdict[str, int] = field(default_factory=_counter)
    statuses: defaultdict[str, int] = field(default_factory=_counter)
    delivery_lag: Histogram = field(default_factory=Histogram)
    platform_lag: Histogram = field(default_factory=Histogram)


class Skew(Struct):
    """Receipt less the token's `iat`, ms: this clock less Vonage's, and the way here.

    `iat` is in whole seconds: up to a second of it is rounding.
    """

    number: int = 0
    least_ms: int = 0

    def note(self, ms: int) -> None:
        """Count a signed delivery."""
        self.least_ms = min(self.least_ms, ms) if self.number else ms
        self.number += 1


class Stats:
    """The figures so far; instants are ms since the epoch.

    `retries` are the duplicates that came when Vonage sends again.
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
        """How many there were, duplicates included."""
        return sum(one.deliveries for one in self.types.values())

    def lines(self, lines: list[bytes], bad: Callable[[str], None]) -> None:
        """Count capture lines, at once where all are plain; `bad` is told why one holds nothing."""
        try:
            told = plain.decode_lines(b"".join(lines))
        except (ValueError, RecursionError):
            told = []
        if len(told) == len(lines) and all(line.endswith(END) for line in lines):
            self._enter_all(told, lines)
            return
        for line in lines:
            try:
                self.line(line)
            except (ValueError, VmonError) as error:  # a torn line among whole ones
                bad(str(error))

    def line(self, line: bytes) -> None:
        """Count a line; ValueError or VmonError where it holds nothing."""
        try:
            told = plain.decode(line)
        except (ValueError, RecursionError):
            told = None
        if told and line.endswith(END):
            self._enter_all([told], [line])
        else:
            self.entry(read_line(line))

    def entry(self, entry: Entry) -> None:
        """Count a delivery that has been read."""
        told = stats_row_of(entry)
        received_ms = entry.received_ms
        if (signed := signed_ms(told, token_of(entry))) is not None:
            self.skew.note(received_ms - signed)
        # An empty body says nothing: a probe is like every other, and no copy.
        body = entry.delivery.body or entry.delivery.id.encode()
        self._enter([told], [received_ms], [hash(body + END)])

    def _enter_all(self, told: list[StatsRow], lines: list[bytes]) -> None:
        """Enter lines that were decoded."""
        received = [int(one.received_at.timestamp() * 1000) for one in told]
        for number, one in enumerate(told):
            if one.verdict and (signed := signed_ms(one, lines[number])) is not None:
                self.skew.note(received[number] - signed)
        self._enter(told, received, [hash(line.partition(BODY)[2]) for line in lines])

    def _enter(self, told: list[StatsRow], received: list[int], marks: list[int]) -> None:
        """Enter deliveries column by column, as far as that goes: it is much faster."""
        for name, number in Counter([one.type for one in told]).items():
            if name not in self.types:
                self.types[name] = OfType(RECORDERS.get(name))
            self.types[name].deliveries += number
        self.sessions.update([one.session for one in told if one.session is not None])
        self.minutes.update([ms // MINUTE_MS for ms in received])
        if received:
            first_ms = min(received)
            self.first_ms = first_ms if self.first_ms is None else min(self.first_ms, first_ms)
            self.last_ms = max(self.last_ms, *received)
        types, first, of_mark = self.types, self._first, self._copies.setdefault
        for one, received_ms, mark in zip(told, received, marks, strict=True):
            first_ms = of_mark(mark, received_ms)
            if first_ms is received_ms:
                first(one, received_ms, types[one.type])
            else:
                self.duplicates += 1
                self.repeated[mark] += 1
                self.after_first.note(received_ms - first_ms)
                self.retries += retry_of((received_ms - first_ms) / 1000) is not None

    def _first(self, told: StatsRow, received_ms: int, of_type: OfType) -> None:
        """Enter what a delivery says that is not a copy."""
        body = told.body
        said = body.timestamp
        if said is None or not FIRST_MS <= said <= LAST_MS:
            said = occurred_ms(told)
        if said is None:
            said = received_ms
        elif told.remote is not None:
            of_type.delivery_lag.note(received_ms - said)
        if of_type.lives:
            of_type.lives(self._lives, told, said, of_type.platform_lag)
        if reason := body.reason or (body.call and reason_of_call(body, body.call)):
            of_type.reasons[reason] += 1
        if status := body.status or body.state:
            of_type.statuses[status] += 1

    def peaks(self) -> tuple[Peak, Peak]:
        """The most people and streams at once."""
        return self._lives.peaks(self.last_ms)


def stats_of(
    sources: Iterable[str | None],
    chosen: Filter,
    bad: Callable[[matching.BadLine], None] | None = None,
) -> Stats:
    """The figures of every chosen delivery of the sources (None is standard input)."""
    gc.disable()  # what is read makes no cycles, and is much
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
    """The same figures, while `each` gets every delivery, chosen or not, with all it says."""
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
