"""`vmon replay --failed`: resend deliveries the app rejected, and those that ended runs left."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

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


class Settings(NamedTuple):
    """How it is sent to the URLs that journals name, or that it is dropped instead."""

    timeout_s: float
    insecure: bool = False
    discard: bool = False


def run(options: Options, file: str | None, settings: Settings) -> int:
    """Resend; 0 if apps accepted all, 1 if one was rejected, Refused if there are none."""
    tally = Tally()
    try:
        for left in journals_of(file):
            _take_up(left, options, tally, settings)
    except KeyboardInterrupt:
        print_summary(tally, options)
        return INTERRUPTED
    if not tally.played:
        raise Refused(
            f"no failed deliveries to {'discard' if settings.discard else 'resend'}",
            hint="vmon listen --forward-to records deliveries your app rejected",
        )
    if not (options.dry_run or settings.discard):
        print_summary(tally, options)
    return 1 if tally.rejected else 0


def _take_up(left: LeftJournal, options: Options, tally: Tally, settings: Settings) -> None:
    journal = left.journal
    if not journal.segments.is_anywhere():
        say(f"warning: {disarm(str(journal.capture))}: {os.strerror(errno.ENOENT)}")
        journal.close(keep=True)
        return
    keep = True
    try:
        for index, stored in enumerate(journal.targets):
            target = options.target or target_of(
                stored.url,
                exact_path=stored.exact_path,
                timeout_s=settings.timeout_s,
                insecure=settings.insecure,
                forwarded=True,
            )
            resend, name = Resend(left, index), journal.path.name
            deliveries = _counted(resend.deliveries(options.event_filter), tally)
            if options.dry_run:
                _report(sum(1 for _ in deliveries), target, name)
            elif settings.discard:
                _report(resend.discard(deliveries), target, name, "discarded: ")
            else:
                _send_to(target, resend, deliveries, options, tally)
        keep = left.is_alive or _is_needed(left)
    finally:
        journal.close(keep=keep)


def _report(number: int, target: Target, name: str, what: str = "") -> None:
    if number:
        text = count(number, "delivery", "deliveries")
        sys.stdout.write(f"{what}{text} to {disarm(target.url)}, from {disarm(name)}\n")


def _send_to(
    target: Target,
    resend: Resend,
    deliveries: Iterator[ScheduledDelivery],
    options: Options,
    tally: Tally,
) -> None:
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
