"""The live screen of `listen`: a subscriber of the feed that draws on a time budget.

The answers come first: drawing takes at most `_BUDGET_S` of every tick, and nothing while the
terminal does not take what was drawn before. A status line at the foot of the terminal says who is
there now.
"""

from __future__ import annotations

import asyncio
import contextlib
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from vmon.receive.elements import Element, Forwarded, Missed, Received
from vmon.receive.feed import Subscription
from vmon.render.live.summary import Shown
from vmon.render.live.writer import ERR, OUT, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.events.entry import Entry
    from vmon.forward.client import ForwardResult
    from vmon.render.formats.protocol import EntryFormatter
    from vmon.render.live.notices import Notices
    from vmon.render.outcome import Outcomes
    from vmon.search.filter import Filter

_TICK_S = 0.05
_BUDGET_S = 0.01
_BEAT_S = 0.5
"""How often the status line is drawn."""
_AT_ONCE = 16
"""Elements drawn between two looks at the clock."""


class Status(Protocol):
    """The line at the foot of the terminal."""

    def __call__(self, hidden: int, /) -> bytes | None:
        """The line; None if it stands there already."""


class Display(Struct, frozen=True):
    """What a screen shows: deliveries (without a formatter none), results of forwarding, a status.

    Without `chosen` every delivery is shown; with `dedupe` no duplicate is: at the
    same `path`, or at `any-path`.
    """

    formatter: EntryFormatter | None
    notices: Notices
    chosen: Filter | None = None
    results: Outcomes | None = None
    status: Status | None = None
    dedupe: str | None = None


class _Queue(Subscription):
    """A subscription that knows the results of forwarding before it is their turn."""

    def __init__(self, wake: Callable[[], None], *, deliveries: bool) -> None:
        super().__init__(wake, deliveries=deliveries)
        self.results: dict[str, list[ForwardResult]] = {}

    def put(self, element: Element) -> bool:
        """Queue an element; a result is also found by its delivery, to be shown below it."""
        if not super().put(element):
            return False
        if isinstance(element, Forwarded):
            self.results.setdefault(element.result.entry.delivery.id, []).append(element.result)
        return True


