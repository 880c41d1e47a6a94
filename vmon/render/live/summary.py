"""What a run saw of sessions, in a few rows at its end."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from typing import TYPE_CHECKING

from vmon.events.catalogue import NAMES
from vmon.humanize import count, duration, handle
from vmon.sanitize import disarm
from vmon.sessions.snapshot import snapshot

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from vmon.capture.codec import Outage
    from vmon.render.style import Paint
    from vmon.sessions.model import Session
    from vmon.sessions.tracker import SessionTracker

_MOST = 5


def summed_up(known: SessionTracker) -> Iterator[tuple[str, str]]:
    """Rows of a label and what there is to say: all sessions, the busiest, copies, oddities."""
    sessions = list(known.book.sessions())
    gone = known.book.totals
    number = len(sessions) + gone.sessions
    if number:
        people = sum(len(one.people) for one in sessions) + gone.people
        streams = sum(len(one.feeds) for one in sessions) + gone.feeds
        what = f"{count(people, 'connection')}, {count(streams, 'stream')}"
        yield "sessions", f"{number:,} ({known.present().sessions:,} open), {what}"
    for one in nlargest(_MOST, sessions, key=lambda one: one.events):
        yield handle(one.id, "session"), _session(one, known.book.newest_ms)
    if number > _MOST:
        yield "", f"… {count(number - _MOST, 'more session')} (see vmon sessions)"
    yield "duplicates", f"{known.copies:,}" if known.copies else ""
    yield "oddities", f"{known.oddities:,} (see vmon oddities)" if known.oddities else ""


def _session(session: Session, now_ms: int) -> str:
    """`3 connections, 4 streams, 12 events, 12 min, open`, as `vmon sessions` has it."""
    laid = snapshot(session)
    reason = laid.rounds[-1].reason
    connected = sum(one.span.is_open for one in laid.members)
    ended = f"ended: {disarm(reason)}" if reason else "ended"
    parts = [
        count(len(session.people), "connection"),
        count(len(session.feeds), "stream"),
        count(session.events, "event"),
        duration(laid.lasted_s(now_ms)),
        f"open, {connected:,} connected" if laid.is_open else ended,
    ]
    return ", ".join(parts)


def by_type(types: Counter[str], paint: Paint, longest: int) -> Iterator[str]:
    """A row per type seen: its name, how many, a bar of at most so many columns."""
    most = max(types.values(), default=1)
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
