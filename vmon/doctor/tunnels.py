"""Checks of tunnels: programs, authtoken, stale agents."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import TYPE_CHECKING

from vmon.doctor.results import CONNECT_S, DoctorOptions, Finding, Verdict
from vmon.errors import VmonError
from vmon.tunnel.ngrok import config
from vmon.tunnel.ngrok.locate import INSTALL, find_agent, install_path
from vmon.tunnel.ngrok.tunnel import MIN_AGENT_VERSION, check_version
from vmon.tunnel.orphans import leftovers

if TYPE_CHECKING:
    from pathlib import Path


def agent(options: DoctorOptions) -> Finding:
    """Check that there is an ngrok agent, and that it is new enough."""
    try:
        path = find_agent(options.ngrok)
        major, minor = asyncio.run(asyncio.wait_for(check_version(path), CONNECT_S))
    except TimeoutError:
        return _unless_used(options, "ngrok", f"cannot get the version of {path}", INSTALL)
    except VmonError as error:
        return _unless_used(options, "ngrok", error.message, error.hint)
    minimum = ".".join(map(str, MIN_AGENT_VERSION))
    return Finding("pass", f"{major}.{minor} at {path} ({minimum} or newer needed)")


def token(options: DoctorOptions) -> Finding:
    """Check that there is an ngrok authtoken, and where; it is never shown."""
    if options.token:
        return Finding("pass", f"found in {options.token[1]}")
    if os.environ.get("NGROK_AUTHTOKEN", "").strip():
        return Finding("pass", "found in NGROK_AUTHTOKEN")
    file = install_path().parent / config.CONFIG
    try:
        authtoken = config.user_config().get("authtoken")
    except VmonError as error:
        return _unless_used(options, "ngrok", error.message, error.hint)
    if authtoken:
        return Finding("pass", f"found in {file}")
    fix = (
        "Set NGROK_AUTHTOKEN, or run: ngrok config add-authtoken TOKEN. "
        "Your token: https://dashboard.ngrok.com/get-started/your-authtoken"
    )
    return _unless_used(options, "ngrok", f"not found in NGROK_AUTHTOKEN or {file}", fix)


def program(options: DoctorOptions, name: str) -> Finding:
    """Check that the program of a tunnel is on PATH."""
    path = shutil.which(name)
    if path:
        return Finding("pass", path)
    text = f"not installed (needed only for --tunnel {name})"
    if options.tunnel == name:
        return Finding("fail", f"{name} is not on PATH", f"Install {name}.")
    return Finding("skip", text)


def stale_agents(folder: Path | None) -> Finding:
    """Check for agents of an earlier vmon that are still running."""
    agents = leftovers(folder) if folder else []
    if agents:
        pids = ", ".join(f"{agent.provider} (pid {agent.pid})" for agent in agents)
        text = f"still running from an earlier vmon: {pids}"
        return Finding("warn", text, "Run: vmon tunnel leftovers --stop.")
    return Finding("pass", "no agent of an earlier vmon is running")


def _unless_used(options: DoctorOptions, name: str, text: str, fix: str | None) -> Finding:
    verdict: Verdict = "fail" if options.tunnel == name else "warn"
    return Finding(verdict, text, fix)
