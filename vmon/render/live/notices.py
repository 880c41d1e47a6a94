"""What `listen` says between the events, on standard error: an element of the feed in words."""

from __future__ import annotations

import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from vmon.events.redelivery import SCHEDULE_TEXT
from vmon.forward.listener import TargetDown
from vmon.humanize import count, duration, handle
from vmon.receive.elements import (
    BugFound,
    CaptureRecovered,
    CaptureTrouble,
    Element,
    Missed,
    Notice,
    OddityFound,
    TargetChanged,
    TunnelBack,
    TunnelDown,
    TunnelUp,
)
from vmon.render.live.facts import Facts
from vmon.render.outcome import back_in_words, down_in_words
from vmon.render.style import SEVERITY_STYLES
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_PASTE = "paste it into Vonage's dashboard"


class Extras(Struct, frozen=True):
    """What else is done with a public URL on a terminal: copied, shown as a QR code."""

    copy: bool = False
    qr: bool = False


class Notices:
    """Elements of the feed in words, in the colours of standard error.

    `ready` makes the line for scripts of a public URL. With `is_captured`, what could not be shown
    is in the capture.
    """

    def __init__(
        self,
        extras: Extras | None = None,
        facts: Facts | None = None,
        ready: Callable[[str], str | None] = lambda _url: None,
        *,
        is_captured: bool = True,
    ) -> None:
        self._extras = extras or Extras()
        self._ready = ready
        self._is_captured = is_captured
        self._facts = facts or Facts()
        self._paint = self._facts.paint
        self._words: dict[type[Element], Callable[[Any], str]] = {
            Notice: self._notice,
            OddityFound: self._oddity,
            TargetChanged: self._target,
            Missed: self._missed,
            TunnelUp: self._public,
            TunnelDown: self._down,
            TunnelBack: self._back,
            CaptureTrouble: self._trouble,
            CaptureRecovered: self._recovered,
            BugFound: self._bug,
        }

    def text(self, element: Element) -> str:
        """The element as lines; empty for what is shown otherwise."""
        words = self._words.get(type(element))
        text = words(element) if words else ""
        return text if isinstance(element, TunnelUp) else self._facts.fold(text)

    def _timed(self, at_s: float, style: str, text: str) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(at_s))
        return self._paint(style, f"{clock} {text}")

    def _notice(self, notice: Notice) -> str:
        style = "warning" if notice.about == "forwarding" else "dim"
        return self._timed(notice.at_s, style, f"· {disarm(notice.text)}")

    def _missed(self, missed: Missed) -> str:
        what = [count(missed.deliveries, "more", "more")] if missed.deliveries else []
        what += [count(missed.others, "notice")] if missed.others else []
        kept = " (all captured)" if self._is_captured and not missed.others else ""
        return f"… {' and '.join(what)}, not shown{kept}"

    def _oddity(self, oddity: OddityFound) -> str:
        session = f" {handle(oddity.session, 'session')}" if oddity.session else ""
        return self._timed(
            oddity.at_s,
            SEVERITY_STYLES[oddity.severity],
            f"⚠ {disarm(oddity.code)}{session}: {disarm(oddity.text)}",
        )

    def _target(self, changed: TargetChanged) -> str:
        event = changed.event
        words = down_in_words(event) if isinstance(event, TargetDown) else back_in_words(event)
        return self._timed(changed.at_s, "warning", f"· {words}")

    def _public(self, tunnel: TunnelUp) -> str:
        url, was = tunnel.url, tunnel.was
        lines = [self._facts.fold(self._row("public", self._paint("name", disarm(url)), _PASTE))]
        if was is not None:
            lines.insert(0, self._paint("failed", "warning: the public URL has changed"))
            lines.append(self._facts.fold(self._row("old", disarm(was), "no longer works")))
        if self._facts.is_terminal and self._extras.qr:
            lines.append(_qr(url))
        copied = f"\x1b]52;c;{b64encode(url.encode()).decode()}\x07"  # OSC 52: to the clipboard
        copies = self._facts.is_terminal and self._extras.copy
        if ready := self._ready(url):
            lines.append(ready)
        return (copied if copies else "") + "\n".join(lines)

    def _row(self, label: str, url: str, text: str) -> str:
        return f"  {self._paint('dim', label)}{' ' * (9 - len(label))}{url}  {text}"

    def _down(self, tunnel: TunnelDown) -> str:
        detail, code = tunnel.detail, tunnel.code
        if code and code.startswith("ERR_") and code not in detail:  # ngrok's; others are our own
            detail = f"{detail} ({code})"
        why = disarm(detail)
        first = self._timed(tunnel.at_s, "dim", f"· tunnel down: {why.rstrip('.')}")
        then = self._timed(
            tunnel.at_s, "dim", "· reconnecting; Vonage retries what it cannot deliver"
        )
        return f"{first}\n{then}"

    def _back(self, tunnel: TunnelBack) -> str:
        outage = tunnel.outage
        lasted = duration((outage.up_at - outage.down_at).total_seconds())
        until = outage.until.astimezone().strftime("%a %H:%M")
        return self._timed(
            tunnel.at_s,
            "dim",
            f"· tunnel back up after {lasted}; Vonage retries missed deliveries until {until}",
        )

    def _trouble(self, trouble: CaptureTrouble) -> str:
        if trouble.is_full:
            return self._full()
        return self._paint(
            "failed",
            f"warning: cannot write the capture: {disarm(trouble.why)}\n"
            "         deliveries are acknowledged and kept in memory until it can be written",
        )

    def _full(self) -> str:
        return self._paint(
            "failed",
            "warning: the memory for unwritten deliveries is full\n"
            "         new deliveries get 503, so that Vonage retries them:\n"
            f"         {SCHEDULE_TEXT}",
        )

    def _recovered(self, _recovered: CaptureRecovered) -> str:
        return self._paint("created", "the capture can be written again; nothing was lost")

    def _bug(self, bug: BugFound) -> str:
        return self._paint(
            "failed",
            f"warning: a bug in vmon: {disarm(bug.what)}\n"
            "         only what it was working on has failed, and vmon keeps running;\n"
            "         the traceback is printed when it ends",
        )


def bugs_in_words(tracebacks: Iterable[tuple[str, int]]) -> str:
    """The traceback of each bug, and how often it occurred."""
    lines = ["error: there is a bug in vmon", "hint: please report it with what follows"]
    for traceback, times in tracebacks:
        lines += [f"{count(times, 'time')}:", traceback.rstrip("\n")]
    return "\n".join(lines)


def _qr(url: str) -> str:
    import io

    import segno

    code = io.StringIO()
    segno.make(url).terminal(code, compact=True)
    return code.getvalue().rstrip("\n")
