"""The terminal of a run: a subscriber of the feed, with a banner before and a summary after it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from msgspec import Struct, field

from vmon.render.formats.choose import entry_formatter
from vmon.render.formats.entries import Form
from vmon.render.live.banner import Banner, banner_rows
from vmon.render.live.facts import Facts
from vmon.render.live.notices import Extras, Notices, bugs_in_words
from vmon.render.live.screen import Display, Screen
from vmon.render.live.status_line import StatusLine
from vmon.render.live.summary import Summary, session_rows
from vmon.render.outcome import Outcomes
from vmon.security.access import LOOPBACK, host_name
from vmon.security.pseudonyms import redactor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from vmon.bugs import Bugs
    from vmon.forward.forwarder import ForwardOptions
    from vmon.receive.feed import Feed
    from vmon.receive.pipeline import Pipeline
    from vmon.search.filter import Filter
    from vmon.sessions.tracker import SessionTracker


class TerminalOptions(Struct, frozen=True):
    """What a run shows: `chosen` None is everything, `redact` are paths under pseudonyms."""

    form: Form = field(default_factory=Form)
    quiet: bool = False
    chosen: Filter | None = None
    dedupe: str | None = None
    redact: tuple[str, ...] | None = None
    extras: Extras = field(default_factory=Extras)
    ready_as_json: bool = False
    capture: Path | None = None
    forward: ForwardOptions | None = None


class Terminal:
    """Shows a run on standard output and standard error.

    `oddities` tells how many were reported; `on_gone` is called when nobody reads any more.
    """

    def __init__(
        self,
        options: TerminalOptions,
        tracker: SessionTracker,
        oddities: Callable[[], int],
        on_gone: Callable[[], None],
        on_bug: Callable[[Exception], None],
    ) -> None:
        self._options = options
        self._tracker = tracker
        self._oddities = oddities
        self._redact = None if options.redact is None else redactor_of(options.redact)
        self._facts = Facts()
        self._banner = Banner(self._facts)
        self._local = ""
        self._screen = Screen(self._display(), on_gone, on_bug)
        self.say = self._screen.say
        self.drain = self._screen.drain
        self.close = self._screen.close

    def _display(self) -> Display:
        options, forward = self._options, self._options.forward
        redact = self._redact
        results = None
        if forward and not options.quiet:
            results = Outcomes(
                aside=options.form.is_json,
                several=len(forward.routes) > 1,
                redact=redact,
                in_full=options.form.shows_all and redact is None,
            )
        on_terminal = sys.stdout.isatty() and sys.stderr.isatty()
        return Display(
            None if options.quiet else entry_formatter(options.form, redact),
            Notices(
                options.extras, self._facts, self._ready, is_captured=options.capture is not None
            ),
            options.chosen,
            results,
            StatusLine(self._tracker, self._oddities) if on_terminal else None,
            options.dedupe,
        )

    def follow(self, feed: Feed) -> None:
        """Show what is published from now on."""
        feed.subscribe(self._screen.queue)
        feed.watch(lambda _entry, _result: self._screen.wake_status())

    def say_banner(self, local: str, inside: str, via: str | None, *, survives: bool) -> None:
        """Say where the run listens: at `local`; this machine reaches it at `inside`.

        `via` names what is about to make a public URL, `survives` that what is still to be
        forwarded outlives the run.
        """
        options = self._options
        self._local = local
        more = banner_rows(options.forward, survives=survives) if options.forward else ()
        chosen = None if options.chosen is None else str(options.chosen)
        self.say(self._banner.text(inside, options.capture, chosen, via, more))
        if host_name(local.partition("//")[2]) not in LOOPBACK:
            self.say(self._banner.exposed(local))

    def say_ready(self) -> None:
        """Say to scripts that the run is ready, without a public URL."""
        if line := self._ready(None):
            self.say(line)

    def _ready(self, public: str | None) -> str | None:
        options = self._options
        return self._banner.ready(
            self._local, public, options.capture, as_json=options.ready_as_json
        )

    def say_summary(
        self, pipeline: Pipeline, bugs: Bugs, more: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Say what the run received; `more` are other facts."""
        if pipeline.totals.started_s is not None:
            text = Summary(self._facts).text(
                pipeline.totals,
                self._screen.shown,
                (*session_rows(self._tracker, self._oddities(), self._redact), *more),
                blocked=pipeline.blocked.total,
                bugs=bugs.total,
            )
            self.say(text)

    def say_bugs(self, bugs: Bugs) -> None:
        """Say what to report of the bugs of a run, if there were any."""
        if bugs.total:
            self.say(bugs_in_words(bugs.tracebacks()))
