"""`vmon tunnel`: what a tunnel needs on this machine, and what one may have left there."""

from __future__ import annotations

import click

from vmon.commands.tunnel import install


@click.group("tunnel", short_help="Install the ngrok agent; stop stale agents.")
def command() -> None:
    """Manage tunnel agents. To open a tunnel, use vmon listen --tunnel."""


@command.command("install", short_help="Install the ngrok agent.")
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@click.option("--from", "source", metavar="URL", help="Download from this https URL instead.")
def install_(source: str | None, *, yes: bool) -> int:
    """Download the ngrok agent from ngrok and install it in pyngrok's folder.

    Shows URL and size, and asks for confirmation; outside a terminal it needs --yes. ngrok
    publishes no checksum: the download is protected by https only.
    """
    install(source, yes=yes)
    return 0


@command.command("status", short_help="Show the state of tunnel agents.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for scripts.")
def status(*, as_json: bool) -> int:
    """Show installed agents, where the authtoken is stored, and stale agents."""
    from vmon.doctor.results import DoctorOptions
    from vmon.doctor.runner import examine, tunnel_checks
    from vmon.render.reports import doctor as drawn
    from vmon.state import state_dir

    results = list(examine(tunnel_checks(DoctorOptions(state_dir=state_dir()))))
    look = drawn.Drawn()
    lines = "".join(look.line(result) for result in results)
    click.echo(drawn.as_json(results) if as_json else lines, nl=False)
    return 0


@command.command("leftovers", short_help="List or stop stale agents.")
@click.option("--stop", "ending", is_flag=True, help="Stop the listed agents.")
def leftovers_(*, ending: bool) -> int:
    """List stale tunnel agents: still running after their vmon was killed.

    Agents are identified by process ID, start time and command line, so no other program is
    stopped, nor the agent of a running vmon.
    """
    from vmon.errors import TimedOut
    from vmon.state import state_dir
    from vmon.tunnel.orphans import end, is_alive, leftovers

    found = leftovers(state_dir())
    if not found:
        click.echo("no stale agents")
    for one in found:
        click.echo(f"{one.provider}  pid {one.pid}")
    if not ending:
        return 0
    import asyncio

    for one in found:
        asyncio.run(end(one))
    if alive := [str(one.pid) for one in found if is_alive(one)]:
        pids = " ".join(alive)
        raise TimedOut(f"still running: pid {pids}", hint=f"run kill -9 {pids}")
    if found:
        click.echo("stopped", err=True)
    return 0
