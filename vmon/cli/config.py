"""`vmon config`: every setting, and where it comes from."""

import click


@click.command("config", short_help="Print every setting, and where it comes from.")
@click.option("--set", "only_set", is_flag=True, help="Only those that are not the default.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["toml", "json"]),
    default="toml",
    show_default=True,
    help="toml: as a vmon.toml would say it; json: one document for machines.",
)
@click.pass_context
def command(ctx: click.Context, form: str, *, only_set: bool) -> None:
    """Print every setting and where it comes from. Secrets are told to be there, and no more.

    A flag is stronger than a VMON_ variable, that than the chosen profile, that than ./vmon.toml
    (or [tool.vmon] in ./pyproject.toml), and that than the user's own file.
    """
    from vmon.cli import COMMANDS
    from vmon.cli.settings import settings_of
    from vmon.config import Settings
    from vmon.render import settings as drawn

    found = ctx.obj if isinstance(ctx.obj, Settings) else settings_of(None, COMMANDS)
    if only_set:
        found = found.those_set()
    click.echo(drawn.as_json(found) if form == "json" else drawn.as_toml(found), nl=False)
