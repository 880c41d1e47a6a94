"""Oddities as lines, and what each code means."""

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
_WIDEST = 100
_ROOMY = 8 + _SEVERITY + _CODE + _SESSION + 6


class OdditiesReport:
    """Oddities for standard output: a line each, on a terminal folded where it is too narrow."""

    def __init__(self) -> None:
        self._page = OutputPage()
        self._paint, self._width = self._page.paint, self._page.width
        self._day = ""

    def rows(self, odd: Oddity) -> str:
        """An oddity, newline included; on a terminal the date stands above the first of a day."""
        day, clock = _local(odd.at_ms)
        above = ""
        if self._width is not None and day != self._day:
            self._day, above = day, self._paint("dim", day) + "\n"
        said = clock if self._width is not None else f"{day} {clock}"
        pieces = [
            ("dim", said),
            (SEVERITY_STYLES[odd.severity], odd.severity.ljust(_SEVERITY)),
            ("name", odd.code.ljust(_CODE)),
            (colour_of(odd.session or ""), _session(odd).ljust(_SESSION)),
        ]
        if not self._page.fits(_ROOMY):
            pieces[2], pieces[3] = pieces[3], pieces[2]  # the long code gets a row of its own
        return above + self._folded(pieces, odd.text)

    def _folded(self, pieces: list[tuple[str, str]], said: str) -> str:
        """The pieces and a sentence in one line, or, where that is too wide, the sentence below."""
        head = "  ".join(text for _, text in pieces)
        if self._page.fits(len(head) + 2 + wide(said)):
            painted = "  ".join(self._paint(style, text) for style, text in pieces)
            return f"{painted}  {said}".rstrip() + "\n"
        return self._in_rows([(style, text.rstrip()) for style, text in pieces], said)

    def _in_rows(self, pieces: list[tuple[str, str]], said: str) -> str:
        """The pieces, in as many rows as they take, and the sentence below them."""
        rows, room = [""], self._width or _WIDEST
        for style, text in pieces:
            free = room - len(text) - 2
            if rows[-1] and free < 0:
                rows.append(" " * _INDENT)
                room = (self._width or _WIDEST) - _INDENT
            gap = "  " if rows[-1].strip() else ""
            rows[-1] += gap + self._paint(style, text)
            room -= len(text) + len(gap)
        rows += [
            " " * _INDENT + row for row in self._page.wrapped(said, less=_INDENT, most=_WIDEST)
        ]
        return "\n".join(rows) + "\n"

    def explained(self, code: Code) -> str:
        """All that is known of a code."""
        head = self._paint("name", code.name) + "  "
        rows = [head + self._paint(SEVERITY_STYLES[code.severity], code.severity)]
        rows += self._page.wrapped(code.meaning, less=0, most=_WIDEST)
        for title, text in (("Likely cause", code.cause), ("What to do", code.remedy)):
            rows += [
                "",
                self._paint("name", title),
                *("  " + one for one in self._page.wrapped(text, less=2, most=_WIDEST)),
            ]
        return "\n".join(rows) + "\n"

    def listed(self, code: Code) -> str:
        """A code and what it means."""
        pieces = [
            ("name", code.name.ljust(_CODE)),
            (SEVERITY_STYLES[code.severity], code.severity.ljust(_SEVERITY)),
        ]
        return self._folded(pieces, code.meaning)

    def summary(self, found: list[Oddity], deliveries: int, sessions: int) -> str:
        """How many of each severity, for standard error; newline included."""
        of = f"{count(deliveries, 'delivery', 'deliveries')} from {count(sessions, 'session')}"
        if not found:
            return f"no oddities in {of}\n"
        number = Counter(odd.severity for odd in found)
        words = [_plural(one, number[one]) for one in reversed(SEVERITIES) if number[one]]
        return f"{count(len(found), 'oddity', 'oddities')} in {of}: {', '.join(words)}\n"


def _plural(severity: Severity, number: int) -> str:
    return f"{number:,} info" if severity == "info" else count(number, severity)


def _session(odd: Oddity) -> str:
    return handle(odd.session, "session") if odd.session else "-"


def _local(at_ms: int) -> tuple[str, str]:
    at = instant(at_ms)
    if at is None:
        return "-" * 10, "-" * 8
    local = at.astimezone()
    return local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S")


def as_json(odd: Oddity) -> str:
    """`{"at":…,"severity":…,"code":…,"session":…,"ids":[…],"said":…,"missing":…}`, a line."""
    at = instant(odd.at_ms)
    said = {
        "at": iso(at) if at else None,
        "severity": odd.severity,
        "code": odd.code,
        "session": odd.session,
        "ids": odd.ids,
        "said": odd.text,
        "missing": odd.missing,
    }
    return safe_json(said).decode() + "\n"


def codes_as_json(codes: Iterable[Code]) -> str:
    """`{"code":…,"severity":…,"meaning":…,"cause":…,"remedy":…}`, a line each."""
    keys = ("code", *Code._fields[1:])
    return "".join(safe_json(dict(zip(keys, one, strict=True))).decode() + "\n" for one in codes)
