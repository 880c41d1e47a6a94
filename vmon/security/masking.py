"""Mask secrets in what is shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.payload import Payload

MASK = "••••"


SECRETS = frozenset({"password", "streamName"})
"""Keys of payloads whose values are secrets: of an archive, of a live stream."""


_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


_SECRET_TEXT = re.compile(
    r'("(?:password|streamName)"\s*:\s*)("(?:[^"\\]|\\.)*"?|[\[{](?!\s*[\]}]).*|[^\s,{}\[\]"]+)',
    re.DOTALL,
)
"""A secret's key and value: a string, a scalar, or all text after the start of a container."""


_KEY_LINE = re.compile(r'(?P<indent>\s*)(?P<key>"(?:[^"\\]|\\.)*"): (?P<value>.+?)(?P<comma>,?)')
"""A line of indented JSON that begins with a key."""


_SECRET_HINTS = (*SECRETS, "\\u")


_EMPTY = frozenset({"null", '""', "[]", "{}", "false"})


def masked(value: Any) -> Any:
    """Mask the secrets of a payload."""
    try:
        return _masked(value)
    except RecursionError:
        return MASK


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_field(key, inner) for key, inner in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _masked_field(key: str, value: Any) -> Any:
    is_empty = value is None or value is False or value in ("", [], {})  # 0 may be a password
    return MASK if key in SECRETS and not is_empty else _masked(value)


def masked_layout(text: str) -> str:
    """Mask the secrets of indented JSON, which has one key per line; the rest is unchanged."""
    if not any(hint in text for hint in _SECRET_HINTS):
        return text
    return "\n".join(_masked_lines(text.split("\n")))


def _masked_lines(lines: Iterable[str]) -> Iterator[str]:
    ends: tuple[str, ...] = ()
    head = ""
    for line in lines:
        match = None if ends else _KEY_LINE.fullmatch(line)
        if ends and line.startswith(ends):
            yield f'{head}"{MASK}"' + "," * line.endswith(",")
            ends = ()
        elif match and json.loads(match["key"]) in SECRETS and match["value"] not in _EMPTY:
            head = f"{match['indent']}{match['key']}: "
            if match["value"] in {"{", "["}:  # the secret's own lines follow
                ends = (match["indent"] + "}", match["indent"] + "]")
            else:
                yield f'{head}"{MASK}"{match["comma"]}'
        elif not ends:
            yield line


def masked_body(body: bytes, payload: Payload) -> bytes:
    """Mask the secrets of a body: it is JSON again then; a body without secrets is unchanged."""
    if payload.problem is not None or not any(hint.encode() in body for hint in _SECRET_HINTS):
        return body
    try:
        return json.dumps(masked(payload.value)).encode()
    except (ValueError, RecursionError):
        return MASK.encode()


def masked_text(text: str) -> str:
    """Mask the recognizable secrets of text that is not JSON."""
    return _SECRET_TEXT.sub(rf'\1"{MASK}"', text)


def masked_header(name: str, value: str, mask: str = MASK) -> str:
    """Mask the value of a header with credentials, except for its scheme."""
    if name.lower() not in _CREDENTIALS:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {mask}" if space and "=" not in scheme else mask
