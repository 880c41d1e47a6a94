"""The records of the session store, and their compression: pack and unpack."""

from __future__ import annotations

import pickle
import zlib
from array import array
from itertools import accumulate

import msgspec
from msgspec import Struct, field

from vmon.sessions.model import Session, is_open


class StoredSession(Struct, gc=False):
    """A session and the hashes of the bodies it was reduced from.

    `seen_bodies` maps the hash of each body to when it was first received (ms), `copies` those
    received more than once to how often; `tokens` hashes of a verified token and its body to when.
    `unstamped` are the events without a timestamp, and when they were first received;
    `rounds` those that open and close the session: when, whether it opens, why it closed.
    `stamped_ms` is the newest timestamp of an event, `newest_ms` the newest receipt;
    `in_order_ms` the newest timestamp that is not in the future: an older event is late.
    """

    session: Session
    seen_bodies: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    unstamped: dict[int, int] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    rounds: dict[int, tuple[int, bool, str | None]] = field(default_factory=dict)
    stamped_ms: int = 0
    newest_ms: int = 0
    in_order_ms: int = 0


def weight(record: StoredSession) -> int:
    """Count the hashes that a record holds."""
    return len(record.seen_bodies) + len(record.tokens)


def drop(record: StoredSession, before_ms: int) -> None:
    """Drop the hashes of bodies first received before an instant: no copy of them can arrive."""
    expired = [key for key, at_ms in record.seen_bodies.items() if at_ms < before_ms]
    for key in expired:
        del record.seen_bodies[key]
        record.copies.pop(key, None)
        record.stamped_ms = max(record.stamped_ms, record.unstamped.pop(key, 0))
    record.tokens = {key: at for key, at in record.tokens.items() if at >= before_ms}


class Packed(Struct, gc=False):
    """A compressed record. Hashes do not compress, and are stored raw."""

    fields: bytes
    seen_bodies: bytes
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
    """Compress a record, without loss."""
    fields = _Facts(
        record.session,
        _deltas(list(record.seen_bodies.values())),
        _deltas(list(record.tokens.values())),
        record.copies,
        record.unstamped,
        record.rounds,
        record.stamped_ms,
        record.in_order_ms,
    )
    return Packed(
        zlib.compress(_encoded(fields), 1),
        array("q", record.seen_bodies).tobytes(),
        array("q", record.tokens).tobytes(),
        record.newest_ms,
        is_open(record.session),
    )


def unpack(packed: Packed) -> StoredSession:
    """Decompress a record."""
    fields = _decoded(zlib.decompress(packed.fields))
    return StoredSession(
        fields.session,
        dict(zip(_numbers(packed.seen_bodies), accumulate(fields.received), strict=True)),
        fields.copies,
        fields.unstamped,
        dict(zip(_numbers(packed.tokens), accumulate(fields.verified), strict=True)),
        fields.rounds,
        fields.stamped_ms,
        packed.newest_ms,
        fields.in_order_ms,
    )


def _encoded(fields: _Facts) -> bytes:
    try:
        return _encode(fields)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can escape: rare
        return _PICKLED + pickle.dumps(fields)


def _decoded(data: bytes) -> _Facts:
    if data.startswith(_PICKLED):
        fields: _Facts = pickle.loads(data[1:])  # noqa: S301 - made above, and never left memory
        return fields
    return _decode(data)


def _numbers(packed: bytes) -> array[int]:
    numbers = array("q")
    numbers.frombytes(packed)
    return numbers


def _deltas(numbers: list[int]) -> list[int]:
    """Delta-encode numbers: small ones, in few bytes."""
    return [after - before for before, after in zip([0, *numbers], numbers, strict=False)]
