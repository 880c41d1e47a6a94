"""`vmon captures`: list the captures that are kept, and remove old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmon.cli.options import Duration, can_ask

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.captures import Gone, Held, Kept


@click.command("captures", short_help="List the captures that are kept; remove old ones.")
@click.option("--path", "only_path", is_flag=True, help="Print the folder they are in.")
@click.option(
    "--prune", "older_s", type=Duration(), metavar="AGE",
    help="Remove those not written to for so long: 30d. Asks first.",
)  # fmt: skip # one thing a line
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--format", "form", type=click.Choice(["auto", "text", "json"]), default="auto",
    show_default=True, help="auto and text: for people; json: one document for machines.",
)  # fmt: skip # one thing a line
def command(form: str, older_s: float | None, *, only_path: bool, yes: bool) -> int:
    """List the captures that are kept, newest first: age, size, span, deliveries, sessions, types.

    --prune says what it would remove, asks on a terminal, and wants --yes elsewhere. A capture
    that is in use stays; what forwarding still had to send of a removed one goes with it.
    """
    import sys

    from vmon.capture import default_folder
    from vmon.captures import kept
    from vmon.errors import WrongUse
    from vmon.render import captures as drawn

    folder = default_folder()
    if (yes and older_s is None) or (older_s is not None and (only_path or form != "auto")):
        raise WrongUse("--yes goes with --prune AGE, and --prune with nothing else")
    if only_path:
        click.echo(str(folder))
        return 0
    if older_s is not None:
        return _prune(folder, older_s, yes=yes)
    found = kept(folder)
    if form == "json":
        sys.stdout.write(drawn.as_json([(one, _held(one)) for one in found], folder))
        return 0
    if not found:
        click.echo(f"there is no capture in {folder} yet", err=True)
    look = drawn.Drawn()
    for one in found:  # each as soon as it is counted
        sys.stdout.write(look.rows(one, _held(one)))
        sys.stdout.flush()
    return 0


def _held(one: Kept) -> Held | None:
    from vmon.captures import held
    from vmon.errors import VmonError

    try:
        return held(one.path)
    except VmonError as error:
        click.echo(f"warning: {error.message}", err=True)
        return None


def _prune(folder: Path, older_s: float, *, yes: bool) -> int:

    from vmon.captures import old
    from vmon.errors import Refused, WrongUse
    from vmon.render.captures import going
    from vmon.text import count, size

    found = old(folder, older_s)
    if not found:
        click.echo("no capture is that old and not in use", err=True)
        return 0
    for gone in found:
        click.echo(going(gone))
    what = f"{count(len(found), 'capture')}, {size(sum(gone.capture.size for gone in found))}"
    if not yes and not can_ask():
        raise WrongUse("nothing was removed: there is nobody to ask", hint="add --yes to remove it")
    if not yes and not click.confirm(f"Remove {what}?", err=True):
        raise Refused("nothing was removed")
    return _removed(found)


def _removed(found: list[Gone]) -> int:
    from vmon.captures import remove
    from vmon.text import count

    gone = 0
    for one in found:
        if remove(one):
            gone += 1
        else:
            click.echo(f"warning: {one.capture.path} is in use now, and stays", err=True)
    click.echo(f"removed {count(gone, 'capture')}", err=True)
    return 0
