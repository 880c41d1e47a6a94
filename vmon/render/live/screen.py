"""The live screen of `listen`: entries wait in a bounded queue and are drawn on a time budget.

The answers come first: drawing takes at most `_BUDGET_S` of every tick, and nothing while the
terminal does not take what was drawn before. What finds the queue full is counted and said. All are
entered in the book, drawn or not; a line at the foot of the terminal says who is there now.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from time import perf_counter, time
from typing import TYPE_CHECKING

from vmon.render.line import not_drawn
from vmon.render.live.writer import ERR, OUT, Writer
from vmon.sessions.tracker import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.analysis.oddities.codes import Oddity
    from vmon.events.entry import Entry
    from vmon.forward.client import ForwardResult
    from vmon.render.formats.entries import Draw
    from vmon.render.live.status_line import StatusLine
    from vmon.render.outcome import Outcomes
    from vmon.search.filter import Filter
    from vmon.sessions.store import ApplyResult
    from vmon.sessions.tracker import SessionTracker

_TICK_S = 0.05
_BUDGET_S = 0.01
_MOST_ENTRIES = 10_000
_MOST_BYTES = 64 << 20
_BEAT_S = 0.5
"""How often the foot is drawn anew, and sessions are looked at for oddities."""
_LOOK_S = 0.005
_AT_ONCE = 16
"""Entries drawn between two looks at the clock."""


class _Gap:
    """Entries that found the queue full, in their place between those that did not."""

    def __init__(self) -> None:
        self.missing = 0


class _Answered:
    """The place of what came of forwarding an entry."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


_Item = tuple["Entry", "bytes | None"] | str | _Gap | _Answered
"""What waits to be drawn: an entry and its line, a notice, a gap, the place of an outcome."""


