"""`vmon config`: print all settings and where they come from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmon.render.reports import config as report

if TYPE_CHECKING:
    from vmon.config import Settings


def run(settings: Settings, *, only_set: bool, as_json: bool) -> int:
    """Print the settings as a `vmon.toml` or as JSON; with `only_set` without the defaults."""
    shown = settings.those_set() if only_set else settings
    sys.stdout.write(report.as_json(shown) if as_json else report.as_toml(shown))
    return 0
