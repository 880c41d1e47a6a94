"""What every form of output is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vmon.security.scrub import scrub

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry


class Formatter(Protocol):
    """A form in which deliveries go out."""

    def begin(self) -> bytes:
        """What comes first."""

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Some deliveries."""

    def end(self) -> bytes:
        """What comes last."""


class ScrubPolicy:
    """What becomes of secrets: left out and counted by name, unless `keep` says otherwise."""

    def __init__(self, left_out: Counter[str], *, keep: bool) -> None:
        self._left_out = left_out
        self._keep = keep

    def __call__(self, entry: Entry) -> Delivery:
        """The delivery as it may be shown."""
        if self._keep:
            return entry.delivery
        shown, names = scrub(entry)
        self._left_out.update(names)
        return shown
