"""One run of `vmon replay`: a capture on the road of live events again, on screen or to an app.

Instants are set against the start of the replay, never by adding up pauses: it does not drift.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count as forever
from typing import TYPE_CHECKING

from vmon.capture import inputs
from vmon.errors import INTERRUPTED, VmonError
from vmon.humanize import count, duration
from vmon.render.formats.choose import entry_formatter
from vmon.render.formats.entries import Form
from vmon.render.style import console
from vmon.replay.schedule import PlaybackSpeed, estimate, schedule
from vmon.replay.tally import Tally
from vmon.search import scan
from vmon.search.dedupe import Dedupe
from vmon.search.filter import Filter
from vmon.search.not_found import nothing_found
from vmon.search.sort import by_event
from vmon.sessions.tracker import SessionTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.delivery import Delivery
    from vmon.events.entry import Entry
    from vmon.forward.client import Outcome
    from vmon.forward.targets import Target
    from vmon.replay.schedule import ScheduledDelivery
    from vmon.security.pseudonyms import Redactor
    from vmon.security.verifier import Signer


@dataclass(frozen=True)
class Options:
    """What was asked for; a source of None is standard input, a target of None the screen."""

    source: str | None
    chosen: Filter = field(default_factory=Filter)
    pace: PlaybackSpeed = field(default_factory=PlaybackSpeed)
    form: Form = field(default_factory=Form)
    target: Target | None = None
    width: int = 16
    loop: bool = False
    dry_run: bool = False
    quiet: bool = False
    signer: Signer | None = None
    redact: Redactor | None = None
    dedupe: bool = False
    name_of: Callable[[str | None], str | None] | None = None


def run(asked: Options) -> int:
    """Replay; 0 when all went well, 1 when an app refused, Refused when nothing was played."""
    if asked.dry_run:
        return _tell_survey(asked)
    once = _show_all if asked.target is None else _sending()
    tally = Tally()
    try:
        for _ in forever() if asked.loop else range(1):
            before = tally.played
            once(_dues(asked, tally), asked, tally)
            if tally.played == before:
                break  # nothing to play: a loop would spin
    except KeyboardInterrupt:
        tell(tally, asked)
        return INTERRUPTED
    except VmonError:  # it cannot be read to its end
        if tally.played:
            tell(tally, asked)
        raise
    if not tally.played:
        raise nothing_found("deliveries", (asked.source,), asked.chosen)
    tell(tally, asked)
    return 1 if tally.refused else 0


def _entries(asked: Options, tally: Tally | None = None) -> Iterator[tuple[bytes, Entry]]:
    with inputs.open_input(asked.source) as stream:
        found = scan.read(stream, inputs.source_name(asked.source), asked.chosen, scan.say_bad)
        firsts = _firsts(found, tally) if asked.dedupe else found
        yield from by_event(firsts) if asked.pace.by_event else firsts


def _firsts(
    found: Iterator[tuple[bytes, Entry]], tally: Tally | None
) -> Iterator[tuple[bytes, Entry]]:
    """The first copies, of one round."""
    first = Dedupe()
    for line, entry in found:
        if first(entry):
            yield line, entry
        elif tally:
            tally.copies += 1


def _sending() -> Callable[[Iterator[ScheduledDelivery], Options, Tally], None]:
    """What sends entries to an app; it imports the client before the clock starts."""
    from vmon import event_loop
    from vmon.replay.dispatcher import Sender

    def send_all(dues: Iterator[ScheduledDelivery], asked: Options, tally: Tally) -> None:
        assert asked.target is not None  # noqa: S101 - said to mypy: that is why this is called
        with _progress(asked) as step:
            told = teller(asked, tally, step)
            sender = Sender(asked.target, asked.width, told, ready_of(asked.signer))
            event_loop.run(sender.send_all(dues))

    return send_all


def ready_of(signer: Signer | None) -> Callable[[Entry], Delivery]:
    """What makes of a stored entry what is sent: without vmon's own prefix, and signed anew."""
    from msgspec.structs import replace

    from vmon.security.access import stored_path

    inner = stored_path()

    def ready(entry: Entry) -> Delivery:
        delivery = signer(entry) if signer else entry.delivery
        path = inner(delivery.path)
        return delivery if path == delivery.path else replace(delivery, path=path)

    return ready


