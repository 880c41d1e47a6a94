"""Scrub secrets from deliveries before they are exported.

Removed are credentials in headers and in the query, passwords of archives and live stream
keys. A body without secrets stays the same byte for byte; in the others only secrets change.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections import Counter

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry

REMOVED = "left-out"
"""The replacement of a secret."""

_NAMES = re.compile(
    r"auth|cookie|token|secret|passw|api[-_]?key|signature|credential", re.IGNORECASE
)
_KEYS = frozenset({"password", "streamname", "streamkey", "secret", "apisecret", "authorization"})
_QUERY = re.compile(r"([?&])([^=&#]*)=([^&#]*)")
_IN_TEXT = re.compile(
    rb'("(?:password|streamName|streamKey|secret|apiSecret|authorization)"\s*:\s*")'
    rb'(?:[^"\\]|\\.)*("?)',
    re.IGNORECASE | re.DOTALL,
)


def scrub(entry: Entry) -> tuple[Delivery, tuple[str, ...]]:
    """Remove the secrets of a delivery; returns the delivery and the secrets' names."""
    delivery, names = entry.delivery, []
    headers = []
    for name, value in delivery.headers:
        if _NAMES.search(name):
            names.append(name)
        else:
            headers.append((name, value))
    path = _QUERY.sub(lambda match: _scrub_parameter(match, names), delivery.path)
    body, is_decoded = _scrub_body(entry, names)
    if is_decoded:
        headers = [header for header in headers if header[0].lower() != "content-encoding"]
    changed = replace(delivery, path=path, headers=tuple(headers), body=body)
    return changed, tuple(names)


class ScrubPolicy:
    """Removes secrets and counts them by name in `removed`, unless `keep` is set."""

    def __init__(self, removed: Counter[str], *, keep: bool) -> None:
        self._removed = removed
        self._keep = keep

    def __call__(self, entry: Entry) -> Delivery:
        """Scrub the delivery of an entry."""
        if self._keep:
            return entry.delivery
        delivery, names = scrub(entry)
        self._removed.update(names)
        return delivery


def scrub_url(url: str) -> str:
    """Remove the secrets in the query of a URL."""
    return _QUERY.sub(lambda match: _scrub_parameter(match, []), url)


def _scrub_parameter(match: re.Match[str], names: list[str]) -> str:
    if not _NAMES.search(match[2]) or match[3] in {"", REMOVED}:
        return match[0]
    names.append(match[2])
    return f"{match[1]}{match[2]}={REMOVED}"


def _scrub_body(entry: Entry, removed: list[str]) -> tuple[bytes, bool]:
    """Remove the secrets of the body; returns it, and whether it was decoded for that."""
    body, payload = entry.delivery.body, entry.payload
    names: list[str] = []
    value = _scrub_value(payload.value, names)
    if payload.json is None or not names:
        names = []
        text = _IN_TEXT.sub(lambda match: _scrub_text(match, names), body)
        removed += names
        return (text, False) if names else (body, False)
    removed += names
    repeated: list[str] = []
    text = _IN_TEXT.sub(lambda match: _scrub_text(match, repeated), payload.json)
    if _is_clean(text):
        return text, True
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace"), True


def _is_clean(text: bytes) -> bool:
    remaining: list[str] = []
    try:
        _scrub_value(json.loads(text), remaining)
    except (ValueError, RecursionError):
        return False
    return not remaining


def _scrub_text(match: re.Match[bytes], names: list[str]) -> bytes:
    if match[0] == match[1] + REMOVED.encode() + match[2] or match[0] == match[1] + match[2]:
        return match[0]
    names.append(match[1].split(b'"')[1].decode("latin-1"))
    return match[1] + REMOVED.encode() + match[2]


def _scrub_value(value: Any, names: list[str]) -> Any:
    """Replace the secrets in a value; their names are added to `names`."""
    match value:
        case dict():
            return {key: _scrub_field(key, item, names) for key, item in value.items()}
        case list():
            return [_scrub_value(item, names) for item in value]
        case _:
            return value


def _scrub_field(key: str, value: Any, names: list[str]) -> Any:
    normalized = key.replace("_", "").replace("-", "").lower()
    if normalized not in _KEYS or value in (None, "", REMOVED) or isinstance(value, bool):
        return _scrub_value(value, names)
    names.append(key)
    return REMOVED
