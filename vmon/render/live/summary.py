"""What `listen` says at its end: counts, types, sessions, and how to see it all again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from heapq import nlargest
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon.events.catalogue import NAMES
from vmon.events.redelivery import SCHEDULE_TEXT
from vmon.humanize import count, duration, handle, home
from vmon.render.live.facts import Facts
from vmon.sanitize import disarm
from vmon.sessions.snapshot import snapshot

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

    from vmon.capture.codec import Outage
    from vmon.receive.pipeline import Totals
    from vmon.render.style import Paint
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.model import Session
    from vmon.sessions.tracker import SessionTracker

_MOST = 5
"""Sessions that are named: the busiest."""
_BAR, _BEFORE_BAR = 24, 36


class Shown(Struct, frozen=True):
    """What a screen made of the deliveries: hidden by the filter, or not shown."""

    hidden: int = 0
    not_shown: int = 0


class Summary:
    """The last lines of a run on standard error."""

    def __init__(self, facts: Facts | None = None) -> None:
        self._facts = facts or Facts()

    def text(
        self,
        totals: Totals,
        shown: Shown,
        more: Iterable[tuple[str, str]] = (),
        *,
        blocked: int = 0,
        bugs: int = 0,
    ) -> str:
        """What a run received, and how to see it again; `more` are other facts."""
        facts, received = self._facts, totals.types.total()
        lasted = duration(time.monotonic() - (totals.started_s or 0))
        verdicts = ", ".join(f"{n:,} {kind}" for kind, n in totals.verdicts.most_common())
        replays = totals.capture is not None and received > 0
        rows = [
            ("hidden by filter", _some(shown.hidden)),
            ("not shown", _some(shown.not_shown)),
            ("rejected (503)", _rejected(totals.turned_away)),
            ("signatures", verdicts),
            ("blocked (404)", _some(blocked)),
            ("other requests", _some(totals.notices)),
            ("bugs in vmon", _some(bugs)),
            ("tunnel", outages_in_words(totals.outages)),
            *more,
            ("capture", home(totals.capture) if totals.capture else ""),
            ("not in the capture", totals.rescued or ""),
            ("replay", f"vmon replay {home(totals.capture)}" if replays and totals.capture else ""),
        ]
        head = f"{count(received, 'delivery', 'deliveries')} in {lasted}"
        bar = max(0, min(_BAR, facts.width - _BEFORE_BAR))
        over = "\r" if facts.is_terminal else ""  # the terminal has just put ^C there
        return over + "\n".join([head, *by_type(totals.types, facts.paint, bar), *facts.rows(rows)])


def session_rows(
    tracker: SessionTracker, oddities: int, redact: Redactor | None = None
) -> Iterator[tuple[str, str]]:
    """Rows of a label and a text: the slowest delivery, all sessions, the busiest, duplicates."""
    yield "slowest delivery", "" if tracker.slowest_s is None else duration(tracker.slowest_s)
    sessions, gone = list(tracker.store.sessions()), tracker.store.totals
    number = len(sessions) + gone.sessions
    if number:
        people = sum(len(session.people) for session in sessions) + gone.people
        streams = sum(len(session.streams) for session in sessions) + gone.streams
        what = f"{count(people, 'connection')}, {count(streams, 'stream')}"
        yield "sessions", f"{number:,} ({tracker.occupancy().sessions:,} open), {what}"
    busiest = nlargest(_MOST, sessions, key=lambda session: session.events)
    for session in busiest:
        shown = redact.at("sessionId", session.id) if redact else session.id
        yield handle(shown, "session"), _session(session, tracker.store.newest_ms, redact)
    if more := number - len(busiest):
        yield "", f"… {count(more, 'more session')} (see vmon sessions)"
    yield "duplicates", _some(tracker.duplicates)
    yield "oddities", f"{oddities:,} (see vmon oddities)" if oddities else ""


def _session(session: Session, now_ms: int, redact: Redactor | None) -> str:
    """`3 connections, 4 streams, 12 events, 12 min, open`, as `vmon sessions` has it."""
    laid = snapshot(session)
    reason = laid.rounds[-1].reason
    if reason and redact:
        reason = redact.at("reason", reason)
    connected = sum(one.span.is_open for one in laid.members)
    ended = f"ended: {disarm(reason)}" if reason else "ended"
    parts = [
        count(len(session.people), "connection"),
        count(len(session.streams), "stream"),
        count(session.events, "event"),
        duration(laid.lasted_s(now_ms)) if laid.rounds[-1].is_dated else "-",
        f"open, {connected:,} connected" if laid.is_open else ended,
    ]
    return ", ".join(parts)


def by_type(types: Counter[str], paint: Paint, longest: int) -> Iterator[str]:
    """A row per type seen: its name, how many, a bar of at most `longest` columns.

    No bars where all numbers are the same: they would compare nothing.
    """
    most = max(types.values(), default=1)
    longest = 0 if len(types) > 1 and min(types.values()) == most else longest
    for name in (*NAMES, *(other for other in types if other not in NAMES)):
        if number := types[name]:
            bar = "▇" * min(longest, max(1, round(number / most * longest)))
            yield f"  {disarm(name):<20} {number:>9,}" + (f"  {paint('dim', bar)}" if bar else "")


def outages_in_words(outages: list[Outage]) -> str:
    """How often and how long a tunnel was down."""
    if not outages:
        return ""
    lasted = sum((one.up_at - one.down_at).total_seconds() for one in outages)
    until = max(one.until for one in outages).astimezone().strftime("%a %H:%M")
    times = count(len(outages), "time")
    return (
        f"down {times}, {duration(lasted)} in total; Vonage retries missed deliveries until {until}"
    )


def _rejected(number: int) -> str:
    """How many deliveries Vonage sends again, and when."""
    return f"{number:,}: Vonage retries each {SCHEDULE_TEXT}" if number else ""


def _some(number: int) -> str:
    return f"{number:,}" if number else ""
