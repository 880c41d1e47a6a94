"""A public URL that somebody else keeps: the user's own proxy, another tunnel, a port forward."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from vmon.errors import WrongUse
from vmon.tunnel.changes import Changes
from vmon.tunnel.model import Change, State


class PublicUrl:
    """The URL as it was given; there is nothing to run and nothing to watch."""

    name = "none"
    stable_url = True

    def __init__(self, url: str) -> None:
        self._url = checked(url)
        self._changes = Changes()

    async def start(self) -> str:
        """Give the URL."""
        return self._url

    def changes(self) -> AsyncIterator[Change]:
        """Nothing but the end."""
        return self._changes.read()

    async def close(self) -> None:
        """Nothing to end."""
        self._changes.publish(State.CLOSED)


def checked(url: str) -> str:
    """The base URL without its last slash; WrongUse if it is none."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise WrongUse(
            f"invalid public URL {url!r}", hint="use a full URL, e.g. https://hooks.example.com"
        )
    return url.rstrip("/")
