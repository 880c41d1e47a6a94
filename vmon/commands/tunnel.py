"""`vmon tunnel`: install the ngrok agent, show the state of agents, stop stale ones."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from vmon.commands.confirmation import Ask, confirm
from vmon.stderr import say

if TYPE_CHECKING:
    from pathlib import Path


def install(source: str | None = None, *, yes: bool, ask: Ask | None) -> None:
    """Install the ngrok agent after confirmation; Refused or WrongUse without it."""
    from vmon.render.live.bar import plan_of, shown
    from vmon.tunnel.ngrok import install as installing

    plan = installing.install_plan(source)
    sys.stderr.write(f"{plan_of(plan)}\n")
    if not yes:
        confirm(
            "Download and install it?", ask,
            otherwise="nothing installed", hint="run vmon tunnel install --yes",
        )  # fmt: skip # an argument per line
    with shown(plan.size) as progress:
        path = installing.install(plan, progress)
    sys.stderr.write(f"{_installed(path)}\n")


def _installed(path: Path) -> str:
    """Describe the installed agent; CannotTunnel if it cannot be used."""
    from vmon.tunnel.ngrok.locate import find_agent
    from vmon.tunnel.ngrok.tunnel import check_version

    agent = find_agent()
    if agent != path:
        return f"installed {path}, but {agent} comes first and is used instead"
    major, minor = asyncio.run(asyncio.wait_for(check_version(agent), 10))
    return f"installed {path}, version {major}.{minor}"


def provide_agent(binary: Path | None, *, yes: bool, ask: Ask | None) -> None:
    """Make sure that there is an ngrok agent, or install one; CannotTunnel if not possible."""
    from vmon.tunnel.model import CannotTunnel
    from vmon.tunnel.ngrok.locate import find_agent

    try:
        find_agent(binary)
    except CannotTunnel:
        if binary or not (yes or ask):
            raise
        install(yes=yes, ask=ask)


def status(*, as_json: bool) -> int:
    """Print what is installed, where the authtoken is stored, and stale agents."""
    from vmon.doctor.results import DoctorOptions
    from vmon.doctor.runner import examine, tunnel_checks
    from vmon.render.reports import doctor as report
    from vmon.state import state_dir

    results = list(examine(tunnel_checks(DoctorOptions(state_dir=state_dir()))))
    line = report.DoctorReport().line
    sys.stdout.write(report.as_json(results) if as_json else "".join(map(line, results)))
    return 0


def list_leftovers(*, stop: bool) -> int:
    """List stale agents, and stop them with `stop`; TimedOut if one keeps running."""
    from vmon.errors import TimedOut
    from vmon.state import state_dir
    from vmon.tunnel.orphans import end, is_alive, leftovers

    agents = leftovers(state_dir())
    lines = [f"{agent.provider}  pid {agent.pid}\n" for agent in agents]
    sys.stdout.writelines(lines or ["no stale agents\n"])
    sys.stdout.flush()
    if not (stop and agents):
        return 0
    for agent in agents:
        asyncio.run(end(agent))
    if alive := [str(agent.pid) for agent in agents if is_alive(agent)]:
        pids = " ".join(alive)
        raise TimedOut(f"still running: pid {pids}", hint=f"run kill -9 {pids}")
    sys.stderr.write("stopped\n")
    return 0


def offer_to_stop_leftovers(*, yes: bool, ask: Ask | None) -> None:
    """Offer to stop stale agents, left by a vmon that was killed: they hold the URL."""
    from vmon.state import state_dir
    from vmon.tunnel.orphans import end, leftovers

    for agent in leftovers(state_dir()):
        what = f"a stale {agent.provider} agent is still running (pid {agent.pid})"
        if yes or (ask and ask(f"{what}. Stop it?", True)):
            asyncio.run(end(agent))
        else:
            say(f"warning: {what}; stop it with vmon tunnel leftovers --stop")
