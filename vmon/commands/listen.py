"""One run of `vmon listen`: opens, wires, drains, closes.

The road of a delivery: received, captured, answered; then, off the answer's path, decoded,
filtered, drawn. Nothing behind the answer can delay it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from vmon import event_loop
from vmon.capture.codec import outage_line, write_line
from vmon.capture.rotation import Limit, Rotation
from vmon.capture.writer import CaptureWriter
from vmon.config import HOST, PORT
from vmon.errors import BUG, INTERRUPTED, VmonError, traceback_of
from vmon.events.delivery import encoding_of
from vmon.events.entry import Entry
from vmon.events.ids import Ids
from vmon.events.payload import read_body
from vmon.forward.forwarder import Forwarder, ForwardListener, ForwardOptions, of_left
from vmon.receive.group_commit import GroupCommit
from vmon.receive.http_server import Limits
from vmon.receive.pipeline import Totals
from vmon.receive.receiver import Receiver, ReceiverCallbacks
from vmon.render.formats.choose import entry_formatter
from vmon.render.formats.entries import Form
from vmon.render.live.banner import Extras, Report, banner_rows
from vmon.render.live.screen import Screen
from vmon.render.live.status_line import StatusLine
from vmon.render.live.summary import summed_up
from vmon.render.outcome import Outcomes
from vmon.sanitize import disarm
from vmon.search.filter import Filter
from vmon.security.access import LOOPBACK, BlockedRequests, Guard, host_name, secret_path
from vmon.security.pseudonyms import redactor_of
from vmon.security.verifier import Verifier
from vmon.sessions.tracker import SessionTracker
from vmon.tunnel.choice import TunnelRequest, named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from vmon.analysis.oddities.codes import Oddity
    from vmon.capture.codec import Outage
    from vmon.events.delivery import Delivery
    from vmon.forward.client import ForwardResult
    from vmon.tunnel.supervisor import Down

_DRAIN_S = 3.0
"""How long the end of a run waits for a terminal to take what is still to be drawn."""
_GRACE_S = 10.0
"""How long the end of a run waits for requests in flight."""
_FORWARD_S = 3.0
"""How long the end of a run goes on forwarding; the rest stays in the spool."""
_MOST_BUGS = 16
"""Kinds of bugs whose tracebacks are kept; more are only counted."""
_OF_A_CONNECTION = ("transport", "protocol", "socket")
"""What the loop names where not a callback failed, but a connection."""
_RETRY_S = 1.0
"""How long after a failure the capture is tried again."""


class Options(Struct, frozen=True):
    """What a run was asked for.

    `capture` None keeps no capture, `fsync` outlives a power loss, `onward` None forwards nothing,
    `rotate` None lets the capture grow. `redact` are the paths under pseudonyms in what is drawn.
    `secret_path` None is the prefix that is remembered; with `open_path` the public URL has none.
    """

    host: str = HOST
    port: int = PORT
    capture: Path | None = None
    fsync: bool = False
    limits: Limits = field(default_factory=Limits)
    chosen: Filter = field(default_factory=Filter)
    form: Form = field(default_factory=Form)
    quiet: bool = False
    tunnel: TunnelRequest | None = None
    extras: Extras = field(default_factory=Extras)
    ready_as_json: bool = False
    onward: ForwardOptions | None = None
    trust: Verifier = field(default_factory=Verifier)
    redact: tuple[str, ...] | None = None
    name_of: Callable[[str | None], str | None] | None = None
    dedupe: bool = False
    secret_path: str | None = None
    open_path: bool = False
    rotate: Limit | None = None


def run(options: Options) -> int:
    """Listen until told to stop; the exit code."""
    return event_loop.run(_listen(options))


async def _listen(options: Options) -> int:
    run = Run(options)
    try:
        await run.open()
        await run.until_stopped()
    finally:
        await run.close()
    return BUG if run.bugs.total else 0


class Bugs:
    """What our own code raised in a run: the traceback of each kind, and how often it came.

    Exceptions are not kept: they hold on to the deliveries they were raised for.
    """

    def __init__(self) -> None:
        self.total = 0
        self._kinds: dict[tuple[str, str, int], str] = {}
        self._times: Counter[tuple[str, str, int]] = Counter()

    def note(self, error: Exception) -> bool:
        """Count one; whether it is the first of its kind. Two of one type and line are of one."""
        self.total += 1
        kind = _kind(error)
        is_new = kind not in self._kinds and len(self._kinds) < _MOST_BUGS
        if is_new:
            self._kinds[kind] = traceback_of(error)
        if kind in self._kinds:
            self._times[kind] += 1
        return is_new

    def tracebacks(self) -> list[tuple[str, int]]:
        """A traceback and how often that bug came up, for each kind."""
        return [(traceback, self._times[kind]) for kind, traceback in self._kinds.items()]


def _kind(error: Exception) -> tuple[str, str, int]:
    """The type of an exception, and the file and line that raised it."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None:
        return type(error).__name__, "", 0
    return type(error).__name__, at.tb_frame.f_code.co_filename, at.tb_lineno


