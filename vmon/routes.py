"""Which delivery goes to which app: targets, and the types of event each of them gets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from vmon.errors import WrongUse
from vmon.events.catalogue import NAMES
from vmon.forward.client import target_of
from vmon.search.filter import types_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.forward.client import Target

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")


class Aim(Struct, frozen=True):
    """A target and the types that go there."""

    target: Target
    types: frozenset[str]

    @property
    def said(self) -> str:
        """Which types, in words; nothing where it is all of them."""
        missing = [name for name in NAMES if name not in self.types]
        if not missing:
            return ""
        if len(missing) < len(self.types):
            return "all except " + ", ".join(missing)
        return ", ".join(name for name in NAMES if name in self.types)


class Asked(NamedTuple):
    """What was asked for: URLs for the rest, `types=URL` routes, a filter by type."""

    forward_to: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def aims_of(asked: Asked, **settings: Any) -> tuple[Aim, ...]:
    """The aims of what was asked for; WrongUse for what is no route or gets nothing.

    A type goes to every route that names it, else to the targets without one. `settings` are
    those of each target.
    """
    routes = [_route(text) for text in asked.routes]
    routed = frozenset[str]().union(*(types for types, _ in routes))
    wanted = types_of(asked.events) if asked.events else frozenset(NAMES)
    found: dict[str, frozenset[str]] = {}
    for types, url in (*routes, *((frozenset(NAMES) - routed, url) for url in asked.forward_to)):
        found[url] = found.get(url, frozenset()) | (types & wanted)
    return tuple(
        Aim(target_of(url, forwarded=True, **settings), _some(types, url))
        for url, types in found.items()
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
    if not (found := _HEADER.fullmatch(text)):
        name = text.partition(":")[0]  # the value may be a secret
        raise WrongUse(f"invalid header {name!r}", hint="use -H 'Name: value'")
    return found[1], found[2].strip()