class Screen:
    """Shows elements of the feed in their order, and counts what it could not show.

    `on_gone` is called when nobody reads standard output any more; `on_bug` gets what drawing
    raised: that element is not shown.
    """

    def __init__(
        self, display: Display, on_gone: Callable[[], None], on_bug: Callable[[Exception], None]
    ) -> None:
        self._display = display
        self._on_gone = on_gone
        self._on_bug = on_bug
        self.queue = _Queue(self._wake, deliveries=display.formatter is not None)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._writer = Writer(self._note_gone)
        self._last = ""
        self._hidden = self._not_shown = 0

    @property
    def shown(self) -> Shown:
        """How many deliveries the filter hid, and how many could not be shown."""
        return Shown(self._hidden, self._not_shown)

    def _note_gone(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to know
            self._loop.call_soon_threadsafe(self._on_gone)

    def say(self, text: str) -> None:
        """Write something to standard error now."""
        self._writer.put(ERR, text.encode("utf-8", "backslashreplace") + b"\n")

    # When something is shown.

    def _wake(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            if self._writer.free:
                self._show_for(_BUDGET_S)
        except Exception as error:  # noqa: BLE001 - a bug costs a tick, and not the run
            self._on_bug(error)
        if self.queue and self._timer is None:
            self._timer = self._loop.call_later(_TICK_S, self._tick)

    def _show_for(self, budget_s: float) -> None:
        # Not the loop's own clock: uvloop's stands still while a callback runs.
        deadline = perf_counter() + budget_s
        if self._display.formatter:
            self._display.formatter.measure()
        out: list[bytes] = []
        while self.queue and perf_counter() < deadline:
            for _ in range(min(_AT_ONCE, len(self.queue))):
                self._show_next(out)
        self._put(out)

    def wake_status(self) -> None:
        """What the status line shows has changed: show it soon."""
        if self._beat is None and self._display.status:
            self._beat = self._loop.call_later(_BEAT_S, self._show_status)

    def _show_status(self) -> None:
        self._beat = None
        if not self._writer.free:
            self.wake_status()  # lines for a paused terminal would pile up
            return
        try:
            if self._display.status and (line := self._display.status(self._hidden)) is not None:
                self._writer.pin(line)
        except Exception as error:  # noqa: BLE001 - a bug costs a status line, and not the run
            self._on_bug(error)

    # What is shown.

    def _show_next(self, out: list[bytes]) -> None:
        element = self.queue.take()
        try:
            self._show(element, out)
        except Exception as error:  # noqa: BLE001 - a bug costs an element, and not the run
            self._not_shown += isinstance(element, Received)
            self._on_bug(error)

    def _show(self, element: Element, out: list[bytes]) -> None:
        if isinstance(element, Received):
            self._show_delivery(element, out)
        elif isinstance(element, Forwarded):
            self._show_results(element.result.entry, out)
        else:
            if isinstance(element, Missed):
                self._not_shown += element.deliveries
            self.wake_status()
            self._last = ""
            self._put(out)
            self.say(self._display.notices.text(element))

    def _show_delivery(self, received: Received, out: list[bytes]) -> None:
        display, entry = self._display, received.entry
        if display.formatter is None:
            return
        note = received.note
        copies = note.copies + (note.elsewhere if display.dedupe == "any-path" else 0)
        is_repeated = display.dedupe and copies > 1
        if is_repeated or not self._is_chosen(entry):
            self._hidden += 1
        else:
            out.append(display.formatter.entry(entry, received.line, received.note))
            self._last = entry.delivery.id
        if self.queue.results:
            self._show_results(entry, out)

    def _is_chosen(self, entry: Entry) -> bool:
        return self._display.chosen is None or self._display.chosen(entry)

    def _show_results(self, entry: Entry, out: list[bytes]) -> None:
        for line in self._result_lines(entry):
            if self._display.results and self._display.results.aside:
                self._put(out)
                self._writer.put(ERR, line)
            else:
                out.append(line)

    def _result_lines(self, entry: Entry) -> Iterator[bytes]:
        results = self.queue.results.pop(entry.delivery.id, [])
        if self._display.results and self._display.formatter and self._is_chosen(entry):
            for result in results:
                yield self._display.results(result, is_last=self._last == entry.delivery.id)
                self._last = entry.delivery.id

    def _put(self, out: list[bytes]) -> None:
        """Hand on what is drawn, at once: the thread that writes costs a switch each time."""
        self._writer.put(OUT, b"".join(out))
        out.clear()

    # The end.

    async def drain(self, within_s: float) -> None:
        """Show everything that waits, as far as the terminal takes it in that time."""
        for timer in (self._timer, self._beat):
            if timer:
                timer.cancel()
        self._timer = self._beat = None
        deadline = self._loop.time() + within_s
        while self.queue and (left_s := deadline - self._loop.time()) > 0:
            if not await asyncio.to_thread(self._writer.finish, left_s):
                break  # what it does not take is not handed to it: it counts as not shown
            self._show_for(_BUDGET_S)
        left_s = max(0.0, deadline - self._loop.time())
        if not await asyncio.to_thread(self._writer.finish, left_s):
            self._writer.close()  # it is stuck: nobody reads what is in it
            self._writer = Writer(self._note_gone)
        self._count_rest()
        self._writer.pin(b"")

    def _count_rest(self) -> None:
        while self.queue:
            match self.queue.take():
                case Received():
                    self._not_shown += 1
                case Missed(deliveries=deliveries):
                    self._not_shown += deliveries
                case _:
                    pass

    def close(self) -> None:
        """Let the writing thread end."""
        self._writer.close()
