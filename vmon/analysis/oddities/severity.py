"""The severities of oddities; imports no msgspec, so that the command line may use it."""

from typing import Literal, get_args

Severity = Literal["info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""In ascending order."""