def _dues(asked: Options, tally: Tally) -> Iterator[ScheduledDelivery]:
    for due in schedule(_entries(asked, tally), asked.pace):
        tally.played += 1
        tally.cut += due.cut_s > 0
        yield due


def _show_all(dues: Iterator[ScheduledDelivery], asked: Options, _tally: Tally) -> None:
    formatter = entry_formatter(asked.form, asked.redact, SessionTracker(asked.name_of))
    out = sys.stdout.buffer
    start = time.monotonic()
    for due in dues:
        if (wait := start + due.at_s - time.monotonic()) > 0:
            out.flush()
            time.sleep(wait)
        if not asked.quiet:
            out.write(formatter.entry(due.entry, due.line))


@contextmanager
def _progress(asked: Options) -> Iterator[Callable[[], None]]:
    """A bar on a terminal where no events are drawn; what is yielded moves it on by one."""
    drawn = not asked.quiet and sys.stdout.isatty()
    if drawn or asked.source is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("replaying", total=_total(asked.source, asked.chosen))
        yield lambda: bar.advance(task)


def _total(source: str, chosen: Filter) -> int:
    with inputs.open_input(source) as stream:
        return sum(map(len, scan.select(stream, source, chosen, lambda _bad: None)))


def teller(
    asked: Options, tally: Tally, step: Callable[[], None]
) -> Callable[[Entry, Outcome], None]:
    """What is done with each outcome: counted, and drawn under its event."""
    from vmon.render.outcome import as_json, drawn

    formatter = entry_formatter(asked.form, asked.redact, SessionTracker(asked.name_of))
    redact = asked.redact or (lambda entry: entry)
    out, as_lines = sys.stdout.buffer, not asked.form.is_json

    def told(entry: Entry, outcome: Outcome) -> None:
        tally.note(outcome)
        step()
        if asked.quiet:
            return
        if as_lines:
            out.write(formatter.entry(entry) + drawn(outcome))
        else:
            out.write(as_json(redact(entry), outcome))
        out.flush()  # whoever looks sees an answer when it comes

    return told


def _tell_survey(asked: Options) -> int:
    found = estimate(_entries(asked), asked.pace)
    if asked.form.is_json:
        said = json.dumps(
            {
                "deliveries": found.deliveries,
                "span_s": round(found.span_s, 6),
                "takes_s": round(found.takes_s, 6),
                "pauses_cut": found.cut,
                "out_of_order": found.out_of_order,
            }
        )
    else:
        said = (
            f"{_deliveries(found.deliveries)} over {duration(found.span_s)}\n"
            f"would take {duration(found.takes_s)}{_cut(found.cut, asked.pace)}\n"
            f"{found.out_of_order:,} out of order"
        )
    sys.stdout.write(said + "\n")
    if not found.deliveries:
        raise nothing_found("deliveries", (asked.source,), asked.chosen)
    return 0


def tell(tally: Tally, asked: Options) -> None:
    """The summary, on standard error."""
    sys.stdout.flush()
    took = duration(time.monotonic() - tally.started)
    sys.stderr.write(f"{_deliveries(tally.played)} in {took}{_cut(tally.cut, asked.pace)}\n")
    if tally.copies:
        sys.stderr.write(f"{count(tally.copies, 'duplicate')} skipped\n")
    for what, number in tally.outcomes.most_common():
        sys.stderr.write(f"  {number:>7,}  {what}\n")


def _deliveries(number: int) -> str:
    return count(number, "delivery", "deliveries")


def _cut(number: int, pace: PlaybackSpeed) -> str:
    return f", {count(number, 'pause')} shortened to {duration(pace.max_gap_s)}" if number else ""
