"""The question before what an earlier run left goes to whatever now runs at the target's URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from vmon.forward.leftovers import Leftovers
from vmon.humanize import count
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.commands.confirmation import Ask
    from vmon.forward.forwarder import ForwardOptions


def confirmed(
    options: ForwardOptions, folder: Path, ask: Ask | None, *, yes: bool
) -> ForwardOptions:
    """The options, with the backlog kept where the answer is no; nobody is asked without need."""
    if options.backlog != "send" or options.ack == "app" or yes or ask is None:
        return options
    number, urls = _backlog(options, folder)
    if not number:
        return options
    were, them = ("was", "it") if number == 1 else ("were", "them")
    what = count(number, "delivery", "deliveries")
    where = ", ".join(disarm(url) for url in urls)
    question = f"{what} from an earlier run {were} not forwarded to {where}; send {them} now?"
    return options if ask(question, True) else replace(options, backlog="keep")


def _backlog(options: ForwardOptions, folder: Path) -> tuple[int, list[str]]:
    """How much earlier runs left for these targets, and the URLs of those."""
    leftovers = Leftovers(frozenset(route.target.url for route in options.routes), "keep")
    leftovers.take_up(folder, folder)
    leftovers.close()
    ours = [left for left in leftovers.left if left.backlog]
    return sum(left.number for left in ours), sorted({left.url for left in ours})
