"""One run of `vmon listen`: opens, wires, drains, closes.

The road of a delivery: received, captured, answered; then, off the answer's path, decoded,
filtered, drawn. Nothing behind the answer can delay it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from vmon import loop
from vmon.capture import Capture, Ids
from vmon.decode import read_body
from vmon.entry import Entry, encoding_of
from vmon.errors import INTERRUPTED
from vmon.filters import Filter
from vmon.guard import LOOPBACK, Guard, Strangers, host_name, secret_path
from vmon.line import write_line
from vmon.receiver import Hooks, Limits, Receiver
from vmon.redact import redactor_of
from vmon.render.form import Form, drawing
from vmon.render.report import Report, Totals
from vmon.render.screen import Screen
from vmon.trust import Trust

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.events import Delivery

_DRAIN_S = 3.0
"""How long the end of a run waits for a terminal to take what is still to be drawn."""
_GRACE_S = 10.0
"""How long the end of a run waits for requests in flight."""
_RETRY_S = 1.0
"""How long after a failure the capture is tried again."""


class Options(Struct, frozen=True):
    """What a run was asked for; `capture` None keeps no capture, `fsync` outlives a power loss.

    `redact` are the paths under pseudonyms in what is drawn. `secret_path` None means the prefix
    that is remembered; with `open_path` the public URL has none.
    """

    host: str = "127.0.0.1"
    port: int = 4680
    capture: Path | None = None
    fsync: bool = False
    limits: Limits = field(default_factory=Limits)
    chosen: Filter = field(default_factory=Filter)
    form: Form = field(default_factory=Form)
    quiet: bool = False
    trust: Trust = field(default_factory=Trust)
    redact: tuple[str, ...] | None = None
    secret_path: str | None = None
    open_path: bool = False


def run(options: Options) -> int:
    """Listen until told to stop; the exit code."""
    return loop.run(_listen(options))


async def _listen(options: Options) -> int:
    run = Run(options)
    try:
        await run.open()
        await run.until_stopped()
    finally:
        await run.close()
    return 0


class Run:
    """A run that listens: its parts, and what they tell each other."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stop = asyncio.Event()
        self._bugs: list[Exception] = []
        self._retry: asyncio.TimerHandle | None = None
        self._troubled = False
        self._strangers = Strangers()
        self._report = Report()
        self._totals = Totals(capture=options.capture)
        redact = None if options.redact is None else redactor_of(options.redact)
        self._screen = Screen(drawing(options.form, redact), options.chosen, self._stop.set)
        self._capture = options.capture and Capture(options.capture, trouble=self._trouble)
        self._needs_line = self._capture is not None or options.form.is_json
        sync = _Sync(self._capture) if options.fsync and self._capture else None
        self._receiver = Receiver(
            Hooks(
                self._accept,
                self._notice,
                self._bug,
                sync.settle if sync else None,
                self._stranger,
            ),
            ids=Ids(),
            limits=options.limits,
        )

    async def open(self) -> None:
        """Listen, take over the signals, and say so; CannotListen when that cannot be."""
        url = await self._receiver.open(self._options.host, self._options.port)
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            self._on_signal(name)
        self._totals.started_s = time.monotonic()
        chosen = None if self._options.chosen.chooses_all else str(self._options.chosen)
        self._screen.say(self._report.banner(url, self._options.capture, chosen))
        if host_name(url.partition("//")[2]) not in LOOPBACK:
            self._screen.say(self._report.exposed(url))

    def guarded(self, public_url: str | None = None, *, everyone: bool = False) -> str | None:
        """Let nobody in from outside who does not know the secret path; the public URL with it.

        Call it without a URL before a tunnel is opened (then nobody gets in), and again when its
        URL is known or has changed. `everyone` is for tunnels that pass bytes on as they are.
        """
        prefix = None if self._options.open_path else secret_path(self._options.secret_path)
        host = public_url and urlsplit(public_url).hostname
        hosts = frozenset({host.lower()} if host else ())
        self._receiver.guard = Guard(prefix, hosts, everyone)
        return public_url and f"{public_url.rstrip('/')}/{prefix or ''}"

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
        """Wait for a signal, for the reader of standard output to go, or for a bug."""
        await self._stop.wait()

    async def close(self) -> None:
        """Stop accepting, finish what is in flight, draw what is queued, sum up."""
        await self._receiver.close(_GRACE_S)
        if self._retry:
            self._retry.cancel()
        await self._screen.drain(_DRAIN_S)
        if self._capture:
            self._totals.rescued = self._capture.close()
        if self._totals.started_s is not None:
            self._totals.hidden, self._totals.undrawn = self._screen.hidden, self._screen.undrawn
            self._totals.slowest_s = self._screen.slowest_s
            self._totals.strangers = self._strangers.total
            self._screen.say(self._report.summary(self._totals))
        await self._screen.drain(_DRAIN_S)
        self._screen.close()
        if self._bugs:
            raise self._bugs[0]

    # The answer's path.

    def _accept(self, delivery: Delivery) -> int:
        limit = self._options.limits.max_body
        payload = read_body(delivery.body, encoding_of(delivery), limit=limit)
        verdict = self._options.trust.verdict(delivery)
        entry = Entry(delivery, payload, verdict=verdict)
        line = write_line(entry) if self._needs_line else None
        if self._capture and line and not self._capture.append(line):
            return self._overflowed()
        self._totals.types[entry.type] += 1
        if not self._options.quiet:
            self._screen.offer(self._shown(entry), line)
        if verdict is None:
            return 200
        self._totals.verdicts[verdict.kind] += 1
        return 401 if self._options.trust.required and verdict.kind != "valid" else 200

    def _shown(self, entry: Entry) -> Entry:
        """The entry as it is drawn: without the secret path, which a screenshot would tell."""
        guard, delivery = self._receiver.guard, entry.delivery
        if guard is None or (path := guard.inner_path(delivery.path)) == delivery.path:
            return entry
        told = entry.type, entry.session
        return Entry(replace(delivery, path=path), entry.payload, told, entry.verdict)

    def _overflowed(self) -> int:
        self._totals.turned_away += 1
        if self._totals.turned_away == 1:
            self._screen.say(self._report.full())
        return 503

    # What went otherwise.

    def _notice(self, text: str) -> None:
        self._totals.notices += 1
        self._screen.offer_notice(self._report.notice(text))

    def _stranger(self, what: str) -> None:
        if told := self._strangers.note(what):
            self._screen.offer_notice(self._report.notice(told))

    def _bug(self, error: Exception) -> None:
        self._bugs.append(error)
        self._stop.set()

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


class _Sync:
    """Answers wait until the disk has what they acknowledge; a wait is shared."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._lock = asyncio.Lock()
        self._written = self._synced = 0

    async def settle(self, _delivery: Delivery, status: int) -> int:
        """The status once the delivery would survive a loss of power; 503 when it would not."""
        self._written += 1
        mine = self._written
        async with self._lock:
            if self._synced >= mine:
                return status
            upto = self._written
            try:
                await asyncio.to_thread(self._capture.sync)
            except OSError:
                return 503
            self._synced = upto
        return status
