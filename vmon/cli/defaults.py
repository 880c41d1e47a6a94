"""Settings from outside the command line: the commands' own options say which there are."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from vmon import config
from vmon.config import KnownKey
from vmon.errors import VmonError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.config import Kind, Scalar, Settings

SECRETS = frozenset({"authtoken", "forward-header", "secret", "secret-path", "sign"})
"""Options whose values are never shown, by their long names."""

PERSONAL = frozenset({"ngrok-path", "yes"})
"""Options that run a program, or agree to something: not for a project's file to say."""
TOLERANT = frozenset({"completion", "doctor", "help"})
"""Commands that work whatever is wrong with the settings."""

_UNSET = frozenset({"completion", "config", "help", "tunnel"})
"""Commands about vmon itself, which no setting changes."""

_KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "duration": "duration",
    "float": "number",
    "float range": "number",
    "integer": "integer",
    "integer range": "integer",
    "size": "size",
    "speed": "any",
}


def settings_of(profile: str | None, commands: Iterable[str]) -> Settings:
    """Every setting of those commands and where it is from; WrongUse for what is wrong."""
    keys = tuple(known(commands))
    return config.load(keys, profile=profile, cwd=os.curdir, environ=os.environ)


def is_configured(profile: str | None) -> bool:
    """Whether there can be a setting at all: where not, no command is imported to ask it."""
    return profile is not None or config.is_configured(os.curdir, os.environ)


def known(commands: Iterable[str]) -> Iterator[KnownKey]:
    """The settings there are: the options of the commands that do the work."""
    for name in commands:
        if name in _UNSET:
            continue
        command: click.Command = import_module(f"vmon.cli.{name}").command
        for option in command.params:
            if isinstance(option, click.Option):
                yield _key(name, option)


def _key(command: str, option: click.Option) -> KnownKey:
    name = max(option.opts, key=len).lstrip("-")
    kind: Kind = "integer" if option.count else _KINDS.get(option.type.name, "text")
    secret = name in SECRETS or option.hide_input
    choices = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
    return KnownKey(
        name,
        kind,
        command,
        multiple=option.multiple,
        secret=secret,
        choices=choices,
        default=_default(option),
        help=option.help or "",
        param=option.name,
        variable=option.envvar if isinstance(option.envvar, str) else None,
        check=None if secret else _check(option),
        personal=name in PERSONAL,
    )


def _default(option: click.Option) -> config.Value:
    # What click has where there is no default is no value of any of these.
    given: Any = option.default
    if isinstance(given, str | int | float | tuple):
        return given
    return False if option.is_flag else None


def _check(option: click.Option) -> Callable[[Scalar], object]:
    def check(value: Scalar) -> None:
        try:
            option.type.convert(value, None, None)
        except (click.BadParameter, VmonError) as error:
            text = error.message.rstrip(".")
            raise ValueError(f"is invalid: {text}") from None

    return check


def install(ctx: click.Context, name: str, rest: list[str], commands: Iterable[str]) -> None:
    """Make the settings the defaults of the command `name`; `ctx.obj` is them, if there are any.

    What is wrong with them is raised, unless help is asked for, or doctor, which tells it itself.
    """
    profile: str | None = ctx.params.get("profile")
    try:
        if is_configured(profile):
            ctx.obj = settings_of(profile, commands)
            ctx.default_map = ctx.obj.default_map()
    except WrongUse as error:
        if name not in TOLERANT and {"-h", "--help"}.isdisjoint(rest):
            raise
        ctx.obj = error