class Run:
    """A run that listens: its parts, and what they tell each other."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stop = asyncio.Event()
        self.bugs = Bugs()
        self._retry: asyncio.TimerHandle | None = None
        self._troubled = False
        self._public: asyncio.Task[None] | None = None
        self._prefix: str | None = None
        self._ids = Ids()
        self._strangers = BlockedRequests()
        self._report = Report()
        self._totals = Totals(capture=options.capture)
        onward = options.onward
        redact = None if options.redact is None else redactor_of(options.redact)
        on_terminal = sys.stdout.isatty() and sys.stderr.isatty()
        self._known = SessionTracker(options.name_of, forgets=True)
        self._screen = Screen(
            None if options.quiet else entry_formatter(options.form, redact),
            options.chosen,
            self._stop.set,
            Outcomes(aside=options.form.is_json, several=len(onward.aims) > 1) if onward else None,
            known=self._known,
            foot=StatusLine() if on_terminal else None,
            on_oddity=None if options.redact is not None else self._odd,
            dedupe=options.dedupe,
            on_bug=self._bug,
        )
        file = options.capture
        self._capture = (
            CaptureWriter(file, trouble=self._trouble, durable=options.fsync) if file else None
        )
        self._needs_line = self._capture is not None or options.form.is_json
        self._sync = GroupCommit(self._capture) if options.fsync and self._capture else None
        run, voice = self._ids.salt, ForwardListener(self._told, self._say_news, self._bug)
        self._forwarding = Forwarder(onward, self._capture, run, voice) if onward else None
        self._rotation: Rotation | None = None
        if options.rotate and self._capture:
            say = self._notice_aside
            self._rotation = Rotation(self._capture, options.rotate, say, self._forwarding)
            if self._forwarding:
                self._forwarding.moved = self._rotation.pack_sent
        self._offers = onward is not None and onward.ack == "always"
        waits = self._sync or (self._forwarding and not self._offers)
        self._receiver = Receiver(
            ReceiverCallbacks(
                self._accept,
                self._notice,
                self._bug,
                self._settle if waits else None,
                self._stranger,
            ),
            ids=self._ids,
            limits=options.limits,
        )

    async def open(self) -> None:
        """Listen, take over the signals, and say so; CannotListen when that cannot be."""
        asyncio.get_running_loop().set_exception_handler(self._uncaught)
        if self._forwarding:
            await self._forwarding.open()
        if self._rotation:
            self._rotation.pack_sent()
        url = await self._receiver.open(self._options.host, self._options.port)
        if self._forwarding:
            self._forwarding.refuse_itself(url)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            self._on_signal(name)
        self._totals.started_s = time.monotonic()
        options, opening = self._options, self._options.tunnel
        self._local = inside = url
        if opening and not options.open_path:
            self._prefix = secret_path(options.secret_path)
            inside = url if opening.marks_requests else f"{url}/{self._prefix}"
        chosen = None if options.chosen.chooses_all else str(options.chosen)
        via = named(opening.choice) if opening else None
        more = self._forwarding and banner_rows(
            self._forwarding.onward, survives=self._forwarding.survives
        )
        self._screen.say(self._report.banner(inside, options.capture, chosen, via, more or ()))
        if host_name(url.partition("//")[2]) not in LOOPBACK:
            self._screen.say(self._report.exposed(url))
        for left in self._forwarding.left if self._forwarding else ():
            self._say_news(of_left(left))
        if opening is None:
            self._say_ready(None)
        else:
            self._public = asyncio.create_task(self._expose(opening))

    def _say_ready(self, public: str | None) -> None:
        line = self._report.ready(
            self._local, public, self._options.capture, as_json=self._options.ready_as_json
        )
        if line is not None:
            self._screen.say(line)

    # The public side.

    def guarded(self, public_url: str, *, everyone: bool) -> str:
        """Let nobody in from outside who does not know the secret path; the public URL with it.

        Call it with "" before a tunnel is opened (then nobody gets in), and again when its URL is
        known or has changed. `everyone` is for tunnels that pass bytes on as they are.
        """
        prefix = self._prefix
        host = urlsplit(public_url).hostname
        guard = Guard(prefix, frozenset({host.lower()} if host else ()), everyone)
        self._receiver.guard = guard
        for course in self._forwarding.courses if self._forwarding else ():
            course.inner_path = guard.inner_path
        return f"{public_url}/{prefix}" if prefix else public_url

    async def _expose(self, opening: TunnelRequest) -> None:
        from vmon.receive.public_url import PublicUrlCallbacks, PublicUrlKeeper

        everyone = not opening.marks_requests
        hooks = PublicUrlCallbacks(
            prepare=lambda url: self.guarded(url, everyone=everyone),
            ready=self._proved,
            down=self._went_down,
            back=self._came_back,
            waiting=self._notice_aside,
            expect=self._receiver.expect,
        )
        self.guarded("", everyone=everyone)  # nobody gets in before the URL is known
        try:
            await PublicUrlKeeper(lambda: opening.tunnel(self._local), hooks).run()
        finally:
            self._stop.set()  # a tunnel that cannot be had ends the run

    def _proved(self, url: str, was: str | None) -> None:
        self._screen.say(self._report.public(url, was, self._options.extras))
        self._say_ready(url)

    def _went_down(self, down: Down) -> None:
        self._screen.offer_notice(self._report.down(down.detail, down.code))

    def _came_back(self, outage: Outage) -> None:
        self._totals.outages.append(outage)
        self._screen.offer_notice(self._report.back(outage))
        if self._capture:
            self._keep(self._capture, outage_line(self._ids.next(), outage))

    def _notice_aside(self, text: str) -> None:
        self._screen.offer_notice(self._report.notice(text))

    def _on_signal(self, name: str) -> None:
        if (number := getattr(signal, name, None)) is None:
            return  # Windows knows no SIGHUP
        with contextlib.suppress(
            NotImplementedError
        ):  # nor handlers in a loop: Ctrl-C raises there
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self._stop.is_set():
            os._exit(INTERRUPTED)  # what was acknowledged is in the capture already
        self._stop.set()

    async def until_stopped(self) -> None:
        """Wait for a signal, or for the reader of standard output or the tunnel to go."""
        await self._stop.wait()

    async def close(self) -> None:
        """Stop accepting, finish what is in flight, draw what is queued, sum up."""
        await self._attempt(self._receiver.close(_GRACE_S))
        failed = await self._close_tunnel()
        if self._retry:
            self._retry.cancel()
        if self._forwarding:
            await self._attempt(self._forwarding.close(_FORWARD_S))
        await self._attempt(self._screen.drain(_DRAIN_S))
        if self._capture:
            if self._capture.discard():  # one that nothing came into hides no other
                self._totals.capture = None
            self._totals.rescued = self._capture.close()
        if self._rotation:
            self._rotation.close(_DRAIN_S)
        if self._totals.started_s is not None:
            self._totals.hidden, self._totals.undrawn = self._screen.hidden, self._screen.undrawn
            self._totals.slowest_s = self._known.slowest_s
            self._totals.strangers, self._totals.bugs = self._strangers.total, self.bugs.total
            more = self._forwarding.summary() if self._forwarding else ()
            known = summed_up(self._known)
            self._screen.say(self._report.summary(self._totals, (*known, *more)))
        if self.bugs.total:
            self._screen.say(self._report.bugs(self.bugs.tracebacks()))
        await self._screen.drain(_DRAIN_S)
        self._screen.close()
        if failed is not None:
            raise failed

    async def _attempt(self, step: Awaitable[None]) -> None:
        """A step of the end, after which the others come whatever it raises."""
        try:
            await step
        except Exception as error:  # noqa: BLE001 - a bug, told with the others
            self._bug(error)

    async def _close_tunnel(self) -> VmonError | None:
        """End the tunnel; what it failed with, if that is why the run ends."""
        if self._public is None:
            return None
        self._public.cancel()
        found = (await asyncio.gather(self._public, return_exceptions=True))[0]
        if isinstance(found, Exception) and not isinstance(found, VmonError):
            self._bug(found)
        return found if isinstance(found, VmonError) else None

    # The answer's path.

    def _accept(self, delivery: Delivery) -> int:
        limit = self._options.limits.max_body
        payload = read_body(delivery.body, encoding_of(delivery), limit=limit)
        verdict = self._options.trust.verdict(delivery)
        entry = Entry(delivery, payload, verdict=verdict)
        line = write_line(entry) if self._needs_line else None
        start = 0
        if self._capture and line:
            if not self._keep(self._capture, line):
                return self._overflowed()
            start = self._capture.end - len(line)
        self._totals.types[entry.type] += 1
        self._screen.offer(self._shown(entry), line)
        if verdict:
            self._totals.verdicts[verdict.kind] += 1
            if verdict.refused:
                return 401
        if self._forwarding and self._offers:
            self._forwarding.offer(entry, start, len(line or delivery.body))
        return 200

    def _keep(self, capture: CaptureWriter, line: bytes) -> bool:
        """Append a line, where it is time to in a new file; False when it can be kept nowhere."""
        if self._rotation:
            self._rotation.before(line)
        if self._forwarding and capture.is_empty:
            self._forwarding.begin(line, capture.begin)
        return capture.append(line)

    def _shown(self, entry: Entry) -> Entry:
        """The entry as it is drawn: without the secret path, which a screenshot would tell."""
        guard, delivery = self._receiver.guard, entry.delivery
        if guard is None or (path := guard.inner_path(delivery.path)) == delivery.path:
            return entry
        told = entry.type, entry.session
        return Entry(replace(delivery, path=path), entry.payload, told, entry.verdict)

    async def _settle(self, delivery: Delivery, status: int) -> int:
        if self._sync:
            status = await self._sync.settle(delivery, status)
        if self._forwarding and not self._offers:
            status = await self._forwarding.settle(delivery, status)
        return status

    def _overflowed(self) -> int:
        self._totals.turned_away += 1
        if self._totals.turned_away == 1:
            self._screen.say(self._report.full())
        return 503

    # What an app answered.

    def _told(self, told: ForwardResult) -> None:
        if not self._options.quiet:
            self._screen.offer_outcome(told)

    def _odd(self, oddity: Oddity) -> None:
        self._screen.offer_notice(self._report.odd(oddity))

    def _say_news(self, text: str) -> None:
        self._screen.offer_notice(self._report.news(text))

    # What went otherwise.

    def _notice(self, text: str) -> None:
        self._totals.notices += 1
        self._screen.offer_notice(self._report.notice(text))

    def _stranger(self, what: str) -> None:
        if told := self._strangers.note(what):
            self._screen.offer_notice(self._report.notice(told))

    def _bug(self, error: Exception) -> None:
        if self.bugs.note(error):
            self._screen.say(self._report.bug(f"{type(error).__name__}: {error}"))

    def _uncaught(self, running: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What a callback of the loop raised, or why it closed a connection."""
        error = context.get("exception")
        if isinstance(error, OSError) and not context.keys().isdisjoint(_OF_A_CONNECTION):
            self._notice(f"a connection failed: {disarm(error.strerror or str(error))}")
        elif isinstance(error, Exception):
            self._bug(error)
        else:
            running.default_exception_handler(context)

    def _trouble(self, why: str | None) -> None:
        if why is None:
            self._screen.say(self._report.trouble_over())
            return
        if self._retry is None:
            timers = asyncio.get_running_loop()
            self._retry = timers.call_later(_RETRY_S, self._write_again)
        if not self._troubled:
            self._troubled = True
            self._screen.say(self._report.trouble(why))

    def _write_again(self) -> None:
        self._retry = None
        if self._capture and self._capture.retry():
            self._troubled = False
