"""What stands between a public URL and the receiver: a request is ours, or a stranger's.

A stranger is answered 404 and nothing else, whatever it asks for: there is nothing to be found.
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
"""The names under which a receiver is asked for on its own machine."""
_FORWARDED = frozenset(
    {b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"cf-connecting-ip", b"x-real-ip"}
)
"""Headers that a tunnel adds: with one, a request is from outside, whatever its Host says."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+?)\.?(:[0-9]*)?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_KEPT = "path"
_MOST_KEPT = 16
_QUIET_S = 10.0


class Guard(Struct, frozen=True):
    """Judges requests before they become deliveries.

    From outside, the first segment of the path has to be `prefix` (None: none is asked for), and
    Host one of `hosts`, the public names, in lower case. A request whose Host is a loopback name
    and that no tunnel has marked is local, and needs no prefix. A tunnel that passes a
    stranger's bytes on as they are (ssh -R, TCP) lets a stranger claim any Host: `everyone` asks
    the prefix of local requests too.
    """

    prefix: str | None
    hosts: frozenset[str] = frozenset()
    everyone: bool = False

    def admits(self, headers: Sequence[tuple[bytes, bytes]], path: str) -> bool:
        """Whether a request is ours, by its headers and its target, both as received."""
        named = [value for name, value in headers if name.lower() == b"host"]
        host = host_name(named[0].decode("latin-1")) if len(named) == 1 else None
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
        """The path without the prefix, as an app and a reader want it."""
        if self.prefix is None or not self._has_prefix(path):
            return path
        rest = path[1 + len(self.prefix) :]
        return rest if rest[:1] == "/" else f"/{rest}"


def host_name(host: str) -> str | None:
    """The name in a Host header, in lower case and without its port; None when it is none."""
    found = _HOST.fullmatch(host.strip().lower())
    return found[1] if found else None


def _first(path: str) -> str:
    """The first segment of a path."""
    return re.split(r"[/?#]", path[1:], maxsplit=1)[0]


class BlockedRequests:
    """Counts strangers, and says so now and then: a scanner is not to flood the screen."""

    def __init__(self) -> None:
        self.total = 0
        self._untold = 0
        self._quiet_until = 0.0

    def note(self, what: str, now_s: float | None = None) -> str | None:
        """Count one; the sentence to tell, or None when one was told a moment ago."""
        now_s = time.monotonic() if now_s is None else now_s
        self.total += 1
        if now_s < self._quiet_until:
            self._untold += 1
            return None
        more = f" ({count(self._untold, 'more', 'more')} since the last report)"
        told = f"blocked: {what} (404)" + (more if self._untold else "")
        self._untold, self._quiet_until = 0, now_s + _QUIET_S
        return told


def secret_path(asked: str | None = None) -> str:
    """The prefix of the public URL: the one asked for, else the one remembered, else a new one.

    It is remembered, so that a URL that was pasted into a dashboard stays valid. WrongUse for
    what cannot be guarded with or kept.
    """
    if asked is None:
        return made_once(_KEPT, lambda: secrets.token_urlsafe(16))
    if not _TOKEN.fullmatch(asked):
        raise WrongUse(
            f"invalid secret path {asked!r}: use 8 to 128 letters, digits, - and _",
            hint="omit --secret-path for a random one",
        )
    known = remembered(_KEPT)
    if known[:1] != [asked]:
        remember(_KEPT, [asked, *(one for one in known if one != asked)][:_MOST_KEPT])
    return asked


def known_paths() -> tuple[str, ...]:
    """The prefixes that are remembered; none where they cannot be read."""
    try:
        return tuple(remembered(_KEPT))
    except WrongUse:  # what needs one says so itself
        return ()


def stored_path() -> Callable[[str], str]:
    """What takes from a stored path the prefix it came with, where that one is remembered."""
    known = {prefix: Guard(prefix) for prefix in known_paths()}
    begins = tuple(f"/{prefix}" for prefix in known)

    def inner(path: str) -> str:
        if not path.startswith(begins):
            return path
        guard = known.get(_first(path))
        return guard.inner_path(path) if guard else path

    return inner
