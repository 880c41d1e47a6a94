"""Defaults from configuration files and variables, for every option of the commands."""

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
"""Options that run a program or give consent: not allowed in a project file."""
TOLERANT = frozenset({"completion", "doctor", "help"})
"""Commands that work even with invalid settings."""

_WITHOUT_SETTINGS = frozenset({"completion", "config", "help", "tunnel"})
"""Commands about vmon itself, which have no settings."""

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
    """Load every setting of the commands and where it comes from; WrongUse if one is invalid."""
    keys = tuple(known(commands))
    return config.load(keys, profile=profile, cwd=os.curdir, environ=os.environ)


def is_configured(profile: str | None) -> bool:
    """Whether any setting can exist; if not, no command has to be imported to list its options."""
    return profile is not None or config.is_configured(os.curdir, os.environ)


def known(commands: Iterable[str]) -> Iterator[KnownKey]:
    """The known settings: the options of the commands that do the work."""
    for name in commands:
        if name in _WITHOUT_SETTINGS:
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
    # Click's marker for "no default" is of another type than these.
    default: Any = option.default
    if isinstance(default, str | int | float | tuple):
        return default
    return False if option.is_flag else None


def _check(option: click.Option) -> Callable[[Scalar], object]:
    def check(value: Scalar) -> None:
        try:
            option.type.convert(value, None, None)
        except (click.BadParameter, VmonError) as error:
            text = error.message.rstrip(".")
            raise ValueError(f"is invalid: {text}") from None

    return check


def install(ctx: click.Context, name: str, args: list[str], commands: Iterable[str]) -> None:
    """Make the settings the defaults of the command `name`, and store them in `ctx.obj`.

    Invalid settings raise WrongUse, except with --help or for a command of `TOLERANT`: there
    `ctx.obj` is the error.
    """
    profile: str | None = ctx.params.get("profile")
    try:
        if is_configured(profile):
            ctx.obj = settings_of(profile, commands)
            ctx.default_map = ctx.obj.default_map()
    except WrongUse as error:
        if name not in TOLERANT and {"-h", "--help"}.isdisjoint(args):
            raise
        ctx.obj = error
