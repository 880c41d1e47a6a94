"""What `listen` says at its start: where to send callbacks, where they are kept."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmon import __version__
from vmon.config import LISTENER
from vmon.events.redelivery import RETRIES_FOR_TEXT
from vmon.humanize import home
from vmon.render.live.facts import Facts
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vmon.forward.failures import Policy
    from vmon.forward.forwarder import ForwardOptions


class Banner:
    """The first lines of a run on standard error."""

    def __init__(self, facts: Facts | None = None) -> None:
        self._facts = facts or Facts()

    def text(
        self,
        url: str,
        capture: Path | None,
        chosen: str | None,
        via: str | None,
        more: Iterable[tuple[str, str]] = (),
    ) -> str:
        """Where to send callbacks, where they are kept, what is shown; `more` are other facts.

        `via` names what is about to make a public URL.
        """
        facts = self._facts
        rows = [
            ("local", f"{facts.paint('name', url)}  (any path)"),
            ("public", _pending(via) if via else ""),
            ("capture", home(capture) if capture else "off (deliveries are not saved)"),
            ("filter", f"{disarm(chosen)} (everything is captured)" if chosen else ""),
            *more,
            ("try it", "vmon trigger streamCreated" + _to(url) if facts.is_terminal else ""),
        ]
        return "\n".join([f"vmon {__version__} is listening (Ctrl-C to stop)", *facts.rows(rows)])

    def ready(
        self, local: str, public: str | None, capture: Path | None, *, as_json: bool
    ) -> str | None:
        """A line for scripts, if nobody is at the terminal or it is wanted as JSON."""
        kept = str(capture) if capture else None
        if as_json:
            return json.dumps({"ready": True, "local": local, "public": public, "capture": kept})
        if self._facts.is_terminal:
            return None
        shown = f"public={disarm(public)} " if public else ""
        return f"ready {shown}local={local} capture={shlex.quote(kept) if kept else '-'}"

    def exposed(self, url: str) -> str:
        """The receiver listens where others can reach it."""
        return self._facts.fold(
            self._facts.paint(
                "warning",
                f"warning: other machines can reach {url} and send anything to it\n"
                "         use --secret and --require-signature to accept only Vonage's requests",
            )
        )


def _pending(via: str) -> str:
    """A URL of the user's own is only checked."""
    return f"checking {via} …" if "://" in via else f"opening a tunnel with {via} …"


def _to(url: str) -> str:
    return "" if url == LISTENER else f" --to {url}"


_ALWAYS = (
    "200 as soon as a delivery is captured;",
    "vmon retries while your app is down or responds 5xx",
)


_ONCE = (
    "200 as soon as a delivery is captured;",
    "vmon sends each delivery once (--retry none)",
)


_APP = "your app's response (502 if unreachable, 504 on timeout);"


_WHY: dict[Policy, str] = {
    "retry": f"anything but 200 is a failure, which Vonage retries for up to {RETRIES_FOR_TEXT}",
    "cutoff": "anything but 200 is a failure; Vonage stops after 50 in 30 min",
}


def banner_rows(onward: ForwardOptions, *, survives: bool) -> Iterator[tuple[str, str]]:
    """Rows of label and text; where a label is blank, the row goes on with the one before it."""
    for route in onward.routes:
        types = f"  {route.types_in_words}" if route.types_in_words else ""
        yield "forward", f"{disarm(route.target.url)}{types}"
    always = _ALWAYS if onward.retries else _ONCE
    first, then = always if onward.ack == "always" else (_APP, _WHY[onward.policy])
    yield "response", first
    yield " ", then
    if onward.ack == "always" and not survives:
        yield " ", "without a capture, pending deliveries are lost on restart"
