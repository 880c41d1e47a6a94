"""Sample events: the catalogue's samples with new, consistent IDs and times."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable


class Sample(NamedTuple):
    """A type of the catalogue, and what is set in its sample (dotted paths) before it is fresh."""

    type: str
    changes: tuple[tuple[str, Any], ...] = ()


def _status(status: str, **more: Any) -> tuple[tuple[str, Any], ...]:
    return ("status", status), *more.items()


_CALLER = (
    ("connection.id", TYPES["callCreated"].sample["call"]["connectionId"]),
    ("connection.data", ""),
)
STORY = (
    Sample("sessionCreated"),
    Sample("connectionCreated"),
    Sample("streamCreated"),
    Sample("archive", _status("started", reason="", duration=0, size=0, url=None)),
    Sample("callCreated"),
    Sample("connectionCreated", _CALLER),
    Sample("callUpdated"),
    Sample("captions"),
    Sample("render"),
    Sample("broadcast"),
    Sample("sessionNotification"),
    Sample("muteForced"),
    Sample("broadcast", _status("stopped", broadcastUrls=None)),
    Sample("render", _status("stopped")),
    Sample("captions", _status("stopped")),
    Sample("callDestroyed"),
    Sample("connectionDestroyed", _CALLER),
    Sample("archive", _status("stopped", size=0, url=None)),
    Sample("streamDestroyed"),
    Sample("connectionDestroyed"),
    Sample("archive"),
    Sample("sessionDestroyed"),
)
"""A whole session in causal order, with every event type: what begins in it also ends."""

ORDER = tuple(dict.fromkeys(sample.type for sample in STORY))
"""Every event type once, in the order of the story."""

_LAG_MS = 120
"""The event delay in samples: from the creation of something to its event."""
_TIME_FIELDS = frozenset({"createdAt", "updatedAt", "timestamp"})


class Scenario:
    """Makes samples of the same session: its connection, stream, archive, call.

    With `unified`, the samples of a Unified application instead of an OpenTok project.
    """

    def __init__(self, now_ms: int, *, unified: bool = False) -> None:
        self._unified = unified
        self._ids: dict[str, str] = {}
        self._created_ms: dict[str, int] = {}
        self._lasted_s: dict[str, int] = {}
        self._start_ms = now_ms

    def payload(
        self, wanted: Sample | str, at_ms: int, changes: Iterable[tuple[str, Any]] = ()
    ) -> bytes:
        """Make the body of a sample, as sent at `at_ms` (ms since the epoch, UTC)."""
        wanted = Sample(wanted) if isinstance(wanted, str) else wanted
        event_type = TYPES[wanted.type]
        sample = (event_type.sample_unified if self._unified else None) or event_type.sample
        sample = deepcopy(sample)
        for path, value in wanted.changes:
            change(sample, path, value)
        payload: dict[str, Any] = self._renewed(sample, at_ms)
        for path, value in changes:
            change(payload, path, value)
        return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()

    def _renewed(self, value: Any, at_ms: int, key: str = "") -> Any:
        match value:
            case dict():
                fields = {name: self._renewed(inner, at_ms, name) for name, inner in value.items()}
                return self._dated(fields, at_ms)
            case list():
                return [self._renewed(inner, at_ms, key) for inner in value]
            case str() if key in {"id", "sessionId"} or key.endswith("Id"):
                return self._ids.setdefault(value, self._new_id(value, key)) if value else value
            case _:
                return value

    def _dated(self, value: dict[str, Any], at_ms: int) -> dict[str, Any]:
        """Set the times of an object to about `at_ms`; `createdAt` stays the same for an ID."""
        for name in _TIME_FIELDS & value.keys():
            if type(value[name]) is int:
                value[name] = at_ms
        if "createdAt" in value:
            identifier = value.get("id") or value.get("captionsId") or ""
            lasted_ms = 1000 * (value.get("duration") or 0)
            created_ms = self._created_ms.setdefault(identifier, at_ms - _LAG_MS - lasted_ms)
            value["createdAt"] = created_ms
            if lasted_ms:  # its duration stays the one with which it ended
                lasted_s = (at_ms - created_ms) // 1000
                value["duration"] = self._lasted_s.setdefault(identifier, lasted_s)
        return value

    def _new_id(self, old: str, key: str) -> str:
        if key in {"projectId", "partnerId", "applicationId"}:
            return old
        if key != "sessionId":
            return str(uuid4())
        parts = old[2:] + "=" * (-len(old[2:]) % 4)
        return _session_id(parts, self._start_ms, old[:2])


def _session_id(coded: str, created_ms: int, prefix: str) -> str:
    """Make a session ID of the same project; see `events.session_id` for its parts."""
    from base64 import urlsafe_b64decode

    project = urlsafe_b64decode(coded).decode("latin-1").split("~")[1]
    parts = f"1~{project}~~{created_ms}~{secrets.token_hex(8)}~"
    return prefix + urlsafe_b64encode(parts.encode()).decode().rstrip("=")


def parse_change(text: str) -> tuple[str, Any]:
    """Parse `stream.name=Ann` into a path and a value: JSON if it is valid JSON, else the text."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise WrongUse(f"--set needs FIELD=VALUE, not {text!r}", hint="use --set stream.name=Ann")
    try:
        return path, json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return path, value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def change(payload: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path; missing objects on the way are created."""
    *parents, last = path.split(".")
    target = payload
    for name in parents:
        target = target.setdefault(name, {})
        if not isinstance(target, dict):
            raise WrongUse(
                f"cannot set {path!r}: {name!r} is not an object",
                hint="run vmon events TYPE for the fields",
            )
    target[last] = value
