"""The captures that are kept: two rows for each, the second one its types as a bar."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from vmon.events.catalogue import ALL, NAMES
from vmon.humanize import count, duration, home, iso, size
from vmon.render.style import GROUP_STYLES, Paint, console
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections import Counter
    from datetime import datetime
    from pathlib import Path

    from vmon.analysis.captures import Gone, Held, Kept

_BAR = 24
_OTHER = "245"


class CapturesReport:
    """Captures as rows for standard output; where nobody looks, with their whole path."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._paint = Paint(console(sys.stdout))

    def rows(self, one: Kept, held: Held | None) -> str:
        """The rows of a capture, newline included; without `held` it could not be read."""
        name = disarm(one.path.name) if self._is_terminal else home(one.path)
        parts = [duration(one.age_s) + " old", size(one.size)]
        if held is not None:
            parts += [_span(held), _deliveries(held), count(held.sessions, "session")]
        else:
            parts.append(self._paint("failed", "unreadable"))
        if one.in_use:
            parts.append(self._paint("created", "in use"))
        if one.journals:
            parts.append(count(len(one.journals), "forwarding journal"))
        head = f"{self._paint('name', name)}  {', '.join(part for part in parts if part)}\n"
        bar = self._bar(held.types) if held else ""
        return head + (f"  {bar}\n" if bar else "")

    def _bar(self, types: Counter[str]) -> str:
        groups = _groups(types)
        if not groups:
            return ""
        total = sum(groups.values())
        cells = _shares([*groups.values()], total) if self._is_terminal else [0] * len(groups)
        drawn = [
            self._paint(GROUP_STYLES.get(group, _OTHER), "▇" * cells[index])
            for index, group in enumerate(groups)
            if cells[index]
        ]
        words = [
            self._paint(GROUP_STYLES.get(group, _OTHER), f"{disarm(group)} {number:,}")
            for group, number in groups.items()
        ]
        return "".join(drawn) + ("  " if drawn else "") + "  ".join(words)


def _groups(types: Counter[str]) -> dict[str, int]:
    """How many of each group, in the catalogue's order."""
    found: dict[str, int] = {}
    for name in (*NAMES, *sorted(set(types) - set(NAMES))):
        if types[name]:
            group: str = ALL[name].group if name in ALL else "other"
            group = name if group == "other" and name in NAMES else group
            found[group] = found.get(group, 0) + types[name]
    return found


def _shares(numbers: list[int], total: int) -> list[int]:
    """So many cells for each, at least one, together about the length of the bar."""
    return [max(1, round(number / total * _BAR)) for number in numbers]


def _span(held: Held) -> str:
    if held.first_at is None or held.last_at is None:
        return ""
    lasted = (held.last_at - held.first_at).total_seconds()
    return f"{_local(held.first_at)} for {duration(lasted)}"


def _local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _deliveries(held: Held) -> str:
    return count(held.types.total(), "delivery", "deliveries")


def going(gone: Gone) -> str:
    """A capture that goes, and what goes with it."""
    one = gone.capture
    parts = [home(one.path), duration(one.age_s) + " old", size(one.size)]
    if one.journals:
        parts.append(f"with {count(len(one.journals), 'forwarding journal')}")
    if gone.unsent:
        parts.append(f"{count(gone.unsent, 'delivery', 'deliveries')} not accepted by your app")
    return ", ".join(parts)


def as_json(found: list[tuple[Kept, Held | None]], folder: Path) -> str:
    """`{"folder":…,"captures":[{"path":…,"deliveries":…,"types":{…}}]}`; null: cannot be read."""
    rows = [
        {
            "path": str(one.path),
            "size": one.size,
            "age_s": round(one.age_s, 3),
            "in_use": one.in_use,
            "journals": [str(path) for path in one.journals],
            "deliveries": held.types.total() if held else None,
            "sessions": held.sessions if held else None,
            "first_at": iso(held.first_at) if held and held.first_at else None,
            "last_at": iso(held.last_at) if held and held.last_at else None,
            "types": dict(held.types.most_common()) if held else None,
        }
        for one, held in found
    ]
    return json.dumps({"folder": str(folder), "captures": rows}, indent=2) + "\n"
