"""Check single payloads for oddities: undocumented types and fields, invalid timestamps.

Each kind is one oddity, however many deliveries have it: that of the first one by event time.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import inspect

from vmon.analysis.oddities.codes import CODES, Oddity, order
from vmon.events.catalogue import TYPES, meant
from vmon.events.models import (
    ArchiveEvent,
    BroadcastEvent,
    Undecodable,
    UnknownEvent,
    is_keyed,
)
from vmon.events.parse import SHAPES
from vmon.events.payload import is_guess
from vmon.events.timestamps import FIRST_MS, LAST_MS, MINUTE_MS, in_ms
from vmon.humanize import duration, handle
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.events.models import BroadcastUrls, Event

_Kind = tuple[str, str, str]
"""A code, the event type, and what is odd about it."""

_MOST = 1000  # distinct kinds of a code: made-up names must not exhaust memory, nor hide others


class _Found(NamedTuple):
    code: str
    what: str
    text: str


class PayloadChecks:
    """The kinds of oddities found in payloads, in bounded memory."""

    def __init__(self) -> None:
        self._first: dict[_Kind, Oddity] = {}
        self._count: dict[_Kind, int] = {}
        self._kinds: Counter[str] = Counter()

    def note(self, entry: Entry, *, is_copy: bool = False) -> list[Oddity]:
        """Check a delivery; the oddities of new kinds. A copy is not counted."""
        new = []
        for found in {(one.code, one.what): one for one in _found(entry)}.values():
            kind = found.code, entry.type, found.what
            odd, first = _oddity(entry, found), self._first.get(kind)
            if first is None and self._kinds[found.code] >= _MOST:
                continue
            if first is None:
                new.append(odd)
                self._kinds[found.code] += 1
            if first is None or order(odd) < order(first):
                self._first[kind] = odd
            self._count[kind] = self._count.get(kind, 0) + (not is_copy)
        return new

    def oddities(self) -> Iterator[Oddity]:
        """Yield one oddity of each kind, with the number of deliveries that have it."""
        from msgspec.structs import replace

        for kind, odd in self._first.items():
            often = self._count[kind]
            more = f" ({often:,} deliveries, this is the first)" if often > 1 else ""
            yield replace(odd, text=odd.text + more)


def _oddity(entry: Entry, found: _Found) -> Oddity:
    event = entry.event
    about = (event.stream_id, event.archive_id, event.call_id, event.connection_id)
    one = next(filter(None, (*about, getattr(event, "id", None))), None)
    severity = CODES[found.code].severity
    ids = (one,) if one else ()
    return Oddity(found.code, severity, entry.occurred_ms, entry.session, ids, found.text)


def _found(entry: Entry) -> Iterator[_Found]:
    event, value = entry.event, entry.payload.value
    if isinstance(event, Undecodable):
        problem = disarm(event.problem)
        kind = re.sub(r"\d+", "#", problem)
        yield _Found("undecodable", kind, f"body is not JSON: {problem.removeprefix('not JSON: ')}")
        return
    name = disarm(entry.type)  # a capture may have been made by anyone
    found = [*_unknown(name, event, value)]
    if event.warnings:
        found += _warned(name, event)
    if isinstance(value, dict):
        shape = SHAPES.get(entry.type)
        _walk(_known(shape or UnknownEvent), value, "", name, found)
        if shape is None:  # an unknown type has no known fields either
            found = [one for one in found if one.code != "unknown-field"]
        elif is_guess(entry.type, value):
            found = _doubted(name, found)
    yield from found
    yield from _created_later(name, event)
    yield from _failed(event)


_DOUBTS = frozenset({"unknown-event", "unknown-status", "unknown-field"})
_MOST_DOUBTS = 4


def _doubted(name: str, found: list[_Found]) -> list[_Found]:
    """One hint for all that does not fit a type that was only guessed."""
    doubts = [one for one in found if one.code in _DOUBTS]
    if all(one.code == "unknown-event" for one in doubts):
        return found
    listed = [f"{one.code.replace('-', ' ')} {one.what}" for one in doubts[:_MOST_DOUBTS]]
    more = f" and {len(doubts) - len(listed):,} more" if len(doubts) > len(listed) else ""
    named = next((one.what for one in doubts if one.code == "unknown-event"), "")
    hint = f"perhaps a {name}, perhaps none of Vonage's: {', '.join(listed)}{more}"
    rest = [one for one in found if one.code not in _DOUBTS]
    return [_Found("unknown-event", named, hint), *rest]


def _created_later(name: str, event: Event) -> Iterator[_Found]:
    """A creation that is later than the event which tells of it."""
    at_ms, created_ms = in_ms(event.occurred_ms), in_ms(event.created_ms)
    if at_ms is not None and created_ms is not None and created_ms - at_ms > MINUTE_MS:
        later = duration((created_ms - at_ms) / 1000)
        said = f"{name}: createdAt is {later} later than the event itself"
        yield _Found("created-after-event", "", said)


def _unknown(name: str, event: Event, value: Any) -> Iterator[_Found]:
    stated = value.get("event") if isinstance(value, dict) else None
    if isinstance(stated, str) and stated != name:
        what = _quoted(stated)
        treated = "" if name == "unknown" else f", treated as {name}"
        near = meant(stated) if name == "unknown" else None
        hint = f"; did you mean {near}?" if near else ""
        yield _Found("unknown-event", what, f"unknown event {what}{treated}{hint}")
    elif name == "unknown":
        text = "JSON of an unknown type, without an `event`"
        yield _Found("unknown-event", "", text + _contents(event))
    entry = TYPES.get(name)
    if entry is None:
        return
    if entry.closed_reasons and event.reason and event.reason not in entry.reasons:
        what = _quoted(event.reason)
        yield _Found("unknown-reason", what, f"{name}: unknown reason {what}")
    if entry.statuses and event.status and event.status not in entry.statuses:
        what, which = _quoted(event.status), "state" if entry.group == "call" else "status"
        yield _Found("unknown-status", what, f"{name}: unknown {which} {what}")


def _contents(event: Event) -> str:
    """What JSON of no known type has instead of an `event`: `: status "paid", keys "id"`."""
    if not isinstance(event, UnknownEvent) or not event.keys:
        return ""
    keys = ", ".join(_quoted(key) for key in event.keys[:_MOST_KEYS])
    more = ", …" if len(event.keys) > _MOST_KEYS else ""
    status_like = (
        f"{event.status_like[0]} {_quoted(event.status_like[1])}, " if event.status_like else ""
    )
    return f": {status_like}keys {keys}{more}"


_MOST_KEYS = 5
_REPORTED_PRECISELY = ("unknown ", "perhaps a ", "timestamp is not in milliseconds since the epoch")


def _warned(name: str, event: Event) -> Iterator[_Found]:
    """Convert the decoder's warnings, except those that are reported more precisely here."""
    for warning in event.warnings:
        if not warning.startswith(_REPORTED_PRECISELY):
            what = disarm(warning)
            code = "wrong-type" if " should be " in what else "malformed-body"
            yield _Found(code, re.sub(r"\d+", "#", what), f"{name}: {what}")


