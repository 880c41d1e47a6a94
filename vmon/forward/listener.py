"""What forwarding publishes: results, a target's health when it changes, notices, bugs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from vmon.forward.client import ForwardResult


class TargetDown(Struct, frozen=True):
    """A target that deliveries do not reach any more: why, and whether they are sent again."""

    target: str
    problem: str
    retrying: bool


class TargetBack(Struct, frozen=True):
    """A target that is up again: after how many seconds, and how many deliveries wait for it.

    With `more`, others wait in the capture.
    """

    target: str
    after_s: float
    waiting: int
    more: bool = False


class ForwardListener(Protocol):
    """Receives the events of forwarding; called in the event loop, but off the answer's path."""

    def forwarded(self, result: ForwardResult) -> None:
        """A delivery failed in a new way, or came to its end."""

    def target_down(self, event: TargetDown) -> None:
        """A target is down; told once."""

    def target_back(self, event: TargetBack) -> None:
        """A target that was down is up again."""

    def notice(self, text: str) -> None:
        """Something worth a sentence."""

    def bug(self, error: Exception) -> None:
        """Our own code failed for one delivery, and goes on with the next."""
