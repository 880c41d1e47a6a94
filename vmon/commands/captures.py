"""`vmon captures`: lists captures, and removes old ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vmon.cli.options import can_ask

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.analysis.captures import Gone, Held, Kept


def list_captures(one: Kept) -> Held | None:
    """Show the captures that are kept."""
    from vmon.analysis.captures import held
    from vmon.errors import VmonError

    try:
        return held(one.path)
    except VmonError as error:
        click.echo(f"warning: {error.message}", err=True)
        return None


def prune(folder: Path, older_s: float, *, yes: bool) -> int:
    """Remove old captures, after a question where somebody is there."""
    from vmon.analysis.captures import old
    from vmon.errors import Refused, WrongUse
    from vmon.humanize import count, size
    from vmon.render.reports.captures import going

    found = old(folder, older_s)
    if not found:
        click.echo("nothing to remove: no unused capture is that old", err=True)
        return 0
    for gone in found:
        click.echo(going(gone))
    what = f"{count(len(found), 'capture')}, {size(sum(gone.capture.size for gone in found))}"
    if not yes and not can_ask():
        raise WrongUse("nothing removed: cannot ask for confirmation here", hint="add --yes")
    if not yes and not click.confirm(f"Remove {what}?", err=True):
        raise Refused("nothing removed")
    return _removed(found)


def _removed(found: list[Gone]) -> int:
    from vmon.analysis.captures import remove
    from vmon.humanize import count

    gone = 0
    for one in found:
        if remove(one):
            gone += 1
        else:
            click.echo(f"warning: {one.capture.path} is in use: not removed", err=True)
    click.echo(f"removed {count(gone, 'capture')}", err=True)
    return 0
