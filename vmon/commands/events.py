"""`vmon events`: explain event types."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from vmon.errors import WrongUse
from vmon.events.catalogue import ALL, suggest_pattern
from vmon.render.reports import events as report

if TYPE_CHECKING:
    from vmon.events.catalogue import EventType


def run(names: tuple[str, ...], *, as_json: bool) -> int:
    """Explain the types with these names, or list all types; WrongUse for an unknown name."""
    types = [entry for name in names for entry in _types(name)]
    if as_json:
        sys.stdout.write(report.as_json(types or list(ALL.values())))
    elif types:
        report.show(report.explanations(types), sys.stdout)
    else:
        report.show(report.overview(list(ALL.values())), sys.stdout)
    return 0


def _types(pattern: str) -> list[EventType]:
    """The types of a name or a glob."""
    if types := [ALL[name] for name in ALL if fnmatchcase(name.lower(), pattern.lower())]:
        return types
    near = suggest_pattern(pattern)
    known = f"known types: {', '.join(ALL)}"
    hint = f"did you mean {near}? {known}" if near else known
    raise WrongUse(f"unknown event type {pattern!r}", hint=hint)
