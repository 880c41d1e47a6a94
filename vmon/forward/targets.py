"""Where deliveries are sent: URLs, routes and their types."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from vmon.errors import WrongUse
from vmon.events.catalogue import NAMES, types_of
from vmon.events.entry import url_for
from vmon.sanitize import disarm
from vmon.urls import addresses, host_and_port, is_local, typed_url

if TYPE_CHECKING:
    from collections.abc import Iterable


class Target(Struct, frozen=True):
    """Where deliveries go. Their path is appended to the URL's, unless it is `/` or `exact_path`.

    `headers` replace those of a delivery; `insecure` takes any certificate; `forwarded` adds the
    X-Forwarded headers that a delivery has not.
    """

    url: str
    exact_path: bool = False
    timeout_s: float = 10.0
    headers: tuple[tuple[str, str], ...] = ()
    insecure: bool = False
    forwarded: bool = False

    @property
    def name(self) -> str:
        """How it is called on a screen: host and port."""
        url = URL(self.url)
        return disarm(host_and_port(url.host or "", url.port or 0))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, by its name."""
        return is_local(URL(self.url).host)

    def under(self, segment: str) -> Target:
        """The same with this segment before its path."""
        parts = urlsplit(self.url)
        path = f"/{segment}{'' if parts.path == '/' else parts.path}"
        return replace(self, url=urlunsplit(parts._replace(path=path)))


def target_of(
    url: str, *, exact_path: bool = False, timeout_s: float = 10.0, **more: Any
) -> Target:
    """The target of what a user typed: `3000` and `localhost:3000` too; WrongUse for no URL."""
    given = typed_url(url)
    try:
        parsed = URL(given)
        usable = parsed.scheme in {"http", "https"} and bool(parsed.host)
    except ValueError:
        usable = False
    if not usable:
        raise WrongUse(f"invalid URL {url!r}", hint="use http://localhost:3000/hook")
    return Target(given, exact_path, timeout_s, **more)


def joined(target: Target, path: str) -> URL:
    """The URL a delivery goes to: the target's, its path and query joined with the delivery's."""
    base = URL(target.url)
    if target.exact_path:
        return base
    return URL(url_for(str(base), path), encoded=True)


def is_at(target: Target, url: str) -> bool:
    """Whether a target is a server of this machine that listens at `url`."""
    there, here = URL(target.url), URL(url)
    return there.port == here.port and (there.host == here.host or is_local(there.host))


async def connectable(target: Target, within_s: float) -> bool:
    """Whether something listens at the target, waiting for it for so long at most."""
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        with_left = deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(max(with_left, 0.05)):
                await _connect(URL(target.url))
        except (OSError, TimeoutError):
            if with_left <= 0:
                return False
            await asyncio.sleep(0.05)  # a port that nobody listens on cannot be waited for
        else:
            return True


async def _connect(url: URL) -> None:
    """Connect to a URL's host, by any of its addresses, and leave; OSError where nobody listens."""
    refused = OSError(f"no address for {url.host}")
    for address in addresses(url.host or ""):
        try:
            _, writer = await asyncio.open_connection(address, url.port)
        except OSError as error:
            refused = error
        else:
            writer.close()
            return
    raise refused


_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


class Route(Struct, frozen=True):
    """A target and the types that go there."""

    target: Target
    types: frozenset[str]

    @property
    def types_in_words(self) -> str:
        """Which types go there; "" where it is all of them."""
        missing = [name for name in NAMES if name not in self.types]
        if not missing:
            return ""
        if len(missing) < len(self.types):
            return "all except " + ", ".join(missing)
        return ", ".join(name for name in NAMES if name in self.types)


class RouteArguments(NamedTuple):
    """What was typed: URLs for the rest, `types=URL` routes, a filter by type."""

    forward_to: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def routes_of(arguments: RouteArguments, **settings: Any) -> tuple[Route, ...]:
    """The routes of what was typed; WrongUse for what is no route or gets nothing.

    A type goes to every route that names it, else to the targets without one. `settings` are
    those of each target.
    """
    routes = [_route(text) for text in arguments.routes]
    routed = frozenset[str]().union(*(types for types, _ in routes))
    wanted = types_of(arguments.events) if arguments.events else frozenset(NAMES)
    by_url: dict[str, frozenset[str]] = {}
    for types, url in (
        *routes,
        *((frozenset(NAMES) - routed, url) for url in arguments.forward_to),
    ):
        to = typed_url(url)
        by_url[to] = by_url.get(to, frozenset()) | (types & wanted)
    return tuple(
        Route(target_of(url, forwarded=True, **settings), _some(types, url))
        for url, types in by_url.items()
    )


def _route(text: str) -> tuple[frozenset[str], str]:
    types, _, url = text.partition("=")
    if not (types.strip() and url.strip()):
        raise WrongUse(
            f"invalid route {text!r}", hint="use --route 'archive=http://localhost:3000/archive'"
        )
    return types_of([types]), url.strip()


def _some(types: frozenset[str], url: str) -> frozenset[str]:
    if not types:
        raise WrongUse(
            f"no event type is forwarded to {url}",
            hint="--forward-to gets the types without a --route; --forward-event limits them",
        )
    return types


def headers_of(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Names and values of `Name: value` texts; WrongUse for anything else."""
    return tuple(_header(text) for text in given)


def _header(text: str) -> tuple[str, str]:
    if not (header := _HEADER.fullmatch(text)):
        name = text.partition(":")[0]  # the value may be a secret
        raise WrongUse(f"invalid header {name!r}", hint="use -H 'Name: value'")
    return header[1], header[2].strip()
