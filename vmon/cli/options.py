"""Options that several commands share: declared once, and handed on as one frozen object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from vmon.cli import complete
from vmon.errors import WrongUse
from vmon.instants import parse_duration, parse_size

if TYPE_CHECKING:
    from collections import Counter
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
VERDICTS = ("valid", "invalid", "unsigned", "stale", "unchecked")
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
        names = [name for _, name, _, _ in (*_FILTERS, *_SINGLE)] + ["verdict", "invert"]
        asked = {name: values.pop(name) for name in names}
        return command(chosen=_filter_of(asked), **values)

    wrapped: Any = click.option("--invert", is_flag=True, help="Choose what the filter would not.")(
        with_filter
    )
    for flag, name, metavar, text in reversed(_SINGLE):
        wrapped = click.option(flag, name, metavar=metavar, help=text)(wrapped)
    wrapped = click.option(
        "--verdict", multiple=True, type=click.Choice(VERDICTS), help="With that kind of signature."
    )(wrapped)
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


KINDS = ("auto", "line", "detail", "json")


def form_options(command: _Command) -> _Command:
    """`--format` and `-v`: how events go out."""
    text = "How events go out: auto draws lines on a terminal, and is json in a pipe."
    return form_options_of(KINDS, text)(command)


def form_options_of(kinds: tuple[str, ...], text: str) -> Callable[[_Command], _Command]:
    """`--format`, with the forms that a command knows, and `-v`."""
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
        type=click.Choice(kinds),
        default="auto",
        show_default=True,
        help=text,
    )
    return lambda command: form(verbose(command))


def trust_options(command: _Command) -> _Command:
    """`--secret` and what goes with it; the command's function gets them as they were given."""
    secret = click.option(
        "--secret", "secrets", multiple=True, metavar="SECRET", envvar="VMON_SIGNATURE_SECRET",
        help="Check signatures with this secret; several are tried in turn.",
    )  # fmt: skip # one thing a line
    file = click.option(
        "--secret-file", "secret_files", multiple=True, metavar="FILE",
        help="Secrets from a file, one a line: name=secret, or bare.",
    )  # fmt: skip # one thing a line
    age = click.option(
        "--max-age", type=Duration(),
        help="A signature older than that is stale; retries come for 24h. Default: off.",
    )  # fmt: skip # one thing a line
    return secret(file(age(command)))


def name_option(command: _Command) -> _Command:
    """`--name-from`; the command's function gets the path as it was given."""
    return click.option(
        "--name-from", metavar="PATH",
        help="Call people by this part of their token data: data.userName.",
    )(command)  # fmt: skip # one thing a line


def name_of(path: str | None) -> Callable[[str | None], str | None]:
    """What finds a person's name in token data, by `--name-from` or by itself."""
    if path is None:
        from vmon.events import person

        return person
    from vmon.handles import name_from

    return name_from(path)


def redact_option(command: _Command) -> _Command:
    """`--redact`; the command's function gets the values as they were given."""
    return click.option(
        "--redact", multiple=True, metavar="PATHS",
        help="Show pseudonyms there: connection.data,stream.name.",
    )(command)  # fmt: skip # one thing a line


def dedupe_option(command: _Command) -> _Command:
    """`--dedupe`."""
    return click.option(
        "--dedupe", is_flag=True, help="Leave out copies: the same body again, as retries are."
    )(command)


def sign_options(command: _Command) -> _Command:
    """`--sign` and `--api-key`; the command's function gets them as they were given."""
    sign = click.option("--sign", metavar="SECRET", help="Sign what is sent, as Vonage does.")
    key = click.option(
        "--api-key", metavar="KEY", help="The API key to sign for. Default: the project's ID."
    )
    return sign(key(command))


def can_ask() -> bool:
    """Whether there is somebody to ask: standard input and standard error are a terminal."""
    import sys

    return all(one is not None and one.isatty() for one in (sys.stdin, sys.stderr))


def secrets_option(command: _Command) -> _Command:
    """`--with-secrets`."""
    return click.option(
        "--with-secrets", is_flag=True,
        help="Keep Authorization, archive passwords, stream keys in commands and HAR.",
    )(command)  # fmt: skip # one thing a line


def tell_left_out(names: Counter[str]) -> None:
    """Say on standard error what was left out, if anything was."""
    if names:
        from vmon.text import count, disarm

        said = ", ".join(disarm(name) for name, _ in names.most_common(8))
        what = count(names.total(), "secret")
        click.echo(f"{what} left out ({said}): --with-secrets keeps them", err=True)
