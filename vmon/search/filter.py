"""The filter of every command: selects deliveries, and describes itself in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmon.events.catalogue import NAMES
from vmon.humanize import count, handle, iso
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.search.expression import Expression

_IDS = ("session", "connection", "stream", "archive", "call", "project", "delivery")
_WORDS = ("reason", "status", "path")
_HANDLE = 10
"""A longer value is an ID or a prefix of one, not a handle."""
_ENOUGH_TO_WARN = 1000


class Filter(NamedTuple):
    """The conditions on a delivery, joined by AND; several values of one field are joined by OR.

    IDs match by prefix, sessions also by the handle that is shown for them. `reason` and `status`
    match whole, ignoring case, `path` a part of the path, `verdict` the kind of a verdict.
    `since` and `until` are aware UTC and compared with the time of receipt.
    """

    types: frozenset[str] | None = None
    session: tuple[str, ...] = ()
    connection: tuple[str, ...] = ()
    stream: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    call: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    delivery: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    where: Expression | None = None
    invert: bool = False

    @property
    def selects_all(self) -> bool:
        """Whether no condition is set, so that every delivery passes."""
        return self == Filter()

    @property
    def needs_body(self) -> bool:
        """Whether a condition is set that needs the decoded body."""
        ids = self.connection or self.stream or self.archive or self.call or self.project
        return bool(ids or self.reason or self.status)

    def __call__(self, entry: Entry) -> bool:
        """Whether this entry passes the filter."""
        return self._matches(entry) is not self.invert

    def _matches(self, entry: Entry) -> bool:
        delivery = entry.delivery
        return (
            (self.types is None or entry.type in self.types)
            and (self.since is None or delivery.received_at >= self.since)
            and (self.until is None or _received_before(delivery, self.until))
            and (not self.session or session_matches(entry.session, self.session))
            and (not self.verdict or _verdict_kind(entry) in self.verdict)
            and (not self.delivery or delivery.id.startswith(self.delivery))
            and (not self.path or any(part in delivery.path for part in self.path))
            and (not self.needs_body or self._matches_body(entry))
            and (self.where is None or self.where(entry))
        )

    def _matches_body(self, entry: Entry) -> bool:
        event = entry.event
        ids = (
            (self.connection, event.connection_id),
            (self.stream, event.stream_id),
            (self.archive, event.archive_id),
            (self.call, event.call_id),
            (self.project, event.project_id),
        )
        words = ((self.reason, event.reason), (self.status, event.status))
        return all(_starts(value, values) for values, value in ids if values) and all(
            value is not None and value.lower() in {word.lower() for word in values}
            for values, value in words
            if values
        )

    def __str__(self) -> str:
        """Describe the filter: `streamCreated or streamDestroyed, session OTk4N2`."""
        text = ", ".join(self._clauses()) or "everything"
        return f"not ({text})" if self.invert else text

    def _clauses(self) -> Iterable[str]:
        if self.types is not None:
            yield _types_in_words(self.types)
        for name in (*_IDS, *_WORDS):
            if values := getattr(self, name):
                shown = (
                    handle(v, name) if name == "session" and len(v) > _HANDLE else v for v in values
                )
                yield f"{name} " + " or ".join(disarm(value) for value in shown)
        if self.verdict:
            yield "signature " + " or ".join(disarm(kind) for kind in self.verdict)
        if self.since:
            yield f"since {iso(self.since)[:19]}Z"
        if self.until:
            yield f"until {iso(self.until)[:19]}Z"
        if self.where:
            yield str(self.where)


def _received_before(delivery: Delivery, until: datetime) -> bool:
    """Whether it was received before then; a bare body without a time was not."""
    at = delivery.received_or_none
    return at is not None and at < until


def _verdict_kind(entry: Entry) -> str | None:
    return entry.verdict.kind if entry.verdict else None


def _types_in_words(types: frozenset[str]) -> str:
    missing = [name for name in NAMES if name not in types]
    if not types:
        return "no event types"
    if 0 < len(missing) < len(types):
        return "all types except " + ", ".join(missing)
    return " or ".join(name for name in NAMES if name in types)


def session_matches(session: str | None, values: tuple[str, ...]) -> bool:
    """Whether a session ID starts with one of the values, or has one of them as its handle."""
    if session is None:
        return False
    return session.startswith(values) or handle(session, "session") in values


def _starts(value: str | None, values: tuple[str, ...]) -> bool:
    return value is not None and value.startswith(values)


class Prefixes:
    """The IDs that each prefix of a filter matched: a prefix is meant to be unique."""

    def __init__(self, chosen: Filter) -> None:
        values = {
            name: getattr(chosen, name) for name in ("connection", "stream", "archive", "call")
        }
        self._seen = {
            (name, prefix): set[str]() for name, all_ in values.items() for prefix in all_
        }

    def note(self, chosen: Iterable[Entry | None]) -> None:
        """Remember which IDs of selected entries the prefixes matched."""
        if not self._seen:
            return
        for entry in chosen:
            for (name, prefix), seen in self._seen.items():
                value = entry and getattr(entry.event, f"{name}_id")
                if value and value.startswith(prefix) and len(seen) < _ENOUGH_TO_WARN:
                    seen.add(value)

    def ambiguous(self) -> Iterable[str]:
        """Yield a sentence for each prefix that matched several IDs."""
        for (name, prefix), seen in self._seen.items():
            if len(seen) > 1:
                yield f"--{name} {disarm(prefix)} matches {count(len(seen), name)}"
