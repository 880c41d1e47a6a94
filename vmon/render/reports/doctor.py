"""What doctor found: a line for each check, and the way out under those that need one."""

from __future__ import annotations

import json
import sys
from collections import Counter
from textwrap import wrap
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from vmon.humanize import count
from vmon.render.style import Paint, console

if TYPE_CHECKING:
    from vmon.doctor.results import Result, Verdict

STYLES: dict[Verdict, str] = {"pass": "created", "warn": "warning", "fail": "failed", "skip": "dim"}
_NAME = 12
_INDENT = " " * (_NAME + 7)


class DoctorReport:
    """Results as lines for standard output, as wide as a terminal is."""

    def __init__(self) -> None:
        terminal = console(sys.stdout)
        self._paint = Paint(terminal)
        self._width = terminal.width if sys.stdout.isatty() else None

    def line(self, result: Result) -> str:
        """A result, and its fix on a line of its own; newline included."""
        verdict = self._paint(STYLES[result.verdict], result.verdict)
        style = "dim" if result.verdict == "skip" else ""
        said = [self._paint(style, line) for line in self._wrapped(result.said)]
        fix = self._wrapped(result.fix) if result.fix else []
        head = f"{verdict}  {result.name:<{_NAME}} "
        return head + f"\n{_INDENT}".join([*said, *fix]) + "\n"

    def _wrapped(self, text: str) -> list[str]:
        if self._width is None:
            return [text]
        wide = max(20, self._width - len(_INDENT))
        return wrap(text, wide, break_long_words=False, break_on_hyphens=False)

    def summary(self, results: list[Result]) -> str:
        """How many of each, newline included."""
        number = Counter(result.verdict for result in results)
        words = [f"{number[verdict]} {verdict}" for verdict in STYLES if number[verdict]]
        return f"{count(len(results), 'check')}: {', '.join(words)}\n"


def as_json(results: list[Result]) -> str:
    """`{"ok":true,"checks":[{"name":…,"verdict":"pass","said":…,"fix":null}]}`."""
    ok = all(result.verdict != "fail" for result in results)
    return json.dumps({"ok": ok, "checks": [asdict(one) for one in results]}, indent=2) + "\n"