class Screen:
    """Draws entries that pass the filter, in their order; says what it could not draw.

    Without `draw` it only enters them in the book. `on_oddity` is told what does not add up.
    With `dedupe` copies are hidden. `on_bug` gets what drawing raised: that entry is not drawn.
    """

    def __init__(  # noqa: PLR0913 - one for each part of the screen
        self,
        draw: Draw | None,
        chosen: Filter,
        on_gone: Callable[[], None],
        outcomes: Outcomes | None = None,
        *,
        known: SessionTracker,
        foot: StatusLine | None = None,
        on_oddity: Callable[[Oddity], None] | None = None,
        dedupe: bool = False,
        on_bug: Callable[[Exception], None] | None = None,
    ) -> None:
        self._draw = draw
        self._on_bug = on_bug
        self._known = known
        self._foot = foot
        self._on_oddity = on_oddity
        self._dedupe = dedupe
        self._beat: asyncio.TimerHandle | None = None
        self._draw_outcome = outcomes
        self._outcomes: dict[str, list[ForwardResult]] = {}
        self._last = ""
        self._chosen = None if chosen.chooses_all else chosen
        self._queue: deque[_Item] = deque()
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writer = Writer(self._tell_gone)
        self._on_gone = on_gone
        self.hidden = 0
        self.undrawn = 0

    def _tell_gone(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(self._on_gone)

    def offer(self, entry: Entry, line: bytes | None) -> None:
        """Have an entry drawn soon, or counted as not drawn."""
        if len(self._queue) >= _MOST_ENTRIES or self._bytes > _MOST_BYTES:
            self._skip(entry)
            return
        self._bytes += len(entry.delivery.body)
        self._queue.append((entry, line))
        self._wake()

    def offer_notice(self, text: str) -> None:
        """Something to say on standard error, in its place among the events, if there is room."""
        if len(self._queue) < _MOST_ENTRIES:
            self._queue.append(text)
            self._wake()

    def offer_outcome(self, told: ForwardResult) -> None:
        """Have an outcome drawn under its event, or later and with the event's name."""
        if self._draw_outcome and len(self._queue) < _MOST_ENTRIES:
            self._outcomes.setdefault(told.entry.delivery.id, []).append(told)
            self._queue.append(_Answered(told.entry))
            self._wake()

    def say(self, text: str) -> None:
        """Say something on standard error now."""
        self._writer.put(ERR, text.encode("utf-8", "backslashreplace") + b"\n")

    def _skip(self, entry: Entry) -> None:
        self._known.enter(entry)
        if self._draw is None:
            return
        self.undrawn += 1
        if not isinstance(self._queue[-1], _Gap):
            self._queue.append(_Gap())
        if isinstance(gap := self._queue[-1], _Gap):
            gap.missing += 1

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK_S, self._tick)
        if self._beat is None:
            self._beat = self._loop.call_later(_BEAT_S, self._look_around)

    def _look_around(self) -> None:
        """Say what does not add up, and who is there now; again while something may change."""
        self._beat = None
        try:
            self._look_once()
        except Exception as error:  # noqa: BLE001 - a bug ends this look, and not the run
            self._tell_bug(error)
        if self._known.waits:
            self._beat = self._loop.call_later(_BEAT_S, self._look_around)

    def _look_once(self) -> None:
        self.look()
        self._known.present()  # without a foot nobody else asks, and what has changed piles up
        if self._foot and (line := self._foot(self._known, self.hidden)) is not None:
            self._writer.pin(line)

    def _tell_bug(self, error: Exception) -> None:
        if self._on_bug is None:
            raise error
        self._on_bug(error)

    def look(self) -> None:
        """Tell of the oddities that have settled."""
        for oddity in self._known.news(time() * 1000, _LOOK_S):
            if self._on_oddity:
                self._on_oddity(oddity)

    def _tick(self) -> None:
        self._timer = None
        if self._writer.free:
            self._draw_for(_BUDGET_S)
        if self._queue:
            self._wake()

    def _draw_for(self, budget_s: float) -> None:
        # Not the loop's own clock: uvloop's stands still while a callback runs.
        deadline = perf_counter() + budget_s
        if measure := getattr(self._draw, "measured", None):
            measure()
        out: list[bytes] = []
        while self._queue and perf_counter() < deadline:
            for _ in range(min(_AT_ONCE, len(self._queue))):
                self._draw_next(out)
        self._put(out)

    def _draw_outcomes(self, entry: Entry, out: list[bytes]) -> None:
        for line in self._outcome_lines(entry):
            if self._draw_outcome and self._draw_outcome.aside:
                self._put(out)
                self._writer.put(ERR, line)
            else:
                out.append(line)

    def _outcome_lines(self, entry: Entry) -> Iterator[bytes]:
        told = self._outcomes.pop(entry.delivery.id, [])
        if self._draw_outcome and (self._chosen is None or self._chosen(entry)):
            for one in told:
                yield self._draw_outcome(one, is_last=self._last == entry.delivery.id)
                self._last = entry.delivery.id

    def _draw_next(self, out: list[bytes]) -> None:
        item = self._queue.popleft()
        try:
            self._draw_item(item, out)
        except Exception as error:  # noqa: BLE001 - a bug ends this drawing, and not the run
            self.undrawn += isinstance(item, tuple) and self._draw is not None
            self._tell_bug(error)

    def _draw_item(self, item: _Item, out: list[bytes]) -> None:
        match item:
            case (entry, line):
                self._bytes -= len(entry.delivery.body)
                change = self._known.enter(entry)
                if self._draw is None:
                    return
                if self._is_shown(entry, change):
                    self._last = entry.delivery.id
                    out.append(self._draw(entry, line, annotate(entry, change)))
                else:
                    self.hidden += 1
                if self._outcomes:
                    self._draw_outcomes(entry, out)
            case _Answered(entry=entry):
                self._draw_outcomes(entry, out)
            case aside:
                self._last = ""
                self._put(out)
                self.say(aside if isinstance(aside, str) else not_drawn(aside.missing))

    def _is_shown(self, entry: Entry, change: ApplyResult) -> bool:
        if self._dedupe and change.copies > 1:
            return False
        return self._chosen is None or self._chosen(entry)

    def _put(self, out: list[bytes]) -> None:
        """Hand on what is drawn, at once: the thread that writes costs a switch each time."""
        self._writer.put(OUT, b"".join(out))
        out.clear()

    async def drain(self, within_s: float) -> None:
        """Draw all that waits, as far as the terminal takes it in that time."""
        for timer in (self._timer, self._beat):
            if timer:
                timer.cancel()
        self._timer = self._beat = None
        deadline = self._loop.time() + within_s
        while self._queue and self._loop.time() < deadline:
            self._draw_for(_BUDGET_S)
            await asyncio.to_thread(self._writer.finish, deadline - self._loop.time())
        left_s = max(0.0, deadline - self._loop.time())
        if not await asyncio.to_thread(self._writer.finish, left_s):
            self._writer.close()  # it is stuck: what is said from here on need not be
            self._writer = Writer(self._tell_gone)
        for item in self._queue:
            if isinstance(item, tuple):
                self._known.enter(item[0])
                self.undrawn += self._draw is not None
        self._queue.clear()
        self._writer.pin(b"")

    def close(self) -> None:
        """Let the writing thread end."""
        self._writer.close()
