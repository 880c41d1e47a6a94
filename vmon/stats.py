"""Figures of captures: one pass over their lines, decoding the few fields that figures need.

A line that is not plainly a capture's, or whose fields have other types than usual, is read as
every other command reads it: slower, and with the same outcome.
"""

from __future__ import annotations

import gc
import re
from base64 import urlsafe_b64decode
from collections import Counter, defaultdict
from collections.abc import Callable  # noqa: TC003 - msgspec reads it
from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct, field

from vmon import look, scan, streams
from vmon.capture import START
from vmon.entry import header
from vmon.errors import VmonError
from vmon.events import FIRST_MS, LAST_MS, CallEvent, ConnectionEvent, StreamEvent
from vmon.filters import Filter
from vmon.fold import in_ms
from vmon.lags import Lags
from vmon.line import read_line
from vmon.provider import retry_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.entry import Entry

MINUTE_MS = 60_000
_AT_ONCE = 500  # a line that is not plain costs its like a second look
SIGNED = frozenset({"valid", "stale", "unchecked"})
"""The verdicts under which a token's `iat` is taken for Vonage's."""

_BODY, _END = b',"body":', b"}\n"
_DATED = frozenset({"archive", "broadcast"})
"""The types that say when they happened by `updatedAt`; others do so by `timestamp`."""
_TOKEN = re.compile(rb'\["authorization","Bearer [^".]*\.([\w-]+)\.', re.IGNORECASE)


class _Thing(Struct, rename="camel", gc=False):
    """A connection, stream or call, as far as figures need it."""

    id: str | None = None
    created_at: int | None = None
    connection: _Thing | None = None
    reason_message: str | None = field(default=None, name="reason_message")
    reason_code: str | None = field(default=None, name="reason_code")


class _Body(Struct, rename="camel", gc=False):
    """A body, as far as figures need it."""

    timestamp: int | None = None
    created_at: int | float | None = None
    updated_at: int | None = None
    connection: _Thing | None = None
    stream: _Thing | None = None
    call: _Thing | None = None
    reason: str | None = None
    reason_message: str | None = field(default=None, name="reason_message")
    reason_code: str | None = field(default=None, name="reason_code")
    status: str | None = None
    state: str | None = None


class _Judged(Struct, gc=False):
    kind: str = ""


class _Line(Struct, gc=False):
    """A capture line, as far as figures need it."""

    type: str
    received_at: datetime
    body: _Body
    session: str | None = None
    remote: str | None = None
    verdict: _Judged | None = None


class _Claims(Struct, gc=False):
    iat: float | None = None


_line = msgspec.json.Decoder(_Line)
_claims = msgspec.json.Decoder(_Claims)


def _counter() -> defaultdict[str, int]:
    return defaultdict(int)


class OfType(Struct):
    """What was counted of a type. Lags are of first copies, in ms.

    `lives` notes when something began or ended, where the type tells that.
    """

    lives: Callable[[Stats, _Line, int, Lags], None] | None = None
    deliveries: int = 0
    reasons: defaultdict[str, int] = field(default_factory=_counter)
    statuses: defaultdict[str, int] = field(default_factory=_counter)
    delivery_lag: Lags = field(default_factory=Lags)
    platform_lag: Lags = field(default_factory=Lags)


class _Life(Struct, gc=False):
    """How long a connection or stream lived, ms; 0: not told. `owner` is a stream's connection."""

    begin: int = 0
    end: int = 0
    session: str | None = None
    owner: str | None = None