# Unknown fields and invalid timestamps, at every level of the struct.


class _Known(NamedTuple):
    """The field names of an object, and the same for its nested objects.

    With `keyed` there may be several of it in an object, keyed by their IDs.
    """

    names: frozenset[str]
    nested: tuple[tuple[str, _Known], ...]
    keyed: bool = False


@cache
def _known(shape: type) -> _Known:
    found = _inside(inspect.type_info(shape))
    assert found  # noqa: S101 - narrows the type for mypy
    return found


def _inside(info: inspect.Type) -> _Known | None:
    match info:
        case inspect.Metadata(type=inner) | inspect.ListType(item_type=inner):
            return _inside(inner)
        case inspect.UnionType(types=types):
            found = next(filter(None, map(_inside, types)), None)
            keyed = any(isinstance(one, inspect.DictType) for one in types)
            return found._replace(keyed=True) if found and keyed else found
        case inspect.StructType(fields=fields):
            nested = [(one.encode_name, found) for one in fields if (found := _inside(one.type))]
            return _Known(frozenset(one.encode_name for one in fields), tuple(nested))
        case _:
            return None


_TIMESTAMPS = ("createdAt", "updatedAt", "timestamp")


def _walk(known: _Known, value: dict[str, Any], path: str, name: str, found: list[_Found]) -> None:
    """Find unknown fields, and timestamps that are not in milliseconds."""
    if not value.keys() <= known.names:
        for key in [key for key in value if key not in known.names]:
            what = disarm(path) + _quoted(key)
            text = f"{name}: unknown field {what}"
            found.append(_Found("unknown-field", what, text))
    for key in _TIMESTAMPS:
        at: Any = value.get(key)
        if type(at) in {int, float} and not FIRST_MS <= at <= LAST_MS and key in known.names:
            found.append(_time(name, path + key, at))
    for key, deeper in known.nested:
        for one in _objects(value.get(key), deeper):
            _walk(deeper, one, f"{path}{key}.", name, found)


def _objects(value: Any, known: _Known) -> Iterator[dict[str, Any]]:
    """The objects of a kind that a field holds: one, or a list of them, or some keyed by ID."""
    if type(value) is dict:
        is_several = known.keyed and is_keyed(value, known.names)
        yield from value.values() if is_several else (value,)
    elif type(value) is list:
        yield from (one for one in value if type(one) is dict)


def _time(name: str, where: str, at: float) -> _Found:
    if 0 < at < FIRST_MS:
        return _Found(
            "seconds-for-ms", where, f"{name}: {where} is in seconds, not milliseconds: {at:.15g}"
        )
    text = f"{name}: {where} is not a time in milliseconds: {_number(at)}"
    return _Found("impossible-time", where, text)


def _number(value: float) -> str:
    """Format an untrusted number, which may have thousands of digits."""
    return str(value) if abs(value) <= _LONGEST_NUMBER else "more than 18 digits"


_LONGEST_NUMBER = 10**18


# Failures that are not part of the session's state.


def _failed(event: Event) -> Iterator[_Found]:
    match event:
        case ArchiveEvent(transcription=result) if result and result.status == "failed":
            why = f": {disarm(result.reason[:60])}" if result.reason else ""
            which = handle(event.id or "")
            yield _Found("failed", event.id or "", f"transcription of archive {which} failed{why}")
        case BroadcastEvent(broadcast_urls=urls) if urls:
            yield from _unreachable(event.id or "", urls)
        case _:
            pass


def _unreachable(broadcast: str, urls: BroadcastUrls) -> Iterator[_Found]:
    if urls.hls_status == "error":
        yield _Found("failed", f"{broadcast} HLS", f"HLS of broadcast {handle(broadcast)} failed")
    for target in urls.targets:
        if target.status == "error":
            name = disarm((target.id or "")[:40])
            text = f"broadcast {handle(broadcast)} cannot reach its RTMP target {name}".rstrip()
            yield _Found("failed", f"{broadcast} RTMP {name}", text)


_LONGEST = 60


def _quoted(text: str) -> str:
    safe = disarm(text[: _LONGEST + 1])
    return f'"{safe}"' if len(text) <= _LONGEST else f'"{safe[:_LONGEST]}…"'
