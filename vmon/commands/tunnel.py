"""`vmon tunnel`: installs the ngrok agent."""

from __future__ import annotations

import click

from vmon.cli.options import can_ask


def install(source: str | None = None, *, yes: bool) -> None:
    """Install the ngrok agent after asking; Refused or WrongUse when that is not agreed to."""
    from vmon.errors import Refused, WrongUse
    from vmon.render.live.bar import plan_of, shown
    from vmon.tunnel.ngrok import install as installing

    plan = installing.install_plan(source)
    click.echo(plan_of(plan), err=True)
    if not yes and not can_ask():
        raise WrongUse(
            "nothing installed: cannot ask for confirmation here",
            hint="run vmon tunnel install --yes",
        )
    if not yes and not click.confirm("Download and install it?", err=True):
        raise Refused("nothing installed")
    with shown(plan.size) as progress:
        path = installing.install(plan, progress)
    click.echo(_installed(path), err=True)


def _installed(path: object) -> str:
    """What is there now; CannotTunnel where it is no agent that can be used."""
    import asyncio

    from vmon.tunnel.ngrok.locate import find_agent
    from vmon.tunnel.ngrok.tunnel import check_version

    found = find_agent()
    if found != path:
        return f"installed {path}, but {found} comes first and is used instead"
    major, minor = asyncio.run(asyncio.wait_for(check_version(found), 10))
    return f"installed {path}, version {major}.{minor}"
