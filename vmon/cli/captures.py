"""`vmon captures`: list the captures that are kept, and remove old ones."""

from __future__ import annotations

import click

from vmon.cli.options import REPORT, Command, Duration, option
from vmon.commands.captures import list_captures, prune


@click.command("captures", cls=Command, short_help="List captures; remove old ones.")
@option("--path", "only_path", is_flag=True, help="Print the path of the captures folder.")
@option(
    "--prune", "older_s", type=Duration(), metavar="AGE",
    help="Remove captures last written more than AGE ago (30d), after asking.",
)  # fmt: skip # one thing a line
@option("--yes", is_flag=True, help="Don't ask for confirmation.")
@option(
    "--format", "form", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help=REPORT,
)  # fmt: skip # one thing a line
def command(form: str, older_s: float | None, *, only_path: bool, yes: bool) -> int:
    """List captures, newest first: age, size, time span, deliveries, sessions and types.

    --prune lists the captures to remove and asks for confirmation; outside a terminal it needs
    --yes. Captures in use are kept. Deliveries of a removed capture that were not forwarded yet
    are removed too.
    """
    import sys

    from vmon.analysis.captures import kept
    from vmon.capture.folder import default_folder
    from vmon.errors import WrongUse
    from vmon.render.reports import captures as drawn

    folder = default_folder()
    if (yes and older_s is None) or (older_s is not None and (only_path or form != "auto")):
        raise WrongUse("--yes needs --prune, and --prune cannot be used with --path or --format")
    if only_path:
        click.echo(str(folder))
        return 0
    if older_s is not None:
        return prune(folder, older_s, yes=yes)
    found = kept(folder)
    if form == "json":
        sys.stdout.write(drawn.as_json([(one, list_captures(one)) for one in found], folder))
        return 0
    if not found:
        click.echo(f"no captures in {folder}", err=True)
    look = drawn.Drawn()
    for one in found:  # each as soon as it is counted
        sys.stdout.write(look.rows(one, list_captures(one)))
        sys.stdout.flush()
    return 0
