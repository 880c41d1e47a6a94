"""`vmon captures`: list captures and remove old ones."""

from __future__ import annotations

import click

from vmon.cli.options import REPORT, Command, asker, option
from vmon.cli.quantities import Duration


@click.command("captures", cls=Command, short_help="List captures; remove old ones.")
@option("--path", "only_path", is_flag=True, help="Print the path of the captures folder.")
@option(
    "--prune", "prune_after_s", type=Duration(), metavar="AGE",
    help="Remove captures last written more than AGE ago (30d), after asking.",
)  # fmt: skip # one thing a line
@option("--yes", is_flag=True, help="Don't ask for confirmation.")
@option(
    "--format", "output_format", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help=REPORT,
)  # fmt: skip # one thing a line
def command(output_format: str, prune_after_s: float | None, *, only_path: bool, yes: bool) -> int:
    """List captures, newest first: age, size, time span, deliveries, sessions and types.

    --prune lists the captures to remove and asks for confirmation; outside a terminal it needs
    --yes. Captures in use are kept. Deliveries of a removed capture that were not forwarded yet
    are removed too.
    """
    from vmon.commands.captures import Options, run
    from vmon.errors import WrongUse

    if (yes and prune_after_s is None) or (
        prune_after_s is not None and (only_path or output_format != "auto")
    ):
        raise WrongUse("--yes needs --prune, and --prune cannot be used with --path or --format")
    return run(Options(only_path, prune_after_s, yes, output_format == "json", asker()))
