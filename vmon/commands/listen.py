"""One run of `vmon listen`: its parts are wired, opened, drained and closed.

The road of a delivery: received, captured, answered; then, off the answer's path, entered in the
session store, published on the feed, shown and forwarded. Nothing behind the answer can delay it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from vmon import event_loop
from vmon.analysis.oddities.monitor import LiveOddities
from vmon.bugs import Bugs
from vmon.capture.rotation import Limit, Rotation
from vmon.capture.writer import CaptureWriter
from vmon.commands.stopping import Stopper
from vmon.config import HOST, PORT
from vmon.errors import BUG, INTERRUPTED, VmonError
from vmon.events.ids import Ids
from vmon.events.timestamps import LATE_AFTER_S
from vmon.forward.forwarder import Forwarder, ForwardOptions
from vmon.receive.elements import Notice, OddityFound
from vmon.receive.feed import Feed, ForwardPublisher
from vmon.receive.group_commit import GroupCommit
from vmon.receive.http_server import Limits
from vmon.receive.pipeline import Pipeline, PipelineOptions
from vmon.receive.receiver import Receiver, ReceiverCallbacks
from vmon.render.formats.entries import Form
from vmon.render.live.notices import Extras
from vmon.render.live.terminal import Terminal, TerminalOptions
from vmon.render.live.writer import say_now
from vmon.render.outcome import left_in_words
from vmon.sanitize import disarm
from vmon.search.filter import Filter
from vmon.security.access import secret_path
from vmon.security.verifier import Verifier
from vmon.sessions.tracker import SessionTracker
from vmon.tunnel.choice import TunnelRequest, named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from vmon.analysis.oddities.codes import Oddity
    from vmon.receive.public_url import PublicUrl
    from vmon.security.access import Guard

_DRAIN_S = 3.0
"""How long the end of a run waits for a terminal to take what is still to be shown."""
_GRACE_S = 10.0
"""How long the end of a run waits for requests in flight."""
_FORWARD_S = 3.0
"""How long the end of a run goes on forwarding; the rest stays in the journal."""
_OF_A_CONNECTION = ("transport", "protocol", "socket")
"""What the loop names where not a callback failed, but a connection."""


class Options(Struct, frozen=True):
    """The options of a run.

    `capture` None keeps no capture, `fsync` outlives a power loss, `forward` None forwards nothing,
    `rotate` None lets the capture grow. `redact` are the paths under pseudonyms in what is shown.
    `secret_path` None is the one that is remembered; with `open_path` the public URL has none.
    """

    host: str = HOST
    port: int = PORT
    capture: Path | None = None
    fsync: bool = False
    limits: Limits = field(default_factory=Limits)
    event_filter: Filter = field(default_factory=Filter)
    form: Form = field(default_factory=Form)
    quiet: bool = False
    tunnel: TunnelRequest | None = None
    extras: Extras = field(default_factory=Extras)
    ready_as_json: bool = False
    forward: ForwardOptions | None = None
    verifier: Verifier = field(default_factory=Verifier)
    redact: tuple[str, ...] | None = None
    name_of: Callable[[str | None], str | None] | None = None
    late_after_s: float = LATE_AFTER_S
    dedupe: str | None = None
    secret_path: str | None = None
    open_path: bool = False
    rotate: Limit | None = None

    @property
    def terminal(self) -> TerminalOptions:
        """What is shown of the run."""
        return TerminalOptions(
            self.form,
            self.quiet,
            None if self.event_filter.selects_all else self.event_filter,
            self.dedupe,
            self.redact,
            self.extras,
            self.ready_as_json,
            self.capture,
            self.forward,
        )


def run(options: Options) -> int:
    """Listen until told to stop; the exit code."""
    return event_loop.run(_listen(options))


async def _listen(options: Options) -> int:
    run = Run(options)
    try:
        await run.open()
        await run.stopper.stopped.wait()
    finally:
        await run.close()
    if run.bugs.total:
        return BUG
    return INTERRUPTED if run.stopper.is_hurried else 0


async def _close_files(pipeline: Pipeline) -> None:
    pipeline.close()
    if pipeline.rotation:
        pipeline.rotation.close(_DRAIN_S)


def _last_words(pipeline: Pipeline) -> None:
    """Close the capture before the process exits, whatever is still to be done."""
    pipeline.close()
    if rescued := pipeline.totals.rescued:
        say_now(f"not in the capture: {rescued}")


class Run:
    """A run that listens: what receives, what forwards, and the terminal that shows it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.bugs = Bugs()
        self._ids = Ids()
        tracker = SessionTracker(options.name_of, forgets=True, late_after_s=options.late_after_s)
        self.feed = Feed(tracker, self._note_bug)
        self._oddities = LiveOddities(tracker.store, self._report_oddity, self._note_bug)
        tracker.on_forgotten = self._oddities.forget
        self._pipeline = self._new_pipeline()
        self._forwarder = self._new_forwarder()
        self._rotation = self._new_rotation()
        self._receiver = self._new_receiver()
        end = partial(_last_words, self._pipeline)
        self.stopper = Stopper(self._in_flight, self._hurry, self._say, end)
        self._stop = self.stopper.stopped
        self._terminal = Terminal(
            options.terminal, tracker, lambda: self._oddities.total, self._stop.set, self._note_bug
        )
        self._terminal.follow(self.feed)
        self.feed.watch(self._oddities.note)
        self._tunnel: asyncio.Task[None] | None = None

    def _new_pipeline(self) -> Pipeline:
        options = self._options
        settings = PipelineOptions(
            options.verifier,
            options.limits.max_body,
            writes_lines=options.capture is not None or options.form.is_json,
            waits_for_app=options.forward is not None and options.forward.ack == "app",
        )
        pipeline = Pipeline(settings, self._ids, self.feed, self.bugs)
        if options.capture:
            pipeline.totals.capture = options.capture
            pipeline.capture = CaptureWriter(
                options.capture, trouble=pipeline.capture_trouble, durable=options.fsync
            )
            if options.fsync:
                pipeline.commit = GroupCommit(pipeline.capture)
        return pipeline

    def _new_forwarder(self) -> Forwarder | None:
        if self._options.forward is None:
            return None
        listener = ForwardPublisher(self.feed, self._note_bug)
        capture = self._pipeline.capture
        forwarder = Forwarder(self._options.forward, capture, self._ids.salt, listener)
        self._pipeline.forwarding = forwarder
        return forwarder

    def _new_rotation(self) -> Rotation | None:
        limit, capture = self._options.rotate, self._pipeline.capture
        if limit is None or capture is None:
            return None
        say = lambda text: self.feed.publish(Notice(text))  # noqa: E731 - a name for an argument
        rotation = Rotation(capture, limit, say, self._forwarder)
        if self._forwarder:
            self._forwarder.moved = rotation.compress_sent
        self._pipeline.rotation = rotation
        return rotation

    def _new_receiver(self) -> Receiver:
        pipeline = self._pipeline
        callbacks = ReceiverCallbacks(
            pipeline.accept,
            pipeline.notice_request,
            self._note_bug,
            pipeline.before_answer if pipeline.waits else None,
            pipeline.block,
        )
        return Receiver(callbacks, ids=self._ids, limits=self._options.limits)

    def _new_public_url(self, request: TunnelRequest) -> PublicUrl:
        from vmon.receive.public_url import PublicUrl, PublicUrlCallbacks

        secret = None if self._options.open_path else secret_path(self._options.secret_path)
        callbacks = PublicUrlCallbacks(self._guard, self._pipeline.note_outage)
        return PublicUrl(request, self._receiver, self.feed, secret, callbacks)

    def _guard(self, guard: Guard) -> None:
        self._pipeline.guard = guard
        for worker in self._forwarder.workers if self._forwarder else ():
            worker.inner_path = guard.inner_path

    # Beginning and end.

    async def open(self) -> None:
        """Listen, take over the signals, and say so; CannotListen when that cannot be."""
        asyncio.get_running_loop().set_exception_handler(self._uncaught)
        if self._forwarder:
            await self._forwarder.open()
        if self._rotation:
            self._rotation.compress_sent()
        local = await self._receiver.open(self._options.host, self._options.port)
        if self._forwarder:
            self._forwarder.refuse_itself(local)
        self.stopper.take_signals()
        self._pipeline.totals.started_s = time.monotonic()
        request, survives = self._options.tunnel, bool(self._forwarder and self._forwarder.survives)
        public = self._new_public_url(request) if request else None
        inside = public.inside(local) if public else local
        via = named(request.choice) if request else None
        self._terminal.say_banner(local, inside, via, survives=survives)
        for left in self._forwarder.left if self._forwarder else ():
            self.feed.publish(Notice(left_in_words(left), "forwarding"))
        if public is None:
            self._terminal.say_ready()
        else:
            self._tunnel = asyncio.create_task(self._keep_public(public, local))

    async def _keep_public(self, public: PublicUrl, local: str) -> None:
        try:
            await public.run(local)
        finally:
            self._stop.set()  # a tunnel that cannot be had ends the run

    def _in_flight(self) -> int:
        """Requests that the end of the run waits for."""
        sending = self._forwarder.in_flight if self._forwarder else 0
        return self._receiver.in_flight + sending

    def _hurry(self) -> None:
        """Have the end of the run wait for them no longer."""
        self._receiver.hurry()
        if self._forwarder:
            self._forwarder.hurry()

    def _say(self, text: str) -> None:
        self._terminal.say(text)

    async def close(self) -> None:
        """Stop accepting, finish what is in flight, show what is queued, sum up."""
        with self.stopper.finishing():
            await self._attempt(self._receiver.close(_GRACE_S))
            failed = await self._close_tunnel()
            if self._forwarder:
                await self._attempt(self._forwarder.close(_FORWARD_S))
        await self._attempt(self._show_rest())
        await self._attempt(_close_files(self._pipeline))
        await self._attempt(self._sum_up())
        self._terminal.say_bugs(self.bugs)
        await self._attempt(self._terminal.drain(_DRAIN_S))
        self._terminal.close()
        if failed is not None:
            raise failed

    async def _show_rest(self) -> None:
        self.feed.flush()
        self._oddities.close()
        await self._terminal.drain(_DRAIN_S)

    async def _sum_up(self) -> None:
        self.feed.flush()
        where = self._options.event_filter.where
        failed_filter = [("filter", where.failed)] if where and where.failed else []
        more = [*(self._forwarder.summary() if self._forwarder else ()), *failed_filter]
        self._terminal.say_summary(self._pipeline, self.bugs, more)

    async def _attempt(self, step: Awaitable[None]) -> None:
        """A step of the end, after which the others come whatever it raises."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 - a bug, reported with the others
            self._note_bug(error)

    async def _close_tunnel(self) -> VmonError | None:
        """End the tunnel; what it failed with, if that is why the run ends."""
        if self._tunnel is None:
            return None
        self._tunnel.cancel()
        found = (await asyncio.gather(self._tunnel, return_exceptions=True))[0]
        if isinstance(found, Exception) and not isinstance(found, VmonError):
            self._note_bug(found)
        return found if isinstance(found, VmonError) else None

    def _report_oddity(self, oddity: Oddity) -> None:
        if self._options.redact is None:  # its sentence names people
            found = OddityFound(oddity.code, oddity.severity, oddity.session, oddity.text)
            self.feed.publish(found)

    def _note_bug(self, error: Exception) -> None:
        self._pipeline.note_bug(error)

    def _uncaught(self, running: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback of the loop raised, or why it closed a connection."""
        error = context.get("exception")
        if isinstance(error, OSError) and not context.keys().isdisjoint(_OF_A_CONNECTION):
            why = disarm(error.strerror or str(error))
            self._pipeline.notice_request(f"a connection failed: {why}")
        elif isinstance(error, Exception):
            self._note_bug(error)
        else:
            running.default_exception_handler(context)
