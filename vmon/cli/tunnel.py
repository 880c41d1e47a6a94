"""`vmon tunnel`: install tunnel agents, show their state, stop stale ones."""

from __future__ import annotations

import click

from vmon.cli.options import asker


@click.group("tunnel", short_help="Install the ngrok agent; stop stale agents.")
def command() -> None:
    """Manage tunnel agents. To open a tunnel, use vmon listen --tunnel."""


@command.command("install", short_help="Install the ngrok agent.")
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@click.option("--from", "source", metavar="URL", help="Download from this https URL instead.")
def install(source: str | None, *, yes: bool) -> int:
    """Download the ngrok agent from ngrok and install it in pyngrok's folder.

    Shows URL and size, and asks for confirmation; outside a terminal it needs --yes. ngrok
    publishes no checksum: the download is protected by https only.
    """
    from vmon.commands import tunnel

    tunnel.install(source, yes=yes, ask=asker())
    return 0


@command.command("status", short_help="Show the state of tunnel agents.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document for scripts.")
def status(*, as_json: bool) -> int:
    """Show installed agents, where the authtoken is stored, and stale agents."""
    from vmon.commands import tunnel

    return tunnel.status(as_json=as_json)


@command.command("leftovers", short_help="List or stop stale agents.")
@click.option("--stop", is_flag=True, help="Stop the listed agents.")
def leftovers(*, stop: bool) -> int:
    """List stale tunnel agents: still running after their vmon was killed.

    Agents are identified by process ID, start time and command line, so no other program is
    stopped, nor the agent of a running vmon.
    """
    from vmon.commands import tunnel

    return tunnel.list_leftovers(stop=stop)
