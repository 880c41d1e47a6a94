"""The live feed of a run: deliveries entered in the order of receipt, handed to subscribers.

On the answer's path a delivery costs one append to the inbox. Off it, everything in the inbox is
taken up in its order: a delivery is applied to the session store and annotated at that moment,
then it goes to each subscriber's own bounded queue. A slow subscriber misses elements and is told
how many; the session store and the other subscribers never wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

from vmon.receive.elements import (
    BugFound,
    CaptureRecovered,
    CaptureTrouble,
    Element,
    Forwarded,
    Missed,
    Notice,
    Received,
    TargetChanged,
    TunnelUp,
)
from vmon.sessions.tracker import Annotation, annotate

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.events.entry import Entry
    from vmon.forward.client import ForwardResult
    from vmon.forward.listener import TargetBack, TargetDown
    from vmon.sessions.store import ApplyResult
    from vmon.sessions.tracker import SessionTracker

MOST_ELEMENTS = 10_000
MOST_BYTES = 64 << 20
"""What waits for a subscriber, or to be entered: so many elements, so many bytes of deliveries."""

_TICK_S = 0.05
_SLICE_S = 0.005
"""How long deliveries are entered without a turn of the event loop for the answers."""
_AT_ONCE = 16
"""Deliveries entered between two looks at the clock."""
_OVERHEAD = 600
"""Bytes that a delivery takes beside its body and line."""
_URGENT = (TunnelUp, CaptureTrouble, CaptureRecovered, BugFound)


class Subscription:
    """The queue of one subscriber: in order, bounded, what it missed counted in its place.

    `wake` is called when the queue was empty and is not any more.
    """

    def __init__(self, wake: Callable[[], None], *, deliveries: bool = True) -> None:
        self.deliveries = deliveries
        self._wake = wake
        self._queue: deque[Element] = deque()
        self._urgent: deque[Element] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._urgent)

    def put(self, element: Element) -> bool:
        """Queue an element; False when there is no room: then it is counted as missed."""
        was_empty = not self
        if isinstance(element, _URGENT):
            self._urgent.append(element)
        elif len(self._queue) >= MOST_ELEMENTS or self._bytes > MOST_BYTES:
            self._miss(element)
            return False
        else:
            self._bytes += _size_of(element)
            self._queue.append(element)
        if was_empty:
            self._wake()
        return True

    def _miss(self, element: Element) -> None:
        last = self._queue[-1]
        missed = self._queue.pop() if isinstance(last, Missed) else Missed()
        assert isinstance(missed, Missed)  # noqa: S101 - said to mypy
        is_delivery = isinstance(element, Received)
        self._queue.append(
            Missed(missed.deliveries + is_delivery, missed.others + (not is_delivery))
        )

    def take(self) -> Element:
        """The next element; IndexError when there is none."""
        if self._urgent:
            return self._urgent.popleft()
        element = self._queue.popleft()
        self._bytes -= _size_of(element)
        return element


class Feed:
    """Enters deliveries in the session store, and hands elements to subscribers.

    `on_bug` gets what entering a delivery raised: that delivery goes on without an annotation.
    """

    def __init__(self, tracker: SessionTracker, on_bug: Callable[[Exception], None]) -> None:
        self._tracker = tracker
        self._on_bug = on_bug
        self._watchers: list[Callable[[Entry, ApplyResult], None]] = []
        self._subscriptions: list[Subscription] = []
        self._annotates = False
        self._inbox: deque[tuple[Entry, bytes | None] | Element] = deque()
        self._bytes = 0
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None

    def subscribe(self, subscription: Subscription) -> None:
        """Hand every element from now on to this subscription."""
        self._subscriptions.append(subscription)
        self._annotates |= subscription.deliveries

    def watch(self, watcher: Callable[[Entry, ApplyResult], None]) -> None:
        """Call this with each delivery and what it changed, at that moment: it misses none."""
        self._watchers.append(watcher)

    def deliver(self, entry: Entry, line: bytes | None) -> None:
        """Take a delivery on the answer's path: it is entered soon, after those before it."""
        self._inbox.append((entry, line))
        self._bytes += _size(entry, line)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK_S, self._tick)
        if len(self._inbox) > MOST_ELEMENTS or self._bytes > MOST_BYTES:
            self._enter_some()  # the answer waits for others to be entered: the only bound there is

    def publish(self, element: Element) -> None:
        """Hand an element to the subscribers, after the deliveries that came before it."""
        self._inbox.append(element)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK_S, self._tick)

    def flush(self) -> None:
        """Enter everything that was received."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._inbox:
            self._enter_some()

    def _tick(self) -> None:
        # Not the loop's own clock: uvloop's stands still while a callback runs.
        deadline = perf_counter() + _SLICE_S
        try:
            while self._inbox:
                self._enter_some()
                if perf_counter() >= deadline:
                    break
        finally:  # a bug does not end the feed
            self._timer = self._loop.call_soon(self._tick) if self._inbox else None

    def _enter_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._inbox))):
            item = self._inbox.popleft()
            if type(item) is tuple:
                self._enter(*item)
            else:
                for subscription in self._subscriptions:
                    subscription.put(item)  # type: ignore[arg-type] # mypy does not narrow by type()

    def _enter(self, entry: Entry, line: bytes | None) -> None:
        self._bytes -= _size(entry, line)
        note = Annotation()
        try:
            result = self._tracker.apply(entry)
            if self._annotates:
                note = annotate(entry, result)
            for watcher in self._watchers:
                watcher(entry, result)
        except Exception as error:  # noqa: BLE001 - a bug ends this delivery's entering, not the run
            self._on_bug(error)
        if self._annotates:
            received = Received(entry, line, note)
            for subscription in self._subscriptions:
                if subscription.deliveries:
                    subscription.put(received)


class ForwardPublisher:
    """Publishes on the feed what becomes of forwarding: a listener of the forwarder."""

    def __init__(self, feed: Feed, on_bug: Callable[[Exception], None]) -> None:
        self._feed = feed
        self.bug = on_bug

    def forwarded(self, result: ForwardResult) -> None:
        """A delivery failed for the first time, or came to its end."""
        self._feed.publish(Forwarded(result))

    def target_down(self, event: TargetDown) -> None:
        """A target is down."""
        self._feed.publish(TargetChanged(event))

    def target_back(self, event: TargetBack) -> None:
        """A target that was down is up again."""
        self._feed.publish(TargetChanged(event))

    def notice(self, text: str) -> None:
        """Something worth a sentence."""
        self._feed.publish(Notice(text, "forwarding"))


def _size_of(element: Element) -> int:
    """Bytes that an element takes in a queue, more or less; 0 where it is small."""
    match element:
        case Received():
            return _size(element.entry, element.line)
        case Forwarded(result):
            outcome = result.outcome
            return len(outcome.body) + sum(len(n) + len(v) for n, v in outcome.headers)
        case _:
            return 0


def _size(entry: Entry, line: bytes | None) -> int:
    """Bytes that a delivery takes in a queue, more or less."""
    return len(entry.delivery.body) + (len(line) if line else 0) + _OVERHEAD
