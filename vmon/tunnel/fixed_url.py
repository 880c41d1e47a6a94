"""A public URL that vmon does not manage: of the user's proxy, another tunnel, a port forward."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from vmon.errors import WrongUse
from vmon.tunnel.changes import Changes
from vmon.tunnel.model import Change, State


class PublicUrl:
    """A tunnel for a given URL; there is nothing to run and nothing to watch."""

    name = "none"

    def __init__(self, url: str) -> None:
        self._url = checked(url)
        self._changes = Changes()

    async def start(self) -> str:
        """Return the URL."""
        return self._url

    def changes(self) -> AsyncIterator[Change]:
        """Yield the end, CLOSED."""
        return self._changes.read()

    async def close(self) -> None:
        """End the changes."""
        self._changes.publish(State.CLOSED)


def checked(url: str) -> str:
    """Check a base URL, and remove its last slash; WrongUse if it is invalid."""
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment:
        raise WrongUse(
            f"invalid public URL {url!r}", hint="use a full URL, e.g. https://hooks.example.com"
        )
    return url.rstrip("/")
