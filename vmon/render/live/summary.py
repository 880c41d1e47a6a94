"""What a run saw of sessions, in a few rows at its end."""

from __future__ import annotations

from heapq import nlargest
from typing import TYPE_CHECKING

from vmon.humanize import count, disarm, duration, handle
from vmon.sessions.tracker import present_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.sessions.model import Session
    from vmon.sessions.tracker import Known

_MOST = 5


def summed_up(known: Known) -> Iterator[tuple[str, str]]:
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
        yield handle(one.id, "session"), _session(one)
    if number > _MOST:
        yield "", f"… {count(number - _MOST, 'more session')} (see vmon sessions)"
    yield "duplicates", f"{known.copies:,}" if known.copies else ""
    yield "oddities", f"{known.oddities:,} (see vmon oddities)" if known.oddities else ""


def _session(session: Session) -> str:
    """`3 connections, 4 streams, 12 events, 12 min, open`."""
    there = present_in(session)
    lasted = duration((session.last_ms - session.first_ms) / 1000)
    reason = session.destroyed[max(session.destroyed)] if session.destroyed else None
    state = f"open, {there.people:,} connected" if there.sessions else "ended"
    parts = [
        count(len(session.people), "connection"),
        count(len(session.feeds), "stream"),
        count(session.events, "event"),
        lasted,
        state if there.sessions or not reason else f"ended: {disarm(reason)}",
    ]
    return ", ".join(parts)
