"""What the banner of `listen` says of forwarding: where to, and what Vonage is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.humanize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.forward.failures import Policy
    from vmon.forward.forwarder import Onward

_ALWAYS = (
    "200 as soon as a delivery is captured;",
    "vmon retries deliveries that your app rejects",
)
_APP = "your app's response (502 if unreachable, 504 on timeout);"
_WHY: dict[Policy, str] = {
    "retry": "anything but 200 is a failure, which Vonage retries for up to 24 h",
    "cutoff": "anything but 200 is a failure; Vonage stops after 50 in 30 min",
}


def banner_rows(onward: Onward, *, survives: bool) -> Iterator[tuple[str, str]]:
    """Rows of label and text; where a label is blank, the row goes on with the one before it."""
    for aim in onward.aims:
        types = f"  {aim.said}" if aim.said else ""
        yield "forward", f"{disarm(aim.target.url)}{types}"
    first, then = _ALWAYS if onward.ack == "always" else (_APP, _WHY[onward.policy])
    yield "response", first
    yield " ", then
    if onward.ack == "always" and not survives:
        yield " ", "without a capture, pending deliveries are lost on restart"
