"""What of a delivery may be shown to others: the same request without its secrets.

Left out are headers and query values that let somebody in, passwords of archives and live stream
keys. A body without any stays byte for byte; of the others only the secrets change.
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
"""What stands in a secret's place."""

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
    """The delivery without its secrets, and what they were called."""
    delivery, found = entry.delivery, []
    headers = []
    for name, value in delivery.headers:
        if _NAMES.search(name):
            found.append(name)
        else:
            headers.append((name, value))
    path = _QUERY.sub(lambda match: _without(match, found), delivery.path)
    body, plain = _sealed_body(entry, found)
    if plain:
        headers = [one for one in headers if one[0].lower() != "content-encoding"]
    changed = replace(delivery, path=path, headers=tuple(headers), body=body)
    return changed, tuple(found)


class ScrubPolicy:
    """What becomes of secrets: removed and counted by name in `removed`, unless `keep` is set."""

    def __init__(self, removed: Counter[str], *, keep: bool) -> None:
        self._removed = removed
        self._keep = keep

    def __call__(self, entry: Entry) -> Delivery:
        """The delivery as it may be shown."""
        if self._keep:
            return entry.delivery
        delivery, names = scrub(entry)
        self._removed.update(names)
        return delivery


def sealed_url(url: str) -> str:
    """The URL without the secret values in its query."""
    return _QUERY.sub(lambda match: _without(match, []), url)


def _without(match: re.Match[str], found: list[str]) -> str:
    if not _NAMES.search(match[2]) or match[3] in {"", REMOVED}:
        return match[0]
    found.append(match[2])
    return f"{match[1]}{match[2]}={REMOVED}"


def _sealed_body(entry: Entry, found: list[str]) -> tuple[bytes, bool]:
    """The body without its secrets; and whether it is no longer encoded as it was."""
    body, payload = entry.delivery.body, entry.payload
    names: list[str] = []
    value = _walked(payload.value, names)
    if payload.json is None or not names:
        names = []
        text = _IN_TEXT.sub(lambda match: _cut(match, names), body)
        found += names
        return (text, False) if names else (body, False)
    found += names
    again: list[str] = []
    text = _IN_TEXT.sub(lambda match: _cut(match, again), payload.json)
    if _is_clean(text):
        return text, True
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace"), True


def _is_clean(text: bytes) -> bool:
    left: list[str] = []
    try:
        _walked(json.loads(text), left)
    except (ValueError, RecursionError):
        return False
    return not left


def _cut(match: re.Match[bytes], names: list[str]) -> bytes:
    if match[0] == match[1] + REMOVED.encode() + match[2] or match[0] == match[1] + match[2]:
        return match[0]
    names.append(match[1].split(b'"')[1].decode("latin-1"))
    return match[1] + REMOVED.encode() + match[2]


def _walked(value: Any, names: list[str]) -> Any:
    """The value with its secrets replaced; what they are called goes to `names`."""
    match value:
        case dict():
            return {key: _kept(key, one, names) for key, one in value.items()}
        case list():
            return [_walked(one, names) for one in value]
        case _:
            return value


def _kept(key: str, value: Any, names: list[str]) -> Any:
    plain = key.replace("_", "").replace("-", "").lower()
    if plain not in _KEYS or value in (None, "", REMOVED) or isinstance(value, bool):
        return _walked(value, names)
    names.append(key)
    return REMOVED
