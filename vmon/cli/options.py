"""Options shared by several commands, declared once."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vmon.cli import completers
from vmon.cli.quantities import Duration
from vmon.errors import WrongUse
from vmon.events.verdict_kind import VERDICT_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmon.commands.confirmation import Ask
    from vmon.search.filter import Filter
    from vmon.security.pseudonyms import Redactor

_Command = TypeVar("_Command", bound="Callable[..., Any]")


class Option(click.Option):
    """An option that the help of a `Command` lists under the heading `group`.

    `alone` is its value where none is given: then one is only taken with a `=`.
    """

    def __init__(
        self, *args: Any, group: str = "Options", alone: str | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.group = group
        self.alone = alone

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Click's own, without the range of a number: the error message has it."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class Command(click.Command):
    """A command whose help lists the options by group, in the order the groups are declared."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give a value to the options that stand alone: the next argument is not theirs."""
        alone = {
            name: f"{name}={param.alone}"
            for param in self.params
            if isinstance(param, Option) and param.alone
            for name in param.opts
        }
        end = args.index("--") if "--" in args else len(args)
        args = [*(alone.get(one, one) for one in args[:end]), *args[end:]]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group; arguments are in the usage already."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def grouped(heading: str) -> Callable[..., Callable[[_Command], _Command]]:
    """`click.option` for the options under this heading of the help."""
    return partial(click.option, cls=Option, group=heading)


option = grouped("Options")
signature_option, forward_option = grouped("Signatures"), grouped("Forwarding")
filter_option, output_option = grouped("Filter"), grouped("Output")


_FILTERS = (
    (
        "--event",
        "types",
        "TYPE",
        "Only these event types: names, comma lists, globs ('stream*'); ! excludes.",
    ),
    (
        "--session",
        "session",
        "ID",
        "Only this session: its ID, a prefix of it, or its handle; A,B for several.",
    ),
    ("--connection", "connection", "ID", "Only this connection: its ID or a prefix of it."),
    ("--stream", "stream", "ID", "Only this stream."),
    ("--archive", "archive", "ID", "Only this archive."),
    ("--call", "call", "ID", "Only this SIP call."),
    ("--project", "project", "ID", "Only this project or application."),
    ("--reason", "reason", "REASON", "Only events with this reason, e.g. networkDisconnected."),
    (
        "--status",
        "status",
        "STATUS",
        "Only events with this status (or call state); A,B for several.",
    ),
    ("--delivery", "delivery", "ID", "Only this delivery: its ID or a prefix of it (see -v)."),
    ("--path", "path", "TEXT", "Only events whose request path contains TEXT."),
)
_SINGLE = (
    (
        "--since",
        "since",
        "TIME",
        "Only events received since TIME: 10m (ago), 14:05, yesterday, ISO 8601.",
    ),
    ("--until", "until", "TIME", "Only events received before TIME."),
    (
        "--where",
        "where",
        "EXPR",
        "Only events that match a CEL expression: 'stream.videoType == \"screen\" && lag > 2'.",
    ),
)


_COMPLETERS = {
    "--event": completers.event_types,
    "--reason": completers.reasons,
    "--status": completers.statuses,
}


def filter_options(command: _Command) -> _Command:
    """Add the options that make a filter; the command receives them as one `event_filter`."""
    from functools import wraps

    @wraps(command)
    def with_filter(**values: Any) -> Any:
        names = [name for _, name, _, _ in (*_FILTERS, *_SINGLE)] + ["verdict", "invert"]
        options = {name: values.pop(name) for name in names}
        return command(event_filter=_filter_of(options), **values)

    wrapped: Any = filter_option("--invert", is_flag=True, help="Invert the filter, like grep -v.")(
        with_filter
    )
    for flag, name, metavar, text in reversed(_SINGLE):
        wrapped = filter_option(flag, name, metavar=metavar, help=text)(wrapped)
    wrapped = filter_option(
        "--verdict", multiple=True, type=click.Choice(VERDICT_KINDS),
        help="Only events with this signature check result.",
    )(wrapped)  # fmt: skip # one thing a line
    for flag, name, metavar, text in reversed(_FILTERS):
        completer = _COMPLETERS.get(flag)
        wrapped = filter_option(
            flag, name, metavar=metavar, multiple=True, help=text, shell_complete=completer
        )(wrapped)
    return wrapped  # type: ignore[no-any-return] # click's decorators return what they are given


