"""The report of `vmon captures`: two rows per capture, the second is a bar of its types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vmon.events.catalogue import ALL, NAMES
from vmon.humanize import count, duration, home, iso, size
from vmon.render.columns import OutputPage, folded_line
from vmon.render.style import GROUP_STYLES
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime
    from pathlib import Path

    from vmon.analysis.captures import Gone, Held, Kept

_BAR_WIDTH = 24
_OTHER = "245"


class CapturesReport:
    """Formats captures as rows for standard output; in a pipe with their whole path."""

    def __init__(self) -> None:
        self._page = OutputPage()
        self._is_terminal, self._paint = self._page.width is not None, self._page.paint

    def rows(self, capture: Kept, held: Held | None) -> str:
        """Format the rows of a capture, newline included; `held` is None if it cannot be read."""
        name = disarm(capture.path.name) if self._is_terminal else home(capture.path)
        parts = [duration(capture.age_s) + " old", size(capture.size)]
        if held is not None:
            parts += [_span(held), _deliveries(held), count(held.sessions, "session")]
        else:
            parts.append(self._paint("failed", "unreadable"))
        if capture.in_use:
            parts.append(self._paint("created", "in use"))
        if capture.journals:
            parts.append(count(len(capture.journals), "forwarding journal"))
        head = f"{self._paint('name', name)}  {', '.join(part for part in parts if part)}"
        rows = [head, f"  {bar}"] if held and (bar := self._bar(held.types)) else [head]
        return "".join(f"{row}\n" for line in rows for row in self._folded(line))

    def _folded(self, line: str) -> list[str]:
        return [line] if self._page.width is None else folded_line(line, self._page.width)

    def _bar(self, types: Counter[str]) -> str:
        groups = _groups(types)
        if not groups:
            return ""
        total = sum(groups.values())
        cells = _shares([*groups.values()], total) if self._is_terminal else [0] * len(groups)
        bars = [
            self._paint(GROUP_STYLES.get(group, _OTHER), "▇" * cells[index])
            for index, group in enumerate(groups)
            if cells[index]
        ]
        words = [
            self._paint(GROUP_STYLES.get(group, _OTHER), f"{disarm(group)} {number:,}")
            for group, number in groups.items()
        ]
        return "".join(bars) + ("  " if bars else "") + "  ".join(words)


def _groups(types: Counter[str]) -> dict[str, int]:
    """Count by group, in the catalogue's order."""
    groups: dict[str, int] = {}
    for name in (*NAMES, *sorted(set(types) - set(NAMES))):
        if types[name]:
            group: str = ALL[name].group if name in ALL else "other"
            group = name if group == "other" and name in NAMES else group
            groups[group] = groups.get(group, 0) + types[name]
    return groups


def _shares(numbers: list[int], total: int) -> list[int]:
    """The cells of each number, at least 1, together about the width of the bar."""
    return [max(1, round(number / total * _BAR_WIDTH)) for number in numbers]


def _span(held: Held) -> str:
    if held.first_at is None or held.last_at is None:
        return ""
    lasted = (held.last_at - held.first_at).total_seconds()
    return f"{_local(held.first_at)} for {duration(lasted)}"


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _deliveries(held: Held) -> str:
    return count(held.types.total(), "delivery", "deliveries")


def removal_line(gone: Gone) -> str:
    """Describe a capture to remove, and what is removed with it."""
    capture = gone.capture
    parts = [home(capture.path), duration(capture.age_s) + " old", size(capture.size)]
    if capture.journals:
        parts.append(f"with {count(len(capture.journals), 'forwarding journal')}")
    if gone.unsent:
        parts.append(f"{count(gone.unsent, 'delivery', 'deliveries')} not accepted by your app")
    return ", ".join(parts)


def as_json(captures: list[tuple[Kept, Held | None]], folder: Path) -> str:
    """`{"folder":…,"captures":[{"path":…,"deliveries":…,"types":{…}}]}`; null: cannot be read."""
    rows = [
        {
            "path": str(capture.path),
            "size": capture.size,
            "age_s": round(capture.age_s, 3),
            "in_use": capture.in_use,
            "journals": [str(path) for path in capture.journals],
            "deliveries": held.types.total() if held else None,
            "sessions": held.sessions if held else None,
            "first_at": iso(held.first_at) if held and held.first_at else None,
            "last_at": iso(held.last_at) if held and held.last_at else None,
            "types": dict(held.types.most_common()) if held else None,
        }
        for capture, held in captures
    ]
    return json.dumps({"folder": str(folder), "captures": rows}, indent=2) + "\n"
