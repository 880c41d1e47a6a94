"""The report of `vmon oddities`: oddities as lines, and explanations of codes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import CODES, Code, Oddity
from vmon.analysis.oddities.severity import SEVERITIES, Severity
from vmon.capture.codec import safe_json
from vmon.events.timestamps import instant
from vmon.humanize import count, handle, iso
from vmon.render.columns import OutputPage, wide
from vmon.render.style import SEVERITY_STYLES, colour_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODE = max(map(len, CODES))
_SEVERITY = max(map(len, SEVERITIES))
_SESSION = 6
_INDENT = 10
_MAX_WIDTH = 100
_ROOMY = 8 + _SEVERITY + _CODE + _SESSION + 6


class OdditiesReport:
    """Formats oddities for standard output: a line each, wrapped on a narrow terminal."""

    def __init__(self) -> None:
        self._page = OutputPage()
        self._paint, self._width = self._page.paint, self._page.width
        self._day = ""

    def rows(self, oddity: Oddity) -> str:
        """Format an oddity, newline included; on a terminal a new day begins with its date."""
        day, clock = _local(oddity.at_ms)
        date_line = ""
        if self._width is not None and day != self._day:
            self._day, date_line = day, self._paint("dim", day) + "\n"
        time_text = clock if self._width is not None else f"{day} {clock}"
        pieces = [
            ("dim", time_text),
            (SEVERITY_STYLES[oddity.severity], oddity.severity.ljust(_SEVERITY)),
            ("name", oddity.code.ljust(_CODE)),
            (colour_of(oddity.session or ""), _session(oddity).ljust(_SESSION)),
        ]
        if not self._page.fits(_ROOMY):
            pieces[2], pieces[3] = pieces[3], pieces[2]  # the long code gets a row of its own
        return date_line + self._folded(pieces, oddity.text)

    def _folded(self, pieces: list[tuple[str, str]], sentence: str) -> str:
        """Join pieces and a sentence in one line, or put the sentence below if that is too wide."""
        head = "  ".join(text for _, text in pieces)
        if self._page.fits(len(head) + 2 + wide(sentence)):
            styled = "  ".join(self._paint(style, text) for style, text in pieces)
            return f"{styled}  {sentence}".rstrip() + "\n"
        return self._in_rows([(style, text.rstrip()) for style, text in pieces], sentence)

    def _in_rows(self, pieces: list[tuple[str, str]], sentence: str) -> str:
        """Wrap the pieces, with the sentence below them."""
        rows, room = [""], self._width or _MAX_WIDTH
        for style, text in pieces:
            free = room - len(text) - 2
            if rows[-1] and free < 0:
                rows.append(" " * _INDENT)
                room = (self._width or _MAX_WIDTH) - _INDENT
            gap = "  " if rows[-1].strip() else ""
            rows[-1] += gap + self._paint(style, text)
            room -= len(text) + len(gap)
        rows += [
            " " * _INDENT + row
            for row in self._page.wrapped(sentence, less=_INDENT, most=_MAX_WIDTH)
        ]
        return "\n".join(rows) + "\n"

    def explained(self, code: Code) -> str:
        """Explain a code: meaning, likely cause, what to do."""
        head = self._paint("name", code.name) + "  "
        rows = [head + self._paint(SEVERITY_STYLES[code.severity], code.severity)]
        rows += self._page.wrapped(code.meaning, less=0, most=_MAX_WIDTH)
        for title, text in (("Likely cause", code.cause), ("What to do", code.remedy)):
            rows += [
                "",
                self._paint("name", title),
                *("  " + line for line in self._page.wrapped(text, less=2, most=_MAX_WIDTH)),
            ]
        return "\n".join(rows) + "\n"

    def listed(self, code: Code) -> str:
        """Format a code and its meaning."""
        pieces = [
            ("name", code.name.ljust(_CODE)),
            (SEVERITY_STYLES[code.severity], code.severity.ljust(_SEVERITY)),
        ]
        return self._folded(pieces, code.meaning)

    def summary(self, oddities: list[Oddity], deliveries: int, sessions: int) -> str:
        """Count by severity, for standard error; newline included."""
        scope = f"{count(deliveries, 'delivery', 'deliveries')} from {count(sessions, 'session')}"
        if not oddities:
            return f"no oddities in {scope}\n"
        numbers = Counter(oddity.severity for oddity in oddities)
        words = [_plural(each, numbers[each]) for each in reversed(SEVERITIES) if numbers[each]]
        return f"{count(len(oddities), 'oddity', 'oddities')} in {scope}: {', '.join(words)}\n"


def _plural(severity: Severity, number: int) -> str:
    return f"{number:,} info" if severity == "info" else count(number, severity)


def _session(oddity: Oddity) -> str:
    return handle(oddity.session, "session") if oddity.session else "-"


def _local(at_ms: int) -> tuple[str, str]:
    at = instant(at_ms)
    if at is None:
        return "-" * 10, "-" * 8
    local = at.astimezone()
    return local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S")


def as_json(oddity: Oddity) -> str:
    """`{"at":…,"severity":…,"code":…,"session":…,"ids":[…],"said":…,"missing":…}`, a line."""
    at = instant(oddity.at_ms)
    fields = {
        "at": iso(at) if at else None,
        "severity": oddity.severity,
        "code": oddity.code,
        "session": oddity.session,
        "ids": oddity.ids,
        "said": oddity.text,
        "missing": oddity.missing,
    }
    return safe_json(fields).decode() + "\n"


def codes_as_json(codes: Iterable[Code]) -> str:
    """`{"code":…,"severity":…,"meaning":…,"cause":…,"remedy":…}`, a line each."""
    keys = ("code", *Code._fields[1:])
    return "".join(safe_json(dict(zip(keys, code, strict=True))).decode() + "\n" for code in codes)
