"""`vmon config`: print all settings and where they come from."""

import click

from vmon.cli.options import Command, option


@click.command("config", cls=Command, short_help="Print all settings and where they come from.")
@option("--changed", "only_set", is_flag=True, help="Print only settings that are not defaults.")
@option(
    "--format",
    "output_format",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="Output format: a vmon.toml, or one JSON document for scripts.",
)
@click.pass_context
def command(ctx: click.Context, output_format: str, *, only_set: bool) -> int:
    """Print all settings and where they come from; secrets are masked.

    Precedence: flag, VMON_ environment variable, profile, project file (./vmon.toml, or
    [tool.vmon] in ./pyproject.toml), user file.
    """
    from vmon.cli import COMMANDS
    from vmon.cli.defaults import settings_of
    from vmon.commands.config import run
    from vmon.config import Settings

    settings = ctx.obj if isinstance(ctx.obj, Settings) else settings_of(None, COMMANDS)
    return run(settings, only_set=only_set, as_json=output_format == "json")
