"""Access control of the public URL: requests without the secret path are blocked.

A blocked request gets 404 and nothing else, whatever it asks for.
"""

from __future__ import annotations

import re
import secrets
import time
from hmac import compare_digest
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.errors import WrongUse
from vmon.humanize import count
from vmon.state import made_once, remember, remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""The host names of requests from the receiver's own machine."""
_FORWARDED = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"cf-connecting-ip", b"x-real-ip"}
)
"""Headers that tunnels add: a request with one is not local, whatever its Host is."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+?)\.?(:[0-9]*)?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_STATE_NAME = "path"
_MAX_REMEMBERED = 16
_QUIET_S = 10.0


class Guard(Struct, frozen=True):
    """Decides which requests become deliveries.

    From outside, the first segment of the path has to be `prefix` (None: any path is allowed), and
    Host one of `hosts`, the public names, in lower case. A request whose Host is a loopback name
    and without a tunnel's headers is local, and needs no prefix. Through a tunnel that passes
    bytes on unchanged (ssh -R, TCP) a client can claim any Host: with `everyone` local requests
    need the prefix, too.
    """

    prefix: str | None
    hosts: frozenset[str] = frozenset()
    everyone: bool = False

    def admits(self, headers: Sequence[tuple[bytes, bytes]], path: str) -> bool:
        """Whether a request is allowed, by its headers and its target, both as received."""
        hosts = [value for name, value in headers if name.lower() == b"host"]
        host = host_name(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if host not in LOOPBACK and host not in self.hosts:
            return False
        if self.prefix is None:
            return True
        local = host in LOOPBACK and not any(name.lower() in _FORWARDED for name, _ in headers)
        return (local and not self.everyone) or self._has_prefix(path)

    def _has_prefix(self, path: str) -> bool:
        first = _first(path).encode("utf-8", "surrogatepass")
        return path[:1] == "/" and compare_digest(first, (self.prefix or "").encode())

    def inner_path(self, path: str) -> str:
        """The path without the prefix, as it is shown and forwarded."""
        if self.prefix is None or not self._has_prefix(path):
            return path
        rest = path[1 + len(self.prefix) :]
        return rest if rest[:1] == "/" else f"/{rest}"


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case and without port; None if it is invalid."""
    match = _HOST.fullmatch(host.strip().lower())
    return match[1] if match else None


def _first(path: str) -> str:
    """The first segment of a path."""
    return re.split(r"[/?#]", path[1:], maxsplit=1)[0]


class BlockedRequests:
    """Counts blocked requests, and limits how often they are reported: scanners send many."""

    def __init__(self) -> None:
        self.total = 0
        self._unreported = 0
        self._quiet_until = 0.0

    def note(self, what: str, now_s: float | None = None) -> str | None:
        """Count a blocked request; the message to show, or None if one was shown a moment ago."""
        now_s = time.monotonic() if now_s is None else now_s
        self.total += 1
        if now_s < self._quiet_until:
            self._unreported += 1
            return None
        more = f" ({count(self._unreported, 'more', 'more')} since the last report)"
        text = f"blocked: {what} (404)" + (more if self._unreported else "")
        self._unreported, self._quiet_until = 0, now_s + _QUIET_S
        return text


def secret_path(given: str | None = None) -> str:
    """The secret path of the public URL: the given one, else the remembered one, else a new one.

    It is remembered, so that a URL pasted into a dashboard stays valid. WrongUse if the given one
    is invalid or cannot be stored.
    """
    if given is None:
        return made_once(_STATE_NAME, lambda: secrets.token_urlsafe(16))
    if not _TOKEN.fullmatch(given):
        raise WrongUse(
            f"invalid secret path {given!r}: use 8 to 128 letters, digits, - and _",
            hint="omit --secret-path for a random one",
        )
    known = remembered(_STATE_NAME)
    if known[:1] != [given]:
        remember(_STATE_NAME, [given, *(path for path in known if path != given)][:_MAX_REMEMBERED])
    return given


def known_paths() -> tuple[str, ...]:
    """The remembered secret paths; none if they cannot be read."""
    try:
        return tuple(remembered(_STATE_NAME))
    except WrongUse:  # reported where one is needed
        return ()


def stored_path() -> Callable[[str], str]:
    """The function that strips a remembered secret path from a stored path."""
    known = {prefix: Guard(prefix) for prefix in known_paths()}
    prefixes = tuple(f"/{prefix}" for prefix in known)

    def inner(path: str) -> str:
        if not path.startswith(prefixes):
            return path
        guard = known.get(_first(path))
        return guard.inner_path(path) if guard else path

    return inner
