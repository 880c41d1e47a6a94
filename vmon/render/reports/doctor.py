"""The report of `vmon doctor`: a line per check, with a fix below if one is needed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec import to_builtins

from vmon.humanize import count
from vmon.render.style import Paint, console

if TYPE_CHECKING:
    from vmon.doctor.results import Result, Verdict

STYLES: dict[Verdict, str] = {"pass": "created", "warn": "warning", "fail": "failed", "skip": "dim"}
_NAME = 12
_INDENT = " " * (_NAME + 7)


class DoctorReport:
    """Formats results as lines for standard output, wrapped to the terminal's width."""

    def __init__(self) -> None:
        terminal = console(sys.stdout)
        self._paint = Paint(terminal)
        self._width = terminal.width if sys.stdout.isatty() else None

    def line(self, result: Result) -> str:
        """Format a result, with its fix on the next line; newline included."""
        verdict = self._paint(STYLES[result.verdict], result.verdict)
        style = "dim" if result.verdict == "skip" else ""
        message = [self._paint(style, line) for line in self._wrapped(result.message)]
        fix = self._wrapped(result.fix) if result.fix else []
        head = f"{verdict}  {result.name:<{_NAME}} "
        return head + f"\n{_INDENT}".join([*message, *fix]) + "\n"

    def _wrapped(self, text: str) -> list[str]:
        if self._width is None:
            return [text]
        width = max(20, self._width - len(_INDENT))
        return wrap(text, width, break_long_words=False, break_on_hyphens=False)

    def summary(self, results: list[Result]) -> str:
        """Count the results by verdict, newline included."""
        numbers = Counter(result.verdict for result in results)
        words = [f"{numbers[verdict]} {verdict}" for verdict in STYLES if numbers[verdict]]
        return f"{count(len(results), 'check')}: {', '.join(words)}\n"


def as_json(results: list[Result]) -> str:
    """`{"ok":true,"checks":[{"name":…,"verdict":"pass","said":…,"fix":null}]}`."""
    ok = all(result.verdict != "fail" for result in results)
    return (
        json.dumps({"ok": ok, "checks": [to_builtins(result) for result in results]}, indent=2)
        + "\n"
    )
