"""What an ngrok agent needs on disk: a token, a configuration of vmon's own, a launcher.

All of it lies in the agent's private folder (0700): the token must be in no command line, and
the user's own ngrok.yml holds settings that pyngrok refuses or trips over.
"""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmon.tunnel.model import CannotTunnel, TunnelOptions
from vmon.tunnel.processes import parent_death_command

CONFIG = "ngrok.yml"
LAUNCHER = "ngrok-of-vmon"
STDERR = "stderr"
USER_SETTINGS = ("proxy_url", "connect_cas", "connect_url")


def user_config() -> Mapping[str, Any]:
    """What the user's ngrok.yml says, {} without one; version 2 and 3 alike, keys of `agent`."""
    from pyngrok import installer

    path = Path(installer.get_default_ngrok_dir()) / CONFIG
    if not path.is_file():
        return {}
    try:
        said = installer.get_ngrok_config(str(path), use_cache=False)
        settings = {**said, **(said.get("agent") or {})}
    except Exception as error:  # pyngrok lets out whatever the file or its YAML makes it raise
        raise CannotTunnel(
            f"{path} is not a valid ngrok configuration",
            code="CONFIG",
            hint="fix it, or move it away and set NGROK_AUTHTOKEN",
            fatal=True,
        ) from error
    return settings


def find_authtoken(given: str | None = None) -> str | None:
    """The given token, else NGROK_AUTHTOKEN's, else the one in the user's ngrok.yml."""
    for token in (given, os.environ.get("NGROK_AUTHTOKEN")):
        if token and token.strip():
            return token.strip()
    token = user_config().get("authtoken")
    return str(token).strip() if token else None


def write_config(folder: Path, token: str, options: TunnelOptions) -> Path:
    """Write the agent's configuration (0600); JSON, which is YAML too."""
    agent: dict[str, Any] = {
        "authtoken": token,
        "remote_management": False,
        "update_check": False,
        **_user_settings(options),
    }
    if not options.inspect:
        agent["inspect_db_size"] = -1
    return _write(folder / CONFIG, json.dumps({"version": 3, "agent": agent}, indent=1), 0o600)


def _user_settings(options: TunnelOptions) -> dict[str, Any]:
    try:
        said = user_config()
    except CannotTunnel:  # with a token from elsewhere, a broken ngrok.yml is not needed
        if not (options.authtoken or os.environ.get("NGROK_AUTHTOKEN")):
            raise
        return {}
    return {name: said[name] for name in USER_SETTINGS if said.get(name)}


def write_launcher(folder: Path, agent: Path) -> Path:
    """Write the script through which pyngrok runs the agent; on Windows it is the agent itself.

    The script keeps the agent's stderr off the screen, binds it to us, and is a path of its own:
    pyngrok knows its processes by path, and a second one with the same would get the first.
    """
    if sys.platform == "win32":
        return agent
    command = shlex.join([*parent_death_command(), str(agent)])
    stderr = shlex.quote(str(folder / STDERR))
    script = f'#!/bin/sh\nunset NGROK_AUTHTOKEN\nexec {command} "$@" 2>>{stderr}\n'
    return _write(folder / LAUNCHER, script, 0o700)


def read_stderr(folder: Path) -> str:
    """What the agent said on stderr, "" if nothing."""
    try:
        return (folder / STDERR).read_text(errors="replace").strip()
    except OSError:
        return ""


def _write(path: Path, text: str, mode: int) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path