class Peak(NamedTuple):
    """The most at once, and since when (ms since the epoch)."""

    number: int = 0
    at_ms: int = 0


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
        self.after_first = Lags()
        self.skew = Skew()
        self.first_ms: int | None = None
        self.last_ms = 0
        self.people: dict[str, _Life] = {}
        self.streams: dict[str, _Life] = {}
        self.oddities: dict[str, int] | None = None
        self._copies: dict[int, int] = {}
        self.destroyed: dict[str, list[int]] = {}

    @property
    def deliveries(self) -> int:
        """How many there were, duplicates included."""
        return sum(one.deliveries for one in self.types.values())

    def lines(self, lines: list[bytes], bad: Callable[[str], None]) -> None:
        """Count capture lines, at once where all are plain; `bad` is told why one holds nothing."""
        try:
            told = _line.decode_lines(b"".join(lines))
        except (ValueError, RecursionError):
            told = []
        if len(told) == len(lines) and all(line.endswith(_END) for line in lines):
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
            told = _line.decode(line)
        except (ValueError, RecursionError):
            told = None
        if told and line.endswith(_END):
            self._enter_all([told], [line])
        else:
            self.entry(read_line(line))

    def entry(self, entry: Entry) -> None:
        """Count a delivery that has been read."""
        at, remote = entry.delivery.received_at, entry.delivery.remote
        told = _Line(entry.type, at, _body_of(entry), entry.session, remote)
        received_ms = int(told.received_at.timestamp() * 1000)
        if entry.verdict and entry.verdict.kind in SIGNED:
            said = f'["authorization","{header(entry.delivery, "authorization")}'.encode()
            self._sign(_TOKEN.search(said), received_ms)
        # An empty body says nothing: a probe is like every other, and no copy.
        body = entry.delivery.body or entry.delivery.id.encode()
        self._enter([told], [received_ms], [hash(body + _END)])

    def _sign(self, token: re.Match[bytes] | None, received_ms: int) -> None:
        if token is None:
            return
        try:
            claims = _claims.decode(urlsafe_b64decode(token[1] + b"=" * (-len(token[1]) % 4)))
        except ValueError:
            return
        if claims.iat is not None and 0 < claims.iat < LAST_MS / 1000:
            self.skew.note(received_ms - round(claims.iat * 1000))

    def _enter_all(self, told: list[_Line], lines: list[bytes]) -> None:
        """Enter lines that were decoded."""
        received = [int(one.received_at.timestamp() * 1000) for one in told]
        for number, one in enumerate(told):
            if one.verdict is not None and one.verdict.kind in SIGNED:
                self._sign(_TOKEN.search(lines[number]), received[number])
        self._enter(told, received, [hash(line.partition(_BODY)[2]) for line in lines])

    def _enter(self, told: list[_Line], received: list[int], marks: list[int]) -> None:
        """Enter deliveries column by column, as far as that goes: it is much faster."""
        for name, number in Counter([one.type for one in told]).items():
            if name not in self.types:
                self.types[name] = OfType(_LIVES.get(name))
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

    def _first(self, told: _Line, received_ms: int, of_type: OfType) -> None:
        """Enter what a delivery says that is not a copy."""
        body = told.body
        said = body.timestamp
        if said is None and told.type in _DATED:
            dated = body.created_at if body.updated_at is None else body.updated_at
            said = int(dated) if dated is not None else None
        if said is None or not FIRST_MS <= said <= LAST_MS:
            said = in_ms(said)
        if said is None:
            said = received_ms
        elif told.remote is not None:
            of_type.delivery_lag.note(received_ms - said)
        if of_type.lives:
            of_type.lives(self, told, said, of_type.platform_lag)
        if reason := body.reason or (body.call and _reason_of_call(body, body.call)):
            of_type.reasons[reason] += 1
        if status := body.status or body.state:
            of_type.statuses[status] += 1

    def peaks(self) -> tuple[Peak, Peak]:
        """The most people and streams at once.

        What never ended counts until its connection or its session ended, or the capture did.
        """
        people, streams = self.people.values(), self.streams.values()
        return (
            peak([(one.begin, self._end(one)) for one in people if one.begin]),
            peak([(one.begin, self._end(one)) for one in streams if one.begin]),
        )

    def _end(self, life: _Life) -> int:
        if life.end:
            return life.end
        ends = [at for at in self.destroyed.get(life.session or "", ()) if at >= life.begin]
        owner = self.people.get(life.owner) if life.owner else None
        if owner and owner.end:
            ends.append(owner.end)
        return min(ends, default=max(self.last_ms, life.begin) + 1)


def peak(spans: Iterable[tuple[int, int]]) -> Peak:
    """The most spans (begin, end in ms; an end is outside) that hold at one instant."""
    real = [span for span in spans if span[0] < span[1]]
    begins, ends = sorted(begin for begin, _ in real), sorted(end for _, end in real)
    best, ended = Peak(), 0
    for begun, at in enumerate(begins, start=1):
        while ends[ended] <= at:
            ended += 1
        if begun - ended > best.number:
            best = Peak(begun - ended, at)
    return best


def _note(
    lives: dict[str, _Life], session: str | None, thing: _Thing, begin: int, end: int
) -> None:
    """Merge what an event told: the earliest beginning, the earliest end; 0: it told none."""
    if not thing.id:
        return
    one = lives.get(thing.id)
    if one is None:
        one = lives[thing.id] = _Life(session=session)
    created = thing.created_at
    if created is not None and not FIRST_MS <= created <= LAST_MS:
        created = in_ms(created)
    if created is not None and (not begin or created < begin):
        begin = created
    if begin and (not one.begin or begin < one.begin):
        one.begin = begin
    if end and (not one.end or end < one.end):
        one.end = end
    owner = thing.connection
    if owner and owner.id and (one.owner is None or owner.id < one.owner):
        one.owner = owner.id


