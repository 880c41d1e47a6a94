"""Checks of what a tunnel needs."""

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
    """Whether there is an ngrok agent, and new enough."""
    try:
        found = find_agent(options.ngrok)
        major, minor = asyncio.run(asyncio.wait_for(check_version(found), CONNECT_S))
    except TimeoutError:
        return _unless_used(options, "ngrok", f"cannot get the version of {found}", INSTALL)
    except VmonError as error:
        return _unless_used(options, "ngrok", error.message, error.hint)
    oldest = ".".join(map(str, MIN_AGENT_VERSION))
    return Finding("pass", f"{major}.{minor} at {found} ({oldest} or newer needed)")


def token(options: DoctorOptions) -> Finding:
    """Whether there is an ngrok authtoken, and where; never what it is."""
    if options.token:
        return Finding("pass", f"found in {options.token[1]}")
    if os.environ.get("NGROK_AUTHTOKEN", "").strip():
        return Finding("pass", "found in NGROK_AUTHTOKEN")
    file = install_path().parent / config.CONFIG
    try:
        found = config.user_config().get("authtoken")
    except VmonError as error:
        return _unless_used(options, "ngrok", error.message, error.hint)
    if found:
        return Finding("pass", f"found in {file}")
    fix = (
        "Set NGROK_AUTHTOKEN, or run: ngrok config add-authtoken TOKEN. "
        "Your token: https://dashboard.ngrok.com/get-started/your-authtoken"
    )
    return _unless_used(options, "ngrok", f"not found in NGROK_AUTHTOKEN or {file}", fix)


def program(options: DoctorOptions, name: str) -> Finding:
    """Whether a program is there that another tunnel needs."""
    found = shutil.which(name)
    if found:
        return Finding("pass", found)
    text = f"not installed (needed only for --tunnel {name})"
    if options.tunnel == name:
        return Finding("fail", f"{name} is not on PATH", f"Install {name}.")
    return Finding("skip", text)


def stale_agents(folder: Path | None) -> Finding:
    """Whether an agent outlived the vmon it served."""
    found = leftovers(folder) if folder else []
    if found:
        pids = ", ".join(f"{one.provider} (pid {one.pid})" for one in found)
        said = f"still running from an earlier vmon: {pids}"
        return Finding("warn", said, "Run: vmon tunnel leftovers --stop.")
    return Finding("pass", "no agent of an earlier vmon is running")


def _unless_used(options: DoctorOptions, name: str, text: str, fix: str | None) -> Finding:
    verdict: Verdict = "fail" if options.tunnel == name else "warn"
    return Finding(verdict, text, fix)
