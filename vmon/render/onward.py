"""What the banner of `listen` says of forwarding: where to, and what Vonage is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.text import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.forwarding import Onward
    from vmon.policy import Policy

_ALWAYS = (
    "200 as soon as a delivery is captured, whatever your app does:",
    ("Vonage sees no failure; what your app does not take, vmon sends again"),
)
_APP = "what your app answers (502 where it is not there, 504 where it is late):"
_WHY: dict[Policy, str] = {
    "retry": "all but 200 is a failure; Vonage sends it again, for up to 24 h",
    "cutoff": "all but 200 is a failure; after 50 in 30 min Vonage sends nothing more",
}


def banner_rows(onward: Onward, *, survives: bool) -> Iterator[tuple[str, str]]:
    """Rows of label and text; where a label is blank, the row goes on with the one before it."""
    for aim in onward.aims:
        types = f"  {aim.said}" if aim.said else ""
        yield "forward", f"{disarm(aim.target.url)}{types}"
    first, then = _ALWAYS if onward.ack == "always" else (_APP, _WHY[onward.policy])
    yield "answer", first
    yield " ", then
    if onward.ack == "always" and not survives:
        yield " ", "without a capture, what is not yet forwarded does not survive a restart"
