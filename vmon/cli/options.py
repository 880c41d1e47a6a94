"""Options that several commands share: declared once, and handed on as one frozen object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from vmon.cli import complete
from vmon.errors import WrongUse
from vmon.instants import parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.filters import Filter

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Duration(click.ParamType[float]):
    """Seconds, written as people do: 250ms, 10, 10m, 1h30m."""

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
    """Bytes, written as people do: 4096, 256k, 1MiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The size in bytes."""
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except WrongUse as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)


_FILTERS = (
    (
        "--event",
        "types",
        "TYPE",
        "Of these types: names, comma lists, globs ('stream*'), ! excludes.",
    ),
    ("--session", "session", "ID", "Of this session: an ID, its beginning, or the handle shown."),
    (
        "--connection",
        "connection",
        "ID",
        "About this connection (the beginning of an ID is enough).",
    ),
    ("--stream", "stream", "ID", "About this stream."),
    ("--archive", "archive", "ID", "About this archive."),
    ("--call", "call", "ID", "About this SIP call."),
    ("--project", "project", "ID", "Of this project or application."),
    ("--reason", "reason", "REASON", "With this reason, such as networkDisconnected."),
    ("--status", "status", "STATUS", "With this status, or this state of a call."),
    ("--path", "path", "TEXT", "Received on a path that has this in it."),
)
_SINGLE = (
    ("--since", "since", "WHEN", "Received since then: 10m (ago), 14:05, yesterday, ISO 8601."),
    ("--until", "until", "WHEN", "Received before then."),
    (
        "--where",
        "where",
        "EXPR",
        "Of which this is true, in CEL: 'stream.videoType == \"screen\" && lag > 2'.",
    ),
)


def filter_options(command: _Command) -> _Command:
    """The options that make a filter; the command's function receives them as one `chosen`."""
    from functools import wraps

    @wraps(command)
    def with_filter(**values: Any) -> Any:
        names = [name for _, name, _, _ in (*_FILTERS, *_SINGLE)] + ["invert"]
        asked = {name: values.pop(name) for name in names}
        return command(chosen=_filter_of(asked), **values)

    wrapped: Any = click.option("--invert", is_flag=True, help="Choose what the filter would not.")(
        with_filter
    )
    for flag, name, metavar, text in reversed(_SINGLE):
        wrapped = click.option(flag, name, metavar=metavar, help=text)(wrapped)
    for flag, name, metavar, text in reversed(_FILTERS):
        offered = complete.event_types if flag == "--event" else None
        wrapped = click.option(
            flag, name, metavar=metavar, multiple=True, help=text, shell_complete=offered
        )(wrapped)
    return wrapped  # type: ignore[no-any-return] # click's decorators give back what they were given


def _filter_of(asked: dict[str, Any]) -> Filter:
    from datetime import UTC, datetime

    from vmon.filters import Filter, types_of
    from vmon.instants import parse_instant

    now = datetime.now(UTC)
    for name in ("since", "until"):
        asked[name] = parse_instant(asked[name], now) if asked[name] else None
    if asked["where"] is not None:
        from vmon.where import Where

        asked["where"] = Where(asked["where"])
    asked["types"] = types_of(asked["types"]) if asked["types"] else None
    return Filter(**asked)


def form_options(command: _Command) -> _Command:
    """`--format` and `-v`: how events go out."""
    verbose = click.option(
        "-v",
        "--verbose",
        "verbosity",
        count=True,
        help="Add the fields; -vv adds headers and body.",
    )
    form = click.option(
        "--format",
        "kind",
        type=click.Choice(["auto", "line", "detail", "json"]),
        default="auto",
        show_default=True,
        help="How events go out: auto draws lines on a terminal, and is json in a pipe.",
    )
    return form(verbose(command))
