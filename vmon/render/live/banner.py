"""What `listen` says of itself on standard error: banner, notices, summary."""

from __future__ import annotations

import json
import shlex
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from vmon import __version__
from vmon.events.redelivery import LIKE_VONAGE
from vmon.humanize import count, duration, handle, home
from vmon.render.columns import folded, wide
from vmon.render.live.summary import by_type, outages_in_words
from vmon.render.style import SEVERITY_STYLES, Paint, console
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vmon.analysis.oddities.codes import Oddity
    from vmon.capture.codec import Outage
    from vmon.forward.failures import Policy
    from vmon.forward.forwarder import ForwardOptions
    from vmon.receive.pipeline import Totals


_BAR = 24
_BEFORE_BAR = 36
_PIPED = 200


class Extras(Struct, frozen=True):
    """What else is done with a public URL on a terminal: copied, drawn as a QR code."""

    copy: bool = False
    qr: bool = False


class Report:
    """Words of a run, in the colours of standard error."""

    def __init__(self) -> None:
        terminal = console(sys.stderr)
        self._is_terminal = sys.stderr.isatty()
        self._width = terminal.width if self._is_terminal else _PIPED
        self._paint = Paint(terminal)

    def banner(
        self,
        url: str,
        capture: Path | None,
        chosen: str | None,
        via: str | None,
        more: Iterable[tuple[str, str]] = (),
    ) -> str:
        """Where to send callbacks, where they are kept, what is shown; `more` are other facts.

        `via` names what is about to make a public URL; without it, vmon is ready, and where nobody
        looks the last line says so to scripts.
        """
        rows = [
            ("local", f"{self._paint('name', url)}  (any path)"),
            ("public", f"opening a tunnel with {via} …" if via else ""),
            ("capture", home(capture) if capture else "off (deliveries are not saved)"),
            ("filter", f"{disarm(chosen)} (everything is captured)" if chosen else ""),
            *more,
            ("try it", "vmon trigger streamCreated" + _to(url) if self._is_terminal else ""),
        ]
        return "\n".join([f"vmon {__version__} is listening (Ctrl-C to stop)", *self._facts(rows)])

    def ready(
        self, local: str, public: str | None, capture: Path | None, *, as_json: bool
    ) -> str | None:
        """A line for scripts, where nobody looks or it is asked for as JSON."""
        kept = str(capture) if capture else None
        if as_json:
            said = {"ready": True, "local": local, "public": public, "capture": kept}
            return json.dumps(said)
        if self._is_terminal:
            return None
        seen = f"public={public} " if public else ""
        return f"ready {seen}local={local} capture={shlex.quote(kept) if kept else '-'}"

    def public(self, url: str, was: str | None, extras: Extras) -> str:
        """The public URL is there, and requests to it reach us; `was` is the one before it."""
        shown = self._paint("name", disarm(url))
        lines = [f"  {self._paint('dim', 'public')}   {shown}  paste it into Session Monitoring"]
        if was is not None:
            lines.insert(0, self._paint("failed", "warning: the public URL has changed"))
            lines.append(f"  {self._paint('dim', 'old')}      {disarm(was)}  no longer works")
        if self._is_terminal and extras.qr:
            lines.append(_qr(url))
        copied = f"\x1b]52;c;{b64encode(url.encode()).decode()}\x07"  # OSC 52: to the clipboard
        return (copied if self._is_terminal and extras.copy else "") + "\n".join(lines)

    def down(self, detail: str, code: str | None) -> str:
        """The tunnel is down."""
        why = disarm(f"{detail} ({code})" if code and code not in detail else detail)
        told = self.notice(f"tunnel down: {why.rstrip('.')}")
        return f"{told}\n{self.notice('reconnecting; Vonage retries what it cannot deliver')}"

    def back(self, outage: Outage) -> str:
        """The tunnel is up again."""
        lasted = duration((outage.up_at - outage.down_at).total_seconds())
        until = outage.until.astimezone().strftime("%a %H:%M")
        return self.notice(
            f"tunnel back up after {lasted}; Vonage retries missed deliveries until {until}"
        )

    def notice(self, text: str) -> str:
        """A request that became no delivery."""
        return self._paint("dim", f"{time.strftime('%H:%M:%S')} · {text}")

    def exposed(self, url: str) -> str:
        """The receiver listens where others can reach it."""
        return self._paint(
            "warning",
            f"warning: other machines can reach {url} and send anything to it\n"
            "         use --secret and --require-signature to accept only Vonage's requests",
        )

    def news(self, text: str) -> str:
        """Something about an app that callbacks are forwarded to."""
        return self._paint("warning", f"{time.strftime('%H:%M:%S')} · {text}")

    def odd(self, oddity: Oddity) -> str:
        """Something that does not add up."""
        session = f" {handle(oddity.session, 'session')}" if oddity.session else ""
        text = f"{time.strftime('%H:%M:%S')} ⚠ {oddity.code}{session}: {oddity.said}"
        return self._paint(SEVERITY_STYLES[oddity.severity], text)

    def trouble(self, why: str) -> str:
        """The capture cannot be written."""
        return self._paint(
            "failed",
            f"warning: cannot write the capture: {disarm(why)}\n"
            "         deliveries are acknowledged and kept in memory until it can be written",
        )

    def trouble_over(self) -> str:
        """The capture can be written again."""
        return self._paint("created", "the capture can be written again; nothing was lost")

    def full(self) -> str:
        """Memory is full too."""
        return self._paint(
            "failed",
            "warning: the memory for unwritten deliveries is full\n"
            "         new deliveries get 503, so that Vonage retries them:\n"
            f"         after {duration(LIKE_VONAGE.first_s)}, doubling up to "
            f"{duration(LIKE_VONAGE.most_s)}, for {(LIKE_VONAGE.within_s or 0) / 3600:.0f} h",
        )

    def bug(self, what: str) -> str:
        """Our own code failed; what it was working on has ended, and nothing else."""
        return self._paint(
            "failed",
            f"warning: a bug in vmon: {disarm(what)}\n"
            "         only what it was working on has failed, and vmon keeps running;\n"
            "         the traceback is printed when it ends",
        )

    def bugs(self, tracebacks: Iterable[tuple[str, int]]) -> str:
        """The traceback of each bug, and how often it came up."""
        lines = ["error: there is a bug in vmon", "hint: please report it with what follows"]
        for traceback, times in tracebacks:
            lines += [f"{count(times, 'time')}:", traceback.rstrip("\n")]
        return "\n".join(lines)

    def summary(self, totals: Totals, more: Iterable[tuple[str, str]] = ()) -> str:
        """What a run saw, and how to see it again; `more` are other facts."""
        seen = totals.types.total()
        lasted = duration(time.monotonic() - (totals.started_s or 0))
        rows = [
            ("hidden by filter", _some(totals.hidden)),
            ("not shown", _some(totals.undrawn)),
            ("rejected (503)", _some(totals.turned_away)),
            ("signatures", ", ".join(f"{n:,} {kind}" for kind, n in totals.verdicts.most_common())),
            ("blocked (404)", _some(totals.strangers)),
            ("other requests", _some(totals.notices)),
            ("bugs in vmon", _some(totals.bugs)),
            ("tunnel", outages_in_words(totals.outages)),
            ("slowest delivery", "" if totals.slowest_s is None else duration(totals.slowest_s)),
            *more,
            ("capture", home(totals.capture) if totals.capture else ""),
            ("not in the capture", totals.rescued or ""),
            (
                "replay",
                f"vmon replay {home(totals.capture)}" if totals.capture and seen else "",
            ),
        ]
        head = f"{count(seen, 'delivery', 'deliveries')} in {lasted}"
        bar = max(0, min(_BAR, self._width - _BEFORE_BAR))
        lines = [head, *by_type(totals.types, self._paint, bar), *self._facts(rows)]
        over = "\r" if self._is_terminal else ""  # the terminal has just put ^C there
        return over + "\n".join(lines)

    def _facts(self, rows: list[tuple[str, str]]) -> list[str]:
        told = [(label, said) for label, said in rows if said]
        labels = max((len(label) for label, _ in told), default=0)
        return [row for label, said in told for row in self._fact(label, said, labels)]

    def _fact(self, label: str, said: str, labels: int) -> list[str]:
        """A fact in a row; on a terminal that is too narrow in several, and no word is broken."""
        room = self._width - labels - 4
        head = f"  {self._paint('dim', label.ljust(labels))}  "
        if not self._is_terminal or wide(said) <= room:
            return [head + said]
        rows = [said] if said.startswith("vmon ") else folded(said, room)  # pasted as one line
        if max(map(wide, rows)) <= room:
            return [head + rows[0], *(" " * (labels + 4) + row for row in rows[1:])]
        below = rows if len(rows) == 1 else folded(said, self._width - 4)
        return [*([head.rstrip()] if label.strip() else []), *("    " + row for row in below)]


