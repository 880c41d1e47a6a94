"""Types of options: a duration, a size."""

from __future__ import annotations

from typing import Any

import click

from vmon.errors import WrongUse
from vmon.humanize import parse_duration, parse_size


class Duration(click.ParamType[float]):
    """A duration in seconds, written as 250ms, 10, 10m, 1h30m."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The duration in seconds."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return parse_duration(value)
        except WrongUse as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)


class Size(click.ParamType[int]):
    """A size in bytes, written as 4096, 256k, 1MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except WrongUse as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)
