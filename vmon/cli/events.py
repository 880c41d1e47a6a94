"""`vmon events`: explain event types."""

import click

from vmon.cli import completers
from vmon.cli.options import REPORT, Command, option


@click.command("events", cls=Command, short_help="Explain event types: fields, reasons, samples.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=completers.event_types)
@option(
    "--format",
    "output_format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help=REPORT,
)
def command(types: tuple[str, ...], output_format: str) -> int:
    """List the event types, or explain each TYPE: fields, reasons, states and a sample."""
    from vmon.commands.events import run

    return run(types, as_json=output_format == "json")
