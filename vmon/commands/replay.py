"""`vmon replay`: replay a capture on screen or to an app.

Due times are relative to the start of the replay, not sums of pauses, so it does not drift.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count as forever
from typing import TYPE_CHECKING

from vmon.commands.names import known_names
from vmon.errors import INTERRUPTED, VmonError
from vmon.events.timestamps import LATE_AFTER_S
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
    """Options of `vmon replay`; a source of None is standard input, a target of None the screen."""

    source: str | None
    event_filter: Filter = field(default_factory=Filter)
    speed: PlaybackSpeed = field(default_factory=PlaybackSpeed)
    form: Form = field(default_factory=Form)
    target: Target | None = None
    concurrency: int = 16
    loop: bool = False
    dry_run: bool = False
    quiet: bool = False
    signer: Signer | None = None
    redact: Redactor | None = None
    dedupe: str | None = None
    name_of: Callable[[str | None], str | None] | None = None
    late_after_s: float = LATE_AFTER_S


def run(options: Options) -> int:
    """Replay; 0 if all were accepted, 1 if the app rejected one, Refused if nothing matched."""
    if options.dry_run:
        return _print_estimate(options)
    play = _show_all if options.target is None else _sender()
    tally = Tally()
    try:
        for _ in forever() if options.loop else range(1):
            before = tally.played
            play(_scheduled(options, tally), options, tally)
            if tally.played == before:
                break  # nothing to replay: a loop would spin
    except KeyboardInterrupt:
        print_summary(tally, options)
        return INTERRUPTED
    except VmonError:  # the rest cannot be read
        if tally.played:
            print_summary(tally, options)
        raise
    if not tally.played:
        raise nothing_found("deliveries", (options.source,), options.event_filter)
    print_summary(tally, options)
    return 1 if tally.rejected else 0


def _entries(options: Options, tally: Tally | None = None) -> Iterator[tuple[bytes, Entry]]:
    lines = reader.lines((options.source,), options.event_filter)
    unique = _without_duplicates(lines, options.dedupe, tally) if options.dedupe else lines
    yield from by_event(unique) if options.speed.by_event else unique


def _without_duplicates(
    entries: Iterator[tuple[bytes, Entry]], by: str, tally: Tally | None
) -> Iterator[tuple[bytes, Entry]]:
    """The first copy of each delivery."""
    is_first = Dedupe(any_path=by == "any-path")
    for line, entry in entries:
        if is_first(entry):
            yield line, entry
        elif tally:
            tally.duplicates += 1


def _sender() -> Callable[[Iterator[ScheduledDelivery], Options, Tally], None]:
    """The function that sends deliveries to an app; imports the client before the clock starts."""
    from vmon import event_loop
    from vmon.replay.dispatcher import Sender

    def send_all(deliveries: Iterator[ScheduledDelivery], options: Options, tally: Tally) -> None:
        assert options.target is not None  # noqa: S101 - for mypy: this is called with a target only
        with _progress(options) as step:
            note = outcome_printer(options, tally, step)
            sender = Sender(options.target, options.concurrency, note, preparer(options.signer))
            event_loop.run(sender.send_all(deliveries))

    return send_all


def preparer(signer: Signer | None) -> Callable[[Entry], Delivery]:
    """The function that prepares a stored entry to send: no secret path, signed with `signer`."""
    from msgspec.structs import replace

    from vmon.security.access import stored_path

    path_of = stored_path()

    def prepare(entry: Entry) -> Delivery:
        delivery = signer(entry) if signer else entry.delivery
        path = path_of(delivery.path)
        return delivery if path == delivery.path else replace(delivery, path=path)

    return prepare


def _scheduled(options: Options, tally: Tally) -> Iterator[ScheduledDelivery]:
    for delivery in schedule(_entries(options, tally), options.speed):
        tally.played += 1
        tally.cut += delivery.cut_s > 0
        yield delivery


def _show_all(deliveries: Iterator[ScheduledDelivery], options: Options, _tally: Tally) -> None:
    formatter = entry_formatter(options.form, options.redact, _tracker(options))
    out = sys.stdout.buffer
    start = time.monotonic()
    for delivery in deliveries:
        if (wait := start + delivery.at_s - time.monotonic()) > 0:
            out.flush()
            time.sleep(wait)
        if not options.quiet:
            out.write(formatter.entry(delivery.entry, delivery.line))


def _tracker(options: Options) -> SessionTracker:
    known = known_names((options.source,), options.event_filter, options.name_of)
    return SessionTracker(options.name_of, late_after_s=options.late_after_s, known_name=known)


@contextmanager
def _progress(options: Options) -> Iterator[Callable[[], None]]:
    """Show a progress bar on a terminal without events; yields the function that advances it."""
    shows_events = not options.quiet and sys.stdout.isatty()
    if shows_events or options.source is None or not sys.stderr.isatty():
        yield lambda: None
        return
    from vmon.render.live.bar import counted

    with counted("replaying", _total(options.source, options.event_filter)) as step:
        yield step


def _total(source: str, event_filter: Filter) -> int:
    return sum(map(len, reader.batches((source,), event_filter, lambda _bad: None)))


def outcome_printer(
    options: Options, tally: Tally, step: Callable[[], None]
) -> Callable[[Entry, Outcome], None]:
    """The function that counts each outcome and prints it below its event."""
    from vmon.render.outcome import as_json, outcome_line

    formatter = entry_formatter(options.form, options.redact, _tracker(options))
    redact = options.redact or (lambda entry: entry)
    out, as_lines = sys.stdout.buffer, not options.form.is_json
    in_full = options.form.shows_all and options.redact is None

    def note(entry: Entry, outcome: Outcome) -> None:
        tally.note(outcome)
        step()
        if options.quiet:
            return
        if as_lines:
            out.write(formatter.entry(entry) + outcome_line(outcome, in_full=in_full))
        else:
            out.write(as_json(redact(entry), outcome, in_full=in_full))
        out.flush()  # show each response as it comes

    return note


def _print_estimate(options: Options) -> int:
    result = estimate(_entries(options), options.speed)
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
            f"would take {duration(result.takes_s)}{_cut(result.cut, options.speed)}\n"
            f"{result.out_of_order:,} out of order"
        )
    sys.stdout.write(text + "\n")
    if not result.deliveries:
        raise nothing_found("deliveries", (options.source,), options.event_filter)
    return 0


def print_summary(tally: Tally, options: Options) -> None:
    """Print the summary on standard error."""
    sys.stdout.flush()
    took = duration(time.monotonic() - tally.started)
    sys.stderr.write(f"{_deliveries(tally.played)} in {took}{_cut(tally.cut, options.speed)}\n")
    if tally.duplicates:
        sys.stderr.write(f"{count(tally.duplicates, 'duplicate')} skipped\n")
    for what, number in tally.outcomes.most_common():
        sys.stderr.write(f"  {number:>7,}  {what}\n")


def _deliveries(number: int) -> str:
    return count(number, "delivery", "deliveries")


def _cut(number: int, speed: PlaybackSpeed) -> str:
    return f", {count(number, 'pause')} shortened to {duration(speed.max_gap_s)}" if number else ""
