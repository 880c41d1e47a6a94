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

from vmon.errors import INTERRUPTED, VmonError
from vmon.humanize import count, duration
from vmon.render.formats.choose import entry_formatter
from vmon.render.formats.entries import Form
from vmon.replay.schedule import PlaybackSpeed, estimate, schedule
from vmon.replay.tally import Tally
from vmon.search import reader
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
    """The options of a run; a source of None is standard input, a target of None the screen."""

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
    dedupe: str | None = None
    name_of: Callable[[str | None], str | None] | None = None


def run(options: Options) -> int:
    """Replay; 0 when all went well, 1 when an app refused, Refused when nothing was played."""
    if options.dry_run:
        return _print_estimate(options)
    once = _show_all if options.target is None else _sending()
    tally = Tally()
    try:
        for _ in forever() if options.loop else range(1):
            before = tally.played
            once(_scheduled(options, tally), options, tally)
            if tally.played == before:
                break  # nothing to play: a loop would spin
    except KeyboardInterrupt:
        print_summary(tally, options)
        return INTERRUPTED
    except VmonError:  # it cannot be read to its end
        if tally.played:
            print_summary(tally, options)
        raise
    if not tally.played:
        raise nothing_found("deliveries", (options.source,), options.chosen)
    print_summary(tally, options)
    return 1 if tally.refused else 0


def _entries(options: Options, tally: Tally | None = None) -> Iterator[tuple[bytes, Entry]]:
    lines = reader.lines((options.source,), options.chosen)
    unique = _without_duplicates(lines, options.dedupe, tally) if options.dedupe else lines
    yield from by_event(unique) if options.pace.by_event else unique


def _without_duplicates(
    entries: Iterator[tuple[bytes, Entry]], by: str, tally: Tally | None
) -> Iterator[tuple[bytes, Entry]]:
    """The first copy of each delivery of a round."""
    is_first = Dedupe(any_path=by == "any-path")
    for line, entry in entries:
        if is_first(entry):
            yield line, entry
        elif tally:
            tally.copies += 1


def _sending() -> Callable[[Iterator[ScheduledDelivery], Options, Tally], None]:
    """What sends entries to an app; it imports the client before the clock starts."""
    from vmon import event_loop
    from vmon.replay.dispatcher import Sender

    def send_all(deliveries: Iterator[ScheduledDelivery], options: Options, tally: Tally) -> None:
        assert options.target is not None  # noqa: S101 - said to mypy: that is why this is called
        with _progress(options) as step:
            note = outcome_printer(options, tally, step)
            sender = Sender(options.target, options.width, note, preparer(options.signer))
            event_loop.run(sender.send_all(deliveries))

    return send_all


def preparer(signer: Signer | None) -> Callable[[Entry], Delivery]:
    """What makes of a stored entry what is sent: without vmon's own prefix, signed if asked for."""
    from msgspec.structs import replace

    from vmon.security.access import stored_path

    inner = stored_path()

    def prepare(entry: Entry) -> Delivery:
        delivery = signer(entry) if signer else entry.delivery
        path = inner(delivery.path)
        return delivery if path == delivery.path else replace(delivery, path=path)

    return prepare


def _scheduled(options: Options, tally: Tally) -> Iterator[ScheduledDelivery]:
    for delivery in schedule(_entries(options, tally), options.pace):
        tally.played += 1
        tally.cut += delivery.cut_s > 0
        yield delivery


def _show_all(deliveries: Iterator[ScheduledDelivery], options: Options, _tally: Tally) -> None:
    formatter = entry_formatter(options.form, options.redact, SessionTracker(options.name_of))
    out = sys.stdout.buffer
    start = time.monotonic()
    for delivery in deliveries:
        if (wait := start + delivery.at_s - time.monotonic()) > 0:
            out.flush()
            time.sleep(wait)
        if not options.quiet:
            out.write(formatter.entry(delivery.entry, delivery.line))


@contextmanager
def _progress(options: Options) -> Iterator[Callable[[], None]]:
    """A bar on a terminal where no events are drawn; what is yielded moves it on by one."""
    drawn = not options.quiet and sys.stdout.isatty()
    if drawn or options.source is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from vmon.render.live.bar import counted

    with counted("replaying", _total(options.source, options.chosen)) as step:
        yield step


def _total(source: str, chosen: Filter) -> int:
    return sum(map(len, reader.batches((source,), chosen, lambda _bad: None)))


def outcome_printer(
    options: Options, tally: Tally, step: Callable[[], None]
) -> Callable[[Entry, Outcome], None]:
    """What is done with each outcome: counted, and drawn under its event."""
    from vmon.render.outcome import as_json, drawn

    formatter = entry_formatter(options.form, options.redact, SessionTracker(options.name_of))
    redact = options.redact or (lambda entry: entry)
    out, as_lines = sys.stdout.buffer, not options.form.is_json

    def note(entry: Entry, outcome: Outcome) -> None:
        tally.note(outcome)
        step()
        if options.quiet:
            return
        if as_lines:
            out.write(formatter.entry(entry) + drawn(outcome))
        else:
            out.write(as_json(redact(entry), outcome))
        out.flush()  # whoever looks sees an answer when it comes

    return note


def _print_estimate(options: Options) -> int:
    result = estimate(_entries(options), options.pace)
    if options.form.is_json:
        text = json.dumps(
            {
                "deliveries": result.deliveries,
                "span_s": round(result.span_s, 6),
                "takes_s": round(result.takes_s, 6),
                "pauses_cut": result.cut,
                "out_of_order": result.out_of_order,
            }
        )
    else:
        text = (
            f"{_deliveries(result.deliveries)} over {duration(result.span_s)}\n"
            f"would take {duration(result.takes_s)}{_cut(result.cut, options.pace)}\n"
            f"{result.out_of_order:,} out of order"
        )
    sys.stdout.write(text + "\n")
    if not result.deliveries:
        raise nothing_found("deliveries", (options.source,), options.chosen)
    return 0


def print_summary(tally: Tally, options: Options) -> None:
    """The summary, on standard error."""
    sys.stdout.flush()
    took = duration(time.monotonic() - tally.started)
    sys.stderr.write(f"{_deliveries(tally.played)} in {took}{_cut(tally.cut, options.pace)}\n")
    if tally.copies:
        sys.stderr.write(f"{count(tally.copies, 'duplicate')} skipped\n")
    for what, number in tally.outcomes.most_common():
        sys.stderr.write(f"  {number:>7,}  {what}\n")


def _deliveries(number: int) -> str:
    return count(number, "delivery", "deliveries")


def _cut(number: int, pace: PlaybackSpeed) -> str:
    return f", {count(number, 'pause')} shortened to {duration(pace.max_gap_s)}" if number else ""
