"""`vmon tunnel`: what a tunnel needs on this machine, and what one may have left there."""

from __future__ import annotations

import click

from vmon.cli.options import can_ask


@click.group("tunnel", short_help="Install the ngrok agent; end what a crash left.")
def command() -> None:
    """Look after what tunnels need; the tunnel itself is vmon listen --tunnel."""


@command.command("install", short_help="Download the ngrok agent, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--from", "source", metavar="URL", help="Another place (https) to download from.")
def install_(source: str | None, *, yes: bool) -> int:
    """Download the ngrok agent from ngrok and put it where ngrok's own tools look for it.

    Says first what comes from where, and how big it is; asks on a terminal, and wants --yes
    elsewhere. ngrok publishes no checksum: what speaks for the file is https alone.
    """
    install(source, yes=yes)
    return 0


def install(source: str | None = None, *, yes: bool) -> None:
    """Install the ngrok agent after asking; Refused or WrongUse when that is not agreed to."""
    from vmon.errors import Refused, WrongUse
    from vmon.render.install import plan_of, shown
    from vmon.tunnel import install as installing

    plan = installing.install_plan(source)
    click.echo(plan_of(plan), err=True)
    if not yes and not can_ask():
        raise WrongUse(
            "nothing was installed: there is nobody to ask", hint="run: vmon tunnel install --yes"
        )
    if not yes and not click.confirm("Download and install it?", err=True):
        raise Refused("nothing was installed")
    with shown(plan.size) as progress:
        path = installing.install(plan, progress)
    click.echo(_installed(path), err=True)


def _installed(path: object) -> str:
    """What is there now; CannotTunnel where it is no agent that can be used."""
    import asyncio

    from vmon.tunnel.agent import find_agent
    from vmon.tunnel.ngrok import check_version

    found = find_agent()
    if found != path:
        return f"installed {path}; but {found} comes before it, and is the one vmon runs"
    major, minor = asyncio.run(asyncio.wait_for(check_version(found), 10))
    return f"installed {path}, version {major}.{minor}"


@command.command("status", short_help="Show what there is for tunnels.")
@click.option("--json", "as_json", is_flag=True, help="One document for machines.")
def status(*, as_json: bool) -> int:
    """Show what there is: agents, a token (where, never what), what an earlier crash left."""
    from vmon.doctor import Asked, examine, tunnel_checks
    from vmon.render import doctor as drawn
    from vmon.tunnel.place import state_dir

    results = list(examine(tunnel_checks(Asked(state_dir=state_dir()))))
    look = drawn.Drawn()
    lines = "".join(look.line(result) for result in results)
    click.echo(drawn.as_json(results) if as_json else lines, nl=False)
    return 0


@command.command("leftovers", short_help="List, or end, what a killed vmon left.")
@click.option("--end", "ending", is_flag=True, help="End them.")
def leftovers_(*, ending: bool) -> int:
    """List the agents that outlived the vmon they served, after a kill -9; --end ends them.

    An agent is known by its process id, its start and its command line, which vmon wrote down
    when it began: another program is never touched, nor the agent of a vmon that runs.
    """
    from vmon.errors import TimedOut
    from vmon.tunnel.leftover import end, is_alive, leftovers
    from vmon.tunnel.place import state_dir

    found = leftovers(state_dir())
    if not found:
        click.echo("none: no agent of an earlier vmon is running")
    for one in found:
        click.echo(f"{one.provider}  pid {one.pid}")
    if not ending:
        return 0
    import asyncio

    for one in found:
        asyncio.run(end(one))
    if alive := [str(one.pid) for one in found if is_alive(one)]:
        pids = " ".join(alive)
        raise TimedOut(f"still running: pid {pids}", hint=f"run: kill -9 {pids}")
    if found:
        click.echo("ended", err=True)
    return 0
