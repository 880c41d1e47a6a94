"""The pipeline of a run: a delivery is captured, counted, answered, and published on the feed."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from vmon.capture.codec import outage_line, write_line
from vmon.events.delivery import encoding_of
from vmon.events.entry import Entry
from vmon.events.payload import read_body
from vmon.receive.elements import (
    BugFound,
    CaptureRecovered,
    CaptureTrouble,
    Notice,
    TunnelBack,
)
from vmon.security.access import BlockedRequests

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.bugs import Bugs
    from vmon.capture.codec import Outage
    from vmon.capture.rotation import Rotation
    from vmon.capture.writer import CaptureWriter
    from vmon.events.delivery import Delivery
    from vmon.events.ids import Ids
    from vmon.receive.feed import Feed
    from vmon.receive.group_commit import GroupCommit
    from vmon.security.access import Guard
    from vmon.security.verifier import Verifier

_RETRY_S = 1.0
"""How long after a failure the capture is tried again."""


class Totals(Struct):
    """What a run counted. `started_s` is on the monotonic clock; None: it never began.

    `notices` are requests that became no delivery, `turned_away` deliveries answered 503,
    `rescued` where lines went that the capture would not take, `verdicts` are by kind.
    """

    capture: Path | None
    types: Counter[str] = field(default_factory=Counter)
    started_s: float | None = None
    notices: int = 0
    turned_away: int = 0
    outages: list[Outage] = field(default_factory=list)
    rescued: str | None = None
    verdicts: Counter[str] = field(default_factory=Counter)


class Forwarding(Protocol):
    """What the pipeline asks of whoever forwards deliveries."""

    def begin(self, line: bytes, at: int) -> None:
        """The capture goes on in a file, beginning `at`, that this line is the first of."""

    def offer(self, entry: Entry, start: int, size: int) -> None:
        """Forward a delivery after it is answered; its line stands at `start` in the capture."""

    async def before_answer(self, delivery: Delivery, status: int) -> int:
        """What Vonage is answered, once the app has responded."""


class PipelineOptions(Struct, frozen=True):
    """`max_body` in bytes; without `writes_lines` no capture line is made of a delivery.

    With `waits_for_app` the answer is that of the app.
    """

    verifier: Verifier
    max_body: int
    writes_lines: bool = True
    waits_for_app: bool = False


class Pipeline:
    """Takes each delivery on the answer's path, and hands it to what works later.

    `rotation`, `commit` and `forwarding` are set by whoever has them, before the first delivery;
    `guard` changes with the public URL.
    """

    def __init__(self, options: PipelineOptions, ids: Ids, feed: Feed, bugs: Bugs) -> None:
        self._options = options
        self._ids = ids
        self._feed = feed
        self._bugs = bugs
        self._retry: asyncio.TimerHandle | None = None
        self._is_in_trouble = self._is_closed = False
        self.capture: CaptureWriter | None = None
        self.rotation: Rotation | None = None
        self.commit: GroupCommit | None = None
        self.forwarding: Forwarding | None = None
        self.guard: Guard | None = None
        self.blocked = BlockedRequests()
        self.totals = Totals(capture=None)

    @property
    def waits(self) -> bool:
        """Whether something is awaited before an answer."""
        waits_for_app = self.forwarding is not None and self._options.waits_for_app
        return self.commit is not None or waits_for_app

    # The answer's path.

    def accept(self, delivery: Delivery) -> int:
        """Capture a delivery and publish it; the status of its answer. It may raise TooLarge."""
        options, capture = self._options, self.capture
        payload = read_body(delivery.body, encoding_of(delivery), limit=options.max_body)
        verdict = options.verifier.verdict(delivery)
        entry = Entry(delivery, payload, verdict=verdict)
        line = write_line(entry) if options.writes_lines else None
        start = 0
        if capture and line:
            if not self._keep(capture, line):
                return self._overflow()
            start = capture.end - len(line)
        self.totals.types[entry.type] += 1
        self._feed.deliver(self._shown(entry), line)
        if verdict:
            self.totals.verdicts[verdict.kind] += 1
            if verdict.refused:
                return 401
        if self.forwarding and not options.waits_for_app:
            self.forwarding.offer(entry, start, len(line or delivery.body))
        return 200

    async def before_answer(self, delivery: Delivery, status: int) -> int:
        """The status that is answered, once the disk or the app has the delivery."""
        if self.commit:
            status = await self.commit.commit(delivery, status)
        if self.forwarding and self._options.waits_for_app:
            status = await self.forwarding.before_answer(delivery, status)
        return status

    def _keep(self, capture: CaptureWriter, line: bytes) -> bool:
        """Append a line, in a new file if rotation is due; False when it can be kept nowhere."""
        if self.rotation:
            self.rotation.rotate_if_due(line)
        if self.forwarding and capture.is_empty:
            self.forwarding.begin(line, capture.begin)
        return capture.append(line)

    def _shown(self, entry: Entry) -> Entry:
        """The entry as it is shown: without the secret path, which a screenshot would reveal."""
        guard, delivery = self.guard, entry.delivery
        if guard is None or (path := guard.inner_path(delivery.path)) == delivery.path:
            return entry
        known = entry.type, entry.session
        return Entry(replace(delivery, path=path), entry.payload, known, entry.verdict)

    def _overflow(self) -> int:
        self.totals.turned_away += 1
        if self.totals.turned_away == 1:
            self._feed.publish(CaptureTrouble(is_full=True))
        return 503

    # What went otherwise.

    def notice_request(self, text: str) -> None:
        """A request became no delivery."""
        self.totals.notices += 1
        self._feed.publish(Notice(text))

    def block(self, what: str) -> None:
        """A request from outside did not have the secret path."""
        if text := self.blocked.note(what):
            self._feed.publish(Notice(text))

    def note_bug(self, error: Exception) -> None:
        """Our own code raised this; it has ended what it was working on, and nothing else."""
        if self._bugs.note(error):
            self._feed.publish(BugFound(f"{type(error).__name__}: {error}"))

    def note_outage(self, outage: Outage) -> None:
        """The tunnel is up again: keep when it was down, in the capture too."""
        self.totals.outages.append(outage)
        self._feed.publish(TunnelBack(outage))
        if self.capture:
            self._keep(self.capture, outage_line(self._ids.next(), outage))

    # The capture.

    def capture_trouble(self, why: str | None) -> None:
        """The capture could not be written, and why; None: it can be written again."""
        if why is None:
            self._feed.publish(CaptureRecovered())
            return
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(_RETRY_S, self._write_again)
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._feed.publish(CaptureTrouble(why))

    def _write_again(self) -> None:
        self._retry = None
        if self.capture and self.capture.retry():
            self._is_in_trouble = False

    def close(self) -> None:
        """Close the capture; an empty one is removed, and what it would not take is rescued.

        It may be called again.
        """
        is_closed, self._is_closed = self._is_closed, True
        if self._retry:
            self._retry.cancel()
        if self.capture and not is_closed:
            if self.capture.discard():  # an empty capture would hide the last one
                self.totals.capture = None
            self.totals.rescued = self.capture.close()