def _filter_of(options: dict[str, Any]) -> Filter:
    from datetime import UTC, datetime

    from vmon.events.catalogue import types_of
    from vmon.humanize import parse_instant
    from vmon.search.filter import Filter

    _refuse_empty(options)
    for name in _LISTS:
        options[name] = tuple(part for value in options[name] for part in _parts(name, value))
    now = datetime.now(UTC)
    for name in ("since", "until"):
        options[name] = parse_instant(options[name], now) if options[name] else None
    if options["where"] is not None:
        from vmon.search.expression import Expression

        options["where"] = Expression(options["where"])
    options["types"] = types_of(options["types"]) if options["types"] else None
    return Filter(**options)


_LISTS = ("session", "connection", "stream", "archive", "call", "project", "reason", "status")


def _parts(name: str, value: str) -> list[str]:
    """Split a comma list; a comma with a space after it is part of a reason."""
    parts = re.split(r",(?! )" if name == "reason" else r" *, *", value.strip())
    if not all(parts):
        raise WrongUse(f"--{name} {value!r} has an empty value", hint=f"use --{name} A,B")
    return parts


def _refuse_empty(options: dict[str, Any]) -> None:
    """WrongUse for an empty value, such as "$ID" that is not set: it would match everything."""
    for _, name, _, _ in (*_FILTERS, *_SINGLE):
        given = options[name] if isinstance(options[name], tuple) else (options[name],)
        if any(value is not None and not value.strip() for value in given):
            flag = "--event" if name == "types" else f"--{name}"
            raise WrongUse(f"{flag} is empty", hint="without it, everything matches")


FORMATS = ("auto", "line", "detail", "json")
FORMAT = "Output format; auto is line on a terminal or with -v, and json in a pipe."
LINES = "Output format; auto is line, json is one JSON object per line."
REPORT = "Output format; auto is text, json is one document for scripts."


def format_options(command: _Command) -> _Command:
    """Add `--format` and `-v`, for the output of events."""
    return format_options_of(FORMATS, FORMAT)(command)


def format_options_of(formats: tuple[str, ...], text: str) -> Callable[[_Command], _Command]:
    """Add `--format` with these formats, and `-v`."""
    verbose = output_option(
        "-v",
        "--verbose",
        "verbosity",
        count=True,
        help="Show all fields; -vv also shows headers and body.",
    )
    format_ = output_option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        default="auto",
        show_default=True,
        help=text,
    )
    return lambda command: format_(verbose(command))


def name_option(command: _Command) -> _Command:
    """Add `--name-from`; the command receives the raw path."""
    return output_option(
        "--name-from", metavar="FIELD",
        help="Take names from this field of the connection data, e.g. data.userName.",
    )(command)  # fmt: skip # one thing a line


late_option = output_option(
    "--late-after", "late_after_s", type=Duration(), default="1s", show_default=True,
    help="Mark events that arrive after one that happened this much later.",
)  # fmt: skip # one thing a line
"""Adds `--late-after`; the command receives the seconds as `late_after_s`."""


def name_of(path: str | None) -> Callable[[str | None], str | None]:
    """The lookup of names in token data: by `--name-from`, else by the usual keys."""
    if path is None:
        from vmon.events.names import name_in_data

        return name_in_data
    from vmon.events.names import name_from

    return name_from(path)


def redact_option(command: _Command) -> _Command:
    """Add `--redact`; the command receives the raw values."""
    return output_option(
        "--redact", multiple=True, metavar="FIELDS",
        help="Replace these fields with pseudonyms: connection.data,stream.name.",
    )(command)  # fmt: skip # one thing a line


def redactor_from(values: tuple[str, ...]) -> Redactor | None:
    """The redactor for the values of `--redact`; None without any."""
    if not values:
        return None
    from vmon.security.pseudonyms import paths_of, redactor_of

    return redactor_of(paths_of(values))


def dedupe_option(command: _Command) -> _Command:
    """Add `--dedupe`."""
    return output_option(
        "--dedupe", alone="path", type=click.Choice(["path", "any-path"]), metavar="[=any-path]",
        help="Hide duplicates: retries with the same body at the same path (or at any path).",
    )(command)  # fmt: skip # one thing a line


def asker() -> Ask | None:
    """The prompt for confirmation; None where standard input or error is not a terminal."""
    import sys

    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return None
    return lambda question, default: click.confirm(question, default, err=True)


def secrets_option(command: _Command) -> _Command:
    """Add `--with-secrets`."""
    return output_option(
        "--with-secrets", is_flag=True,
        help="Include Authorization headers, archive passwords and stream keys.",
    )(command)  # fmt: skip # one thing a line
