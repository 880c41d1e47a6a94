"""`vmon events`: explain event types."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.errors import WrongUse
from vmon.events.catalogue import ALL, suggest
from vmon.render.reports import events as report

if TYPE_CHECKING:
    from vmon.events.catalogue import EventType


def run(names: tuple[str, ...], *, as_json: bool) -> int:
    """Explain the types with these names, or list all types; WrongUse for an unknown name."""
    types = [_type(name) for name in names]
    if as_json:
        sys.stdout.write(report.as_json(types or list(ALL.values())))
    elif types:
        report.show(report.explanations(types), sys.stdout)
    else:
        report.show(report.overview(list(ALL.values())), sys.stdout)
    return 0


def _type(name: str) -> EventType:
    by_lower = {known.lower(): entry for known, entry in ALL.items()}
    if (entry := by_lower.get(name.lower())) is not None:
        return entry
    near = suggest(name)
    known = f"known types: {', '.join(ALL)}"
    hint = f"did you mean {near}? {known}" if near else known
    raise WrongUse(f"unknown event type {name!r}", hint=hint)
