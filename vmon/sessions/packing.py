"""What the book keeps of a session beside its facts, and the two packed small and back again."""

from __future__ import annotations

import pickle
import zlib
from array import array
from itertools import accumulate

import msgspec
from msgspec import Struct, field

from vmon.sessions.model import Session, is_open


class StoredSession(Struct, gc=False):
    """A session and the marks of the bodies it was told by.

    `marks` maps the mark of each body to when it was first received (ms), `copies` those that came
    more than once to how often; `tokens` the marks of verified tokens with their bodies to when.
    `unstamped` are the events without a time of their own, and when they were first received;
    `rounds` those that open and close the session: when, whether it opens, why it closed.
    `stamped_ms` is the newest time that an event told, `newest_ms` the newest receipt;
    `in_order_ms` the newest time told that is not in the future: what tells an older one is late.
    """

    session: Session
    marks: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    unstamped: dict[int, int] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    rounds: dict[int, tuple[int, bool, str | None]] = field(default_factory=dict)
    stamped_ms: int = 0
    newest_ms: int = 0
    in_order_ms: int = 0


def weight(record: StoredSession) -> int:
    """How many marks a record holds."""
    return len(record.marks) + len(record.tokens)


def drop(record: StoredSession, before_ms: int) -> None:
    """Drop the marks of what was first received before then: no copy of it comes any more."""
    gone = [mark for mark, at_ms in record.marks.items() if at_ms < before_ms]
    for mark in gone:
        del record.marks[mark]
        record.copies.pop(mark, None)
        record.stamped_ms = max(record.stamped_ms, record.unstamped.pop(mark, 0))
    record.tokens = {mark: at for mark, at in record.tokens.items() if at >= before_ms}


class Packed(Struct, gc=False):
    """A record in few bytes. Marks look like noise, and are left out of the compression."""

    facts: bytes
    marks: bytes
    tokens: bytes
    newest_ms: int
    open: bool


class _Facts(Struct, array_like=True):
    session: Session
    received: list[int]
    verified: list[int]
    copies: dict[int, int]
    unstamped: dict[int, int]
    rounds: dict[int, tuple[int, bool, str | None]]
    stamped_ms: int
    in_order_ms: int


_PICKLED = b"\xc1"  # begins nothing in msgpack
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Facts).decode


def pack(record: StoredSession) -> Packed:
    """Pack a record; nothing is lost."""
    facts = _Facts(
        record.session,
        _steps(list(record.marks.values())),
        _steps(list(record.tokens.values())),
        record.copies,
        record.unstamped,
        record.rounds,
        record.stamped_ms,
        record.in_order_ms,
    )
    return Packed(
        zlib.compress(_encoded(facts), 1),
        array("q", record.marks).tobytes(),
        array("q", record.tokens).tobytes(),
        record.newest_ms,
        is_open(record.session),
    )


def unpack(packed: Packed) -> StoredSession:
    """The record that was packed."""
    facts = _decoded(zlib.decompress(packed.facts))
    marks = _numbers(packed.marks)
    return StoredSession(
        facts.session,
        dict(zip(marks, accumulate(facts.received), strict=True)),
        facts.copies,
        facts.unstamped,
        dict(zip(_numbers(packed.tokens), accumulate(facts.verified), strict=True)),
        facts.rounds,
        facts.stamped_ms,
        packed.newest_ms,
        facts.in_order_ms,
    )


def _encoded(facts: _Facts) -> bytes:
    try:
        return _encode(facts)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape: rare
        return _PICKLED + pickle.dumps(facts)


def _decoded(data: bytes) -> _Facts:
    if data.startswith(_PICKLED):
        facts: _Facts = pickle.loads(data[1:])  # noqa: S301 - made above, and never left memory
        return facts
    return _decode(data)


def _numbers(packed: bytes) -> array[int]:
    found = array("q")
    found.frombytes(packed)
    return found


def _steps(numbers: list[int]) -> list[int]:
    """Each number less the one before it: small ones, in few bytes."""
    return [after - before for before, after in zip([0, *numbers], numbers, strict=False)]