def _qr(url: str) -> str:
    import io

    import segno

    drawn = io.StringIO()
    segno.make(url).terminal(drawn, compact=True)
    return drawn.getvalue().rstrip("\n")


def _some(number: int) -> str:
    return f"{number:,}" if number else ""


def _to(url: str) -> str:
    return "" if url.endswith("//127.0.0.1:4680") else f" --to {url}"


_ALWAYS = (
    "200 as soon as a delivery is captured;",
    "vmon retries deliveries that your app rejects",
)


_APP = "your app's response (502 if unreachable, 504 on timeout);"


_WHY: dict[Policy, str] = {
    "retry": "anything but 200 is a failure, which Vonage retries for up to 24 h",
    "cutoff": "anything but 200 is a failure; Vonage stops after 50 in 30 min",
}


def banner_rows(onward: ForwardOptions, *, survives: bool) -> Iterator[tuple[str, str]]:
    """Rows of label and text; where a label is blank, the row goes on with the one before it."""
    for aim in onward.aims:
        types = f"  {aim.said}" if aim.said else ""
        yield "forward", f"{disarm(aim.target.url)}{types}"
    first, then = _ALWAYS if onward.ack == "always" else (_APP, _WHY[onward.policy])
    yield "response", first
    yield " ", then
    if onward.ack == "always" and not survives:
        yield " ", "without a capture, pending deliveries are lost on restart"
