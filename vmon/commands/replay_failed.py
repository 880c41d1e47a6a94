"""One run of `vmon replay --failed`: sends what forwarding gave up, and what ended runs left."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vmon import event_loop
from vmon.capture.codec import read_line
from vmon.capture.segments import capture_of
from vmon.capture.writer import default_folder
from vmon.commands.replay import Options, Tally, ready_of, tell, teller
from vmon.errors import INTERRUPTED, Refused
from vmon.forward import journal as spool
from vmon.forward.client import target_of
from vmon.humanize import count, disarm
from vmon.replay.dispatcher import Sender
from vmon.replay.schedule import Due

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.forward.client import Outcome, Target

_TOGETHER = 100
"""What was sent is written into the journal so many at a time; after a crash it is sent again."""


class Journal(NamedTuple):
    """A run's journal, and whether that run goes on: then only what it gave up is ours to send.

    `only` is a file of several that a rotated capture is in: nothing of the others is meant.
    """

    spool: spool.Spool
    is_alive: bool
    only: Path | None = None


def _journals(file: str | None) -> Iterator[Journal]:
    """The journals of a capture, or of a full file of it; without one all in the default folder."""
    path = Path(file) if file else None
    for one in spool.left_in(path.parent if path else default_folder()):
        only = None
        if path and not one.name.startswith(f"{path.name}."):
            if not one.name.startswith(f"{capture_of(path).name}."):
                continue
            only = path
        if opened := spool.reopen(one):
            yield Journal(*opened, only)


def run(asked: Options, file: str | None, timeout_s: float) -> int:
    """Send again; 0 when apps took all, 1 when one did not, Refused when there is nothing."""
    tally = Tally()
    try:
        for journal in _journals(file):
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


def _send(journal: Journal, asked: Options, tally: Tally, timeout_s: float) -> None:
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
            _Resent(journal, to).send(target, asked, tally)
        keep = journal.is_alive or _is_needed(own)
    finally:
        own.close(keep=keep)


def _is_needed(own: spool.Spool) -> bool:
    return any(_Resent(Journal(own, is_alive=False), to).starts for to in range(len(own.places)))


class _Resent:
    """What a journal has left for one of its targets."""

    def __init__(self, journal: Journal, to: int) -> None:
        self._spool = journal.spool
        self._to = to
        self._reading = journal.spool.reading(to)
        known = spool.progress(journal.spool.path, len(journal.spool.places))[to]
        volumes, only = journal.spool.volumes, journal.only
        waiting = () if journal.is_alive else spool.unsent(self._reading, known, volumes.end())
        places = volumes.place_of(only) if only else range(sys.maxsize)
        starts = {*known.failed, *(start for start, _ in waiting)}
        self.starts = sorted(start for start in starts if start in places)
        self._begun: dict[str, int] = {}
        self._done: list[int] = []

    def send(self, target: Target, asked: Options, tally: Tally) -> None:
        """Send it, in its order within each session, or say how much it is."""
        if asked.dry_run:
            self._say(target, asked, tally)
            return
        draw = teller(asked, tally, lambda: None)

        def told(entry: Entry, outcome: Outcome) -> None:
            self._note(entry, outcome)
            draw(entry, outcome)

        try:
            sender = Sender(target, asked.width, told, ready_of(asked.signer))
            event_loop.run(sender.send_all(self._dues(asked, tally)))
        finally:
            self._write()

    def _say(self, target: Target, asked: Options, tally: Tally) -> None:
        number = sum(1 for _ in self._dues(asked, tally))
        if number:
            said = count(number, "delivery", "deliveries")
            sys.stdout.write(
                f"{said} to {disarm(target.url)}, from {disarm(self._spool.path.name)}\n"
            )

    def _dues(self, asked: Options, tally: Tally) -> Iterator[Due]:
        for start in self.starts:
            line = self._reading.at(start)
            try:
                entry = read_line(line)
            except ValueError:  # somebody changed the capture
                continue
            if asked.chosen(entry):
                tally.played += 1
                self._begun[entry.delivery.id] = start
                yield Due(0.0, entry, line, 0.0)

    def _note(self, entry: Entry, outcome: Outcome) -> None:
        start = self._begun.pop(entry.delivery.id)
        if outcome.ok:
            self._done.append(start)
        if len(self._done) >= _TOGETHER:
            self._write()

    def _write(self) -> None:
        if self._done:
            self._spool.write([spool.Note(to=self._to, done=tuple(self._done))])
            self._done = []
