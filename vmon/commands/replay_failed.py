"""One run of `vmon replay --failed`: sends what forwarding gave up, and what ended runs left."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from vmon.commands.replay import Options, ready_of, tell, teller
from vmon.errors import INTERRUPTED, Refused
from vmon.forward.leftovers import LeftJournal, journals_of
from vmon.forward.targets import target_of
from vmon.humanize import count
from vmon.replay.resend import Resend, Road
from vmon.replay.tally import Tally
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.forward import journal as spool
    from vmon.forward.targets import Target
    from vmon.replay.schedule import ScheduledDelivery


def run(asked: Options, file: str | None, timeout_s: float) -> int:
    """Send again; 0 when apps took all, 1 when one did not, Refused when there is nothing."""
    tally = Tally()
    try:
        for journal in journals_of(file):
            _send(journal, asked, tally, timeout_s)
    except KeyboardInterrupt:
        tell(tally, asked)
        return INTERRUPTED
    if not tally.played:
        raise Refused(
            "no failed deliveries to resend",
            hint="vmon listen --forward-to records deliveries your app rejected",
        )
    if not asked.dry_run:
        tell(tally, asked)
    return 1 if tally.refused else 0


def _send(journal: LeftJournal, asked: Options, tally: Tally, timeout_s: float) -> None:
    own = journal.spool
    if not own.volumes.is_anywhere():
        sys.stderr.write(f"warning: {disarm(str(own.capture))}: {os.strerror(errno.ENOENT)}\n")
        own.close(keep=True)
        return
    keep = True
    try:
        for to, place in enumerate(own.places):
            target = asked.target or target_of(
                place.url, exact_path=place.exact_path, timeout_s=timeout_s, forwarded=True
            )
            _send_to(target, Resend(journal, to), own.path.name, asked, tally)
        keep = journal.is_alive or _is_needed(own)
    finally:
        own.close(keep=keep)


def _send_to(target: Target, resent: Resend, name: str, asked: Options, tally: Tally) -> None:
    dues = _counted(resent.dues(asked.chosen), tally)
    if asked.dry_run:
        if number := sum(1 for _ in dues):
            said = count(number, "delivery", "deliveries")
            sys.stdout.write(f"{said} to {disarm(target.url)}, from {disarm(name)}\n")
        return
    road = Road(ready_of(asked.signer), teller(asked, tally, lambda: None))
    resent.send(target, asked.width, dues, road)


def _counted(dues: Iterator[ScheduledDelivery], tally: Tally) -> Iterator[ScheduledDelivery]:
    for due in dues:
        tally.played += 1
        yield due


def _is_needed(own: spool.Journal) -> bool:
    return any(Resend(LeftJournal(own, is_alive=False), to).starts for to in range(len(own.places)))
