"""Secrets masked."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.payload import Payload

MASK = "••••"


SECRETS = frozenset({"password", "streamName"})
"""Keys of payloads whose values open something: an archive, a live stream."""


_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


_SECRET_TEXT = re.compile(
    r'("(?:password|streamName)"\s*:\s*)("(?:[^"\\]|\\.)*"?|[\[{](?!\s*[\]}]).*|[^\s,{}\[\]"]+)',
    re.DOTALL,
)
"""A secret's key, and its value: a string, a scalar, or all that follows the start of more."""


_KEYED = re.compile(r'(?P<indent>\s*)(?P<key>"(?:[^"\\]|\\.)*"): (?P<said>.+?)(?P<comma>,?)')
"""A line of laid-out JSON that begins with a key."""


_SIGNS = (*SECRETS, "\\u")


_NOTHING = frozenset({"null", '""', "[]", "{}", "false"})


def masked(value: Any) -> Any:
    """A payload in which nobody sees a secret."""
    try:
        return _masked(value)
    except RecursionError:
        return MASK


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked_field(key, inner) for key, inner in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value


def _masked_field(key: str, value: Any) -> Any:
    is_empty = value is None or value is False or value in ("", [], {})  # 0 may be a password
    return MASK if key in SECRETS and not is_empty else _masked(value)


def masked_layout(text: str) -> str:
    """JSON laid out, a key a line, without its secrets; all else stays as it is spelt."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return "\n".join(_masked_lines(text.split("\n")))


def _masked_lines(lines: Iterable[str]) -> Iterator[str]:
    ends: tuple[str, ...] = ()
    head = ""
    for line in lines:
        found = None if ends else _KEYED.fullmatch(line)
        if ends and line.startswith(ends):
            yield f'{head}"{MASK}"' + "," * line.endswith(",")
            ends = ()
        elif found and json.loads(found["key"]) in SECRETS and found["said"] not in _NOTHING:
            head = f"{found['indent']}{found['key']}: "
            if found["said"] in {"{", "["}:  # the secret's own lines follow
                ends = (found["indent"] + "}", found["indent"] + "]")
            else:
                yield f'{head}"{MASK}"{found["comma"]}'
        elif not ends:
            yield line


def masked_body(body: bytes, payload: Payload) -> bytes:
    """A body as it came; where it holds secrets and was understood, its JSON without them."""
    if payload.problem is not None or not any(sign.encode() in body for sign in _SIGNS):
        return body
    try:
        return json.dumps(masked(payload.value)).encode()
    except (ValueError, RecursionError):
        return MASK.encode()


def masked_text(text: str) -> str:
    """Text that is no JSON, without the secrets that can be made out in it."""
    return _SECRET_TEXT.sub(rf'\1"{MASK}"', text)


def masked_header(name: str, value: str, mask: str = MASK) -> str:
    """The value of a header; of credentials, only their scheme."""
    if name.lower() not in _CREDENTIALS:
        return value
    scheme, space, _ = value.partition(" ")
    return f"{scheme} {mask}" if space and "=" not in scheme else mask
