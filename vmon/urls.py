"""URLs as people type them, and the names under which this machine knows itself."""

from __future__ import annotations

import re
import socket
from functools import lru_cache

_PORT = re.compile(r":?([0-9]{1,5})(?=[/?#]|$)")
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def typed_url(text: str) -> str:
    """The URL of what was typed: `3000` is `http://localhost:3000`, and http the scheme."""
    if "://" in text:
        return text
    if port := _PORT.match(text):
        return f"http://localhost:{port[1]}{text[port.end() :]}"
    return f"http://{text}"


def is_local(host: str | None) -> bool:
    """Whether a host is this machine by its name: `localhost`, any `*.localhost`, a loopback IP."""
    name = (host or "").lower().removesuffix(".")
    return name in _LOOPBACK or is_localhost(name)


def is_localhost(host: str) -> bool:
    """Whether a name is one for loopback, whatever DNS says (RFC 6761)."""
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def addresses(host: str) -> tuple[str, ...]:
    """What to connect to for a host: of `localhost` all of this machine's, else the host itself."""
    return loopback_addresses() if is_localhost(host) else (host,)


@lru_cache(maxsize=1)
def loopback_addresses() -> tuple[str, ...]:
    """`::1` and `127.0.0.1`, as far as this machine has them."""
    families = (("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET))
    return tuple(at for at, family in families if _can_bind(at, family)) or ("127.0.0.1",)


def _can_bind(address: str, family: socket.AddressFamily) -> bool:
    try:
        with socket.socket(family) as tried:
            tried.bind((address, 0))
    except OSError:
        return False
    return True


def host_and_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in its brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
