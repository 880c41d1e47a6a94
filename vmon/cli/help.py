"""`vmon help`: the reference by topic, the options of a command, or of all commands as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.shell_completion import CompletionItem

    from vmon.errors import WrongUse


def _names(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from click.shell_completion import CompletionItem

    from vmon.cli import COMMANDS
    from vmon.commands.help import topics

    names = topics() | {name: text for name, text in COMMANDS.items() if name not in topics()}
    return [
        CompletionItem(name, help=about)
        for name, about in names.items()
        if name.startswith(incomplete)
    ]


@click.command("help", short_help="Show help on a topic or a command.")
@click.argument("names", nargs=-1, metavar="[TOPIC|COMMAND]", shell_complete=_names)
@click.option("--all-commands", is_flag=True, help="Show the options of every command.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="Output format; auto is text, json is one document for scripts (with --all-commands).",
)
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], output_format: str, *, all_commands: bool
) -> None:
    """List the topics of the reference, or show a topic or a command's help.

    A topic is Markdown in a pipe. Where a topic and a command have the same name, the topic is
    shown; vmon COMMAND --help always shows the command's options.
    """
    import sys

    from vmon.commands.help import show, topics
    from vmon.errors import WrongUse

    if names and all_commands:
        raise WrongUse("--all-commands takes no topic")
    if output_format == "json" and not all_commands:
        raise WrongUse("--format json needs --all-commands")
    root = ctx.find_root()
    if output_format == "json":
        click.echo(_as_json(root))
    elif all_commands:
        click.echo("\n\n".join(each.get_help() for each in _contexts(root)))
    elif not names:
        click.echo(_overview(topics()), nl=False)
    elif len(names) == 1 and names[0] in topics():
        show(names[0], sys.stdout)
    else:
        click.echo(_command_at(root, names).get_help())


def _overview(topics: dict[str, str]) -> str:
    formatter = click.HelpFormatter(max_width=_terminal_width())
    with formatter.section("Topics, shown by vmon help TOPIC"):
        formatter.write_dl(list(topics.items()))
    formatter.write_paragraph()
    formatter.write_text("The options of a command: vmon COMMAND --help. All commands: vmon --help")
    return formatter.getvalue()


def _terminal_width() -> int:
    from shutil import get_terminal_size

    return max(min(get_terminal_size().columns, 100), 40)


def _command_at(root: click.Context, names: tuple[str, ...]) -> click.Context:
    """The context of a command or a subcommand; WrongUse when there is none of that name."""
    ctx = root
    for name in names:
        group = ctx.command
        command = group.get_command(ctx, name) if isinstance(group, click.Group) else None
        if command is None:
            raise _unknown(ctx, name)
        ctx = click.Context(command, info_name=name, parent=ctx)
    return ctx


def _unknown(ctx: click.Context, name: str) -> WrongUse:
    from vmon.commands.help import unknown
    from vmon.errors import WrongUse

    if ctx.parent is None and isinstance(ctx.command, click.Group):
        return unknown(name, ctx.command.list_commands(ctx))
    return WrongUse(f"no help for {ctx.command_path} {name}", hint=f"see {ctx.command_path} --help")


def _contexts(ctx: click.Context) -> Iterator[click.Context]:
    """The context of a command and of its subcommands."""
    yield ctx
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            if command := ctx.command.get_command(ctx, name):
                yield from _contexts(click.Context(command, info_name=name, parent=ctx))


def _as_json(root: click.Context) -> str:
    import json

    from vmon import __version__
    from vmon.cli import COMMANDS
    from vmon.cli.defaults import known

    variables = {(f"vmon {key.command}", key.param): key.env for key in known(COMMANDS)}
    variables["vmon", "profile"] = "VMON_PROFILE"
    return json.dumps({"version": __version__, **_tree(root, variables)}, indent=2)


def _tree(ctx: click.Context, variables: dict[tuple[str, str | None], str]) -> dict[str, Any]:
    """Describe a command: its path, usage, help, parameters and subcommands."""
    command = ctx.command
    subcommands = command.list_commands(ctx) if isinstance(command, click.Group) else []
    return {
        "name": ctx.info_name,
        "path": ctx.command_path,
        "usage": command.get_usage(ctx).removeprefix("Usage: "),
        "help": _plain(command.help),
        "parameters": [
            _parameter(each, ctx, variables.get((ctx.command_path, each.name)))
            for each in command.get_params(ctx)
        ],
        "commands": [_tree(_command_at(ctx, (each,)), variables) for each in subcommands],
    }


def _parameter(param: click.Parameter, ctx: click.Context, variable: str | None) -> dict[str, Any]:
    option = isinstance(param, click.Option)
    info = param.to_info_dict()
    default = info["default"]
    return {
        "kind": param.param_type_name,
        "names": sorted(param.opts, key=len, reverse=True) if option else [param.name],
        "metavar": None if _is_switch(param) else param.make_metavar(ctx),
        "type": "boolean" if info.get("is_flag") else param.type.name.removesuffix(" range"),
        "min": getattr(param.type, "min", None),
        "max": getattr(param.type, "max", None),
        "choices": list(getattr(param.type, "choices", ())),
        "default": default if isinstance(default, str | int | float | bool | list) else None,
        "required": param.required,
        "multiple": param.multiple or param.nargs == -1,
        "count": bool(info.get("count")),
        "env": param.envvar or variable,
        "help": info.get("help"),
    }


def _is_switch(param: click.Parameter) -> bool:
    return isinstance(param, click.Option) and (param.is_flag or param.count)


def _plain(text: str | None) -> str | None:
    from inspect import cleandoc

    return cleandoc(text).replace("\b\n", "") if text else None