def _lag(lag: Lags, at: int, thing: _Thing) -> None:
    created = thing.created_at
    if created is not None and FIRST_MS <= created <= LAST_MS:
        lag.note(at - created)


def _connected(stats: Stats, told: _Line, at: int, lag: Lags) -> None:
    if thing := told.body.connection:
        _note(stats.people, told.session, thing, at, 0)
        _lag(lag, at, thing)


def _disconnected(stats: Stats, told: _Line, at: int, _: Lags) -> None:
    if thing := told.body.connection:
        _note(stats.people, told.session, thing, 0, at)


def _published(stats: Stats, told: _Line, at: int, lag: Lags) -> None:
    if thing := told.body.stream:
        _note(stats.streams, told.session, thing, at, 0)
        _lag(lag, at, thing)
        if thing.connection:
            _note(stats.people, told.session, thing.connection, 0, 0)


def _unpublished(stats: Stats, told: _Line, at: int, _: Lags) -> None:
    if thing := told.body.stream:
        _note(stats.streams, told.session, thing, 0, at)
        if thing.connection:
            _note(stats.people, told.session, thing.connection, 0, 0)


def _called(_: Stats, told: _Line, at: int, lag: Lags) -> None:
    if thing := told.body.call:
        _lag(lag, at, thing)


def _closed(stats: Stats, told: _Line, at: int, _: Lags) -> None:
    if told.session is not None:
        stats.destroyed.setdefault(told.session, []).append(at)


_LIVES: dict[str, Callable[[Stats, _Line, int, Lags], None]] = {
    "connectionCreated": _connected,
    "connectionDestroyed": _disconnected,
    "streamCreated": _published,
    "streamDestroyed": _unpublished,
    "callCreated": _called,
    "sessionDestroyed": _closed,
}
"""What notes when something began or ended, by type."""


def _reason_of_call(body: _Body, call: _Thing) -> str | None:
    told = body.reason_message or call.reason_message
    return told or body.reason_code or call.reason_code


def _body_of(entry: Entry) -> _Body:
    """The few fields, of an event that was read with all its tolerance."""
    event = entry.event
    dated, created = event.type in _DATED, event.created_ms
    body = _Body(
        timestamp=None if dated else event.said_ms,
        updated_at=event.said_ms if dated else None,
        reason=event.reason,
        status=event.status,
    )
    match event:
        case ConnectionEvent():
            body.connection = _Thing(event.connection_id, created)
        case StreamEvent():
            owner = event.stream.connection if event.stream else None
            whose = _Thing(owner.id, owner.created_at) if owner else None
            body.stream = _Thing(event.stream_id, created, whose)
        case CallEvent():
            body.call = _Thing(event.call_id, created)
        case _:
            pass
    return body


def stats_of(
    sources: Iterable[str | None], chosen: Filter, bad: Callable[[scan.BadLine], None]
) -> Stats:
    """The figures of every chosen delivery of the sources (None is standard input)."""
    gc.disable()  # what is read makes no cycles, and is much
    stats = Stats()
    for source in sources:
        name = streams.source_name(source)
        with streams.opened(source) as stream:
            for batch in scan.choose(stream, name, chosen, bad):
                _count(stats, batch, name, bad)
    return stats


def stats_with(
    sources: Iterable[str | None],
    chosen: Filter,
    each: Callable[[Entry], object],
    bad: Callable[[scan.BadLine], None],
) -> Stats:
    """The same figures, while `each` gets every delivery, chosen or not, with all it says."""
    stats = Stats()

    def both(entry: Entry) -> None:
        each(entry)
        if chosen(entry):
            stats.entry(entry)

    look.read(sources, Filter(), both, bad)
    return stats


def _count(
    stats: Stats, batch: list[scan.Stored], name: str, bad: Callable[[scan.BadLine], None]
) -> None:
    plain = [line for line, entry in batch if entry is None or line.startswith(START)]
    for line, entry in batch:
        if entry is not None and not line.startswith(START):
            stats.entry(entry)
    for at in range(0, len(plain), _AT_ONCE):
        stats.lines(plain[at : at + _AT_ONCE], lambda why: bad(scan.BadLine(name, 0, why)))
