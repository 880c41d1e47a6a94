"""`vmon replay --failed`: resend deliveries the app rejected, and those that ended runs left."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from vmon.commands.replay import Options, outcome_printer, preparer, print_summary
from vmon.errors import INTERRUPTED, Refused
from vmon.forward.leftovers import journals_of
from vmon.forward.targets import target_of
from vmon.humanize import count
from vmon.replay.resend import Resend, ResendCallbacks
from vmon.replay.tally import Tally
from vmon.sanitize import disarm
from vmon.stderr import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.forward.leftovers import LeftJournal
    from vmon.forward.targets import Target
    from vmon.replay.schedule import ScheduledDelivery


def run(options: Options, file: str | None, timeout_s: float) -> int:
    """Resend; 0 if apps accepted all, 1 if one was rejected, Refused if there are none."""
    tally = Tally()
    try:
        for left in journals_of(file):
            _send(left, options, tally, timeout_s)
    except KeyboardInterrupt:
        print_summary(tally, options)
        return INTERRUPTED
    if not tally.played:
        raise Refused(
            "no failed deliveries to resend",
            hint="vmon listen --forward-to records deliveries your app rejected",
        )
    if not options.dry_run:
        print_summary(tally, options)
    return 1 if tally.rejected else 0


def _send(left: LeftJournal, options: Options, tally: Tally, timeout_s: float) -> None:
    journal = left.journal
    if not journal.segments.is_anywhere():
        say(f"warning: {disarm(str(journal.capture))}: {os.strerror(errno.ENOENT)}")
        journal.close(keep=True)
        return
    keep = True
    try:
        for index, stored in enumerate(journal.targets):
            target = options.target or target_of(
                stored.url, exact_path=stored.exact_path, timeout_s=timeout_s, forwarded=True
            )
            _send_to(target, Resend(left, index), journal.path.name, options, tally)
        keep = left.is_alive or _is_needed(left)
    finally:
        journal.close(keep=keep)


def _send_to(target: Target, resend: Resend, name: str, options: Options, tally: Tally) -> None:
    deliveries = _counted(resend.deliveries(options.event_filter), tally)
    if options.dry_run:
        if number := sum(1 for _ in deliveries):
            text = count(number, "delivery", "deliveries")
            sys.stdout.write(f"{text} to {disarm(target.url)}, from {disarm(name)}\n")
        return
    callbacks = ResendCallbacks(
        preparer(options.signer), outcome_printer(options, tally, lambda: None)
    )
    resend.send(target, options.concurrency, deliveries, callbacks)


def _counted(deliveries: Iterator[ScheduledDelivery], tally: Tally) -> Iterator[ScheduledDelivery]:
    for delivery in deliveries:
        tally.played += 1
        yield delivery


def _is_needed(left: LeftJournal) -> bool:
    """Whether any delivery of any segment of the capture is still to be sent."""
    all_segments = left._replace(only=None)
    return any(all_segments.starts(index) for index in range(len(left.journal.targets)))
