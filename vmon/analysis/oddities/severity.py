"""How severe an oddity is; without an import of msgspec."""

from typing import Literal, get_args

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From what may well be meant to what went wrong."""
