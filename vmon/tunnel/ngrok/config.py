"""The files of an ngrok agent: its configuration with the token, and a launcher.

They are in the agent's private folder (0700): the token must not be in a command line, and
the user's own ngrok.yml may have settings that pyngrok cannot handle.
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
    """Read the user's ngrok.yml, {} without one; versions 2 and 3, with the keys of `agent`."""
    from pyngrok import installer

    path = Path(installer.get_default_ngrok_dir()) / CONFIG
    if not path.is_file():
        return {}
    try:
        document = installer.get_ngrok_config(str(path), use_cache=False)
        settings = {**document, **(document.get("agent") or {})}
    except Exception as error:  # pyngrok raises anything the file or the YAML parser does
        raise CannotTunnel(
            f"{path} is not a valid ngrok configuration",
            code="CONFIG",
            hint="fix it, or move it away and set NGROK_AUTHTOKEN",
            fatal=True,
        ) from error
    return settings


def find_authtoken(given: str | None = None) -> str | None:
    """Find the authtoken: the given one, else of NGROK_AUTHTOKEN, else of the user's ngrok.yml."""
    for token in (given, os.environ.get("NGROK_AUTHTOKEN")):
        if token and token.strip():
            return token.strip()
    token = user_config().get("authtoken")
    return str(token).strip() if token else None


def write_config(folder: Path, token: str, options: TunnelOptions) -> Path:
    """Write the agent's configuration (0600), as JSON, which is valid YAML."""
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
        settings = user_config()
    except CannotTunnel:  # with a token from elsewhere, a broken ngrok.yml is not needed
        if not (options.authtoken or os.environ.get("NGROK_AUTHTOKEN")):
            raise
        return {}
    return {name: settings[name] for name in USER_SETTINGS if settings.get(name)}


def write_launcher(folder: Path, agent: Path) -> Path:
    """Write the script through which pyngrok runs the agent; on Windows it is the agent itself.

    The script redirects the agent's stderr, makes the agent end with vmon, and has a unique path:
    pyngrok identifies processes by path, and a second one with the same path would get the first.
    """
    if sys.platform == "win32":
        return agent
    command = shlex.join([*parent_death_command(), str(agent)])
    stderr = shlex.quote(str(folder / STDERR))
    script = f'#!/bin/sh\nunset NGROK_AUTHTOKEN\nexec {command} "$@" 2>>{stderr}\n'
    return _write(folder / LAUNCHER, script, 0o700)


def read_stderr(folder: Path) -> str:
    """Read the agent's stderr, "" if it is empty."""
    try:
        return (folder / STDERR).read_text(errors="replace").strip()
    except OSError:
        return ""


def _write(path: Path, text: str, mode: int) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path
