"""Outcomes of forwarding and replay: below the event, on standard error, or as JSON."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from vmon.capture.codec import safe_json
from vmon.forward.client import KEPT_BODY
from vmon.humanize import count, duration, handle
from vmon.render.style import HANDLE_COLOURS, Paint, console
from vmon.render.subject import subject
from vmon.sanitize import disarm
from vmon.security.masking import masked_header, masked_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmon.events.entry import Entry
    from vmon.forward.client import ForwardResult, Outcome
    from vmon.forward.leftovers import Left
    from vmon.forward.listener import TargetBack, TargetDown
    from vmon.security.pseudonyms import Redactor


_MOST_LINES = 40
"""Lines of an answer's body."""


@cache
def _paint() -> Paint:
    return Paint(console(sys.stdout))


def outcome_line(outcome: Outcome, *, in_full: bool = False) -> bytes:
    """Format the line below an event, newline included; `in_full` with headers and body."""
    style = "created" if outcome.ok else "failed"
    lines = [f"    {_paint()(style, '→ ' + str(outcome))}"]
    if in_full:
        lines += answer_lines(outcome, _paint())
    return _encoded(lines)


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def answer_block(outcome: Outcome) -> bytes:
    """An answer in full for standard output, under a line that says what it was."""
    return _encoded(list(answer_lines(outcome, _paint())))


def answer_lines(outcome: Outcome, paint: Paint) -> Iterator[str]:
    """An answer's status, its headers and the beginning of its body; nothing where none came."""
    if outcome.status is None:
        return
    yield "      " + paint("dim", f"HTTP {outcome.status}")
    for name, value in _headers(outcome):
        yield f"      {paint('key', disarm(name))}: {disarm(value)}"
    lines = _body(outcome).splitlines()
    for line in lines[:_MOST_LINES]:
        yield f"      {paint('dim', '│')} {disarm(line)}"
    if len(lines) > _MOST_LINES or len(outcome.body) == KEPT_BODY:
        yield "      " + paint("dim", "… the rest is not shown")


def _headers(outcome: Outcome) -> Iterator[tuple[str, str]]:
    for name, value in outcome.headers:
        text = name.decode("latin-1")
        yield text, masked_header(text, value.decode("latin-1"))


def _body(outcome: Outcome) -> str:
    return masked_text(outcome.body.decode("utf-8", "backslashreplace")).rstrip()


def as_json(entry: Entry, outcome: Outcome, *, in_full: bool = False) -> bytes:
    """`{"id":…,"type":…,"session":…,"status":200,"took_ms":12.3,"problem":null}` and a newline.

    `in_full` adds the answer's `headers`, pairs of name and value, and the beginning of its `body`.
    """
    fields: dict[str, Any] = {
        "id": entry.delivery.id,
        "type": entry.type,
        "session": entry.session,
        "status": outcome.status,
        "took_ms": round(outcome.took_s * 1000, 3),
        "problem": outcome.problem,
    }
    if in_full:
        fields |= {"headers": list(_headers(outcome)), "body": _body(outcome)}
    return safe_json(fields) + b"\n"


class Outcomes:
    """Formats the results of forwarding: for standard output, or (`aside`) for standard error.

    With `redact` the event is redacted before it is named; with `in_full` the headers and the
    beginning of the body of each response are shown.
    """

    def __init__(
        self,
        *,
        aside: bool,
        several: bool,
        redact: Redactor | None = None,
        in_full: bool = False,
    ) -> None:
        self.aside = aside
        self._redact = redact
        self._in_full = in_full
        self._several = several
        stream = sys.stderr if aside else sys.stdout
        self._console = console(stream)
        self._paint = Paint(self._console)
        self._is_terminal = stream.isatty()

    def __call__(self, result: ForwardResult, *, is_last: bool) -> bytes:
        """Format a result; it names its event unless that is the last one shown (`is_last`)."""
        before = time.strftime("%H:%M:%S ") if self.aside else "    "
        target = f"{result.target} " if self._several else ""
        after = "" if is_last and not self.aside else f"  ({self._reference(result.entry)})"
        text, again = f"→ {target}{_in_words(result)}", _again(result)
        if self._is_terminal:
            room = self._console.width - len(before) - cell_len(after)
            text = _truncate(text, room - len(again))
        text += again
        style = "created" if result.outcome.ok else "failed"
        lines = [before + self._paint(style, text) + (self._paint("dim", after) if after else "")]
        if self._in_full:
            lines += answer_lines(result.outcome, self._paint)
        return _encoded(lines)

    def _reference(self, entry: Entry) -> str:
        return _reference(self._redact(entry) if self._redact else entry)


def _in_words(result: ForwardResult) -> str:
    outcome = result.outcome
    parts = [str(outcome)]
    if result.attempts > 1:
        parts[0] += f" (attempt {result.attempts})"
    if outcome.status is not None and outcome.status != 200 and outcome.status < 400:  # noqa: PLR2004 - an app may consider 2xx and 3xx a success
        parts.append("Vonage counts only 200 as success")
    return "; ".join(parts)


def _again(result: ForwardResult) -> str:
    return "" if result.again_s is None else f"; retrying in {duration(result.again_s)}"


def _reference(entry: Entry) -> str:
    """A short reference to an event: its type, and the handle its line begins with."""
    subject_text = next(
        (text.strip() for style, text in subject(entry.event) if style in HANDLE_COLOURS), ""
    )
    if not subject_text:
        session = entry.session
        subject_text = handle(session, "session") if session else disarm(entry.delivery.id)
    return f"{disarm(entry.type)} {subject_text}"


def _truncate(text: str, room: int) -> str:
    return text if cell_len(text) <= room else set_cell_size(text, max(room - 1, 1)) + "…"


def down_in_words(event: TargetDown) -> str:
    """Describe a target that is down: `connection refused: nothing is listening on …; retrying`."""
    named = event.target in event.problem
    problem = event.problem if named else f"{event.target}: {event.problem}"
    return f"{problem}; retrying" if event.retrying else problem


def back_in_words(event: TargetBack) -> str:
    """Describe a target that is up again: `… is back after 3.0 s: sending 40 deliveries`."""
    text = f"{event.target} is back after {duration(event.after_s)}"
    if event.waiting > 1:
        text += f": sending {event.waiting:,}{'+' * event.more} deliveries"
    return text


def left_in_words(left: Left) -> str:
    """Describe the deliveries an earlier run left, and what happens to them."""
    number = count(left.number, "delivery", "deliveries")
    were, them = ("was", "it") if left.number == 1 else ("were", "them")
    runs = "an earlier run" if left.runs == 1 else f"{left.runs:,} earlier runs"
    text = f"{number} from {runs} {were} not forwarded to {left.url}"
    match left.backlog:
        case "send":
            return f"{text}: sending {them} first (--discard-backlog drops {them})"
        case "keep":
            return f"{text}: kept; vmon replay --failed sends {them}"
        case "discard":
            return f"{text}: discarded; the capture still has {them}"
        case None:
            then = f"resend {them} with vmon replay --failed"
            return f"{text}, which is not a target now: {then}, or drop {them} with --discard"
