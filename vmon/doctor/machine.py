"""Checks of this machine: Python, packages, settings, port, captures."""

from __future__ import annotations

import errno
import importlib.metadata
import os
import platform
import shutil
import socket
import stat
import sys
import tempfile
from typing import TYPE_CHECKING

from vmon import __version__
from vmon.doctor.network import reason_of
from vmon.doctor.results import DoctorOptions, Finding, Verdict
from vmon.errors import WrongUse
from vmon.humanize import size

if TYPE_CHECKING:
    from pathlib import Path

LITTLE_SPACE = 1_000_000_000


NO_SPACE = 10_000_000


OLDEST_PYTHON = (3, 11)


PACKAGES = ("aiohttp", "msgspec", "pyngrok")


OPTIONAL = {
    "uvloop": ("vmon is slower without uvloop", "uvloop"),
    "cel-expr-python": ("--where does not work without cel-expr-python", "'.[cel]'"),
    "ahocorasick-rs": ("vmon searches more slowly without ahocorasick-rs", "'.[fast]'"),
}
"""What vmon does without: what that costs, and what to tell pip to install."""


def python() -> Finding:
    """Which Python runs this."""
    text = f"{platform.python_implementation()} {platform.python_version()} on {_system()}"
    if sys.version_info < OLDEST_PYTHON:
        return Finding("fail", text, "Install Python 3.11 or newer.")
    return Finding("pass", text)


def _system() -> str:
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def packages() -> Finding:
    """Which versions there are of what vmon is made of."""
    versions = {name: _version(name) for name in (*PACKAGES, *OPTIONAL)}
    text = ", ".join(f"{name} {found or 'missing'}" for name, found in versions.items())
    text = f"vmon {__version__}, {text}"
    if any(versions[name] is None for name in PACKAGES):
        return Finding(
            "fail", text, "Install vmon again from its checkout: pip install --force-reinstall ."
        )
    missing = [one for name, one in OPTIONAL.items() if versions[name] is None]
    if sys.platform == "win32":  # there is no uvloop for it
        missing = [one for one in missing if one[1] != "uvloop"]
    if missing:
        why, what = (", ".join(one) for one in zip(*missing, strict=True))
        return Finding(
            "warn", text, f"{why}; in vmon's checkout: pip install {what.replace(',', '')}"
        )
    return Finding("pass", text)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def settings(options: DoctorOptions) -> Finding:
    """Whether the settings can be read, and where they are."""
    if isinstance(options.settings, WrongUse):
        raise options.settings
    return Finding("pass", options.settings)


def port(host: str, number: int) -> Finding:
    """Whether `vmon listen` could listen there."""
    where = f"{host}:{number}"
    if number == 0:
        return Finding("pass", f"any free port of {host}")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as one:
            if os.name == "posix":  # elsewhere it would take a port from who has it
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
    except (OSError, UnicodeError) as error:
        return _no_port(where, number, error)
    return Finding("pass", f"{where} is free")


def _no_port(where: str, number: int, error: Exception) -> Finding:
    if isinstance(error, PermissionError):
        return Finding("fail", f"permission denied for {where}", "Choose a port above 1023.")
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        who = f"ss -ltnp 'sport = :{number}'" if sys.platform == "linux" else f"lsof -i :{number}"
        fix = f"If that is not your vmon listen: find the program ({who}), or use another --port."
        return Finding("fail", f"{where} is already in use", fix)
    text = f"cannot listen on {where}: {reason_of(error)}"
    return Finding("fail", text, "--host must be an address of this machine, such as 127.0.0.1.")


def captures(folder: Path | None) -> Finding:
    """Whether captures can be written: the folder's mode, and the space there is."""
    from vmon.capture.folder import default_folder

    place = folder or default_folder()
    there = next(one for one in (place, *place.absolute().parents) if one.exists())
    fix = "Make it writable, or choose another file with --capture."
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return Finding("fail", f"cannot write to {there}: {reason_of(error)}", fix)
    mode = stat.S_IMODE(there.stat().st_mode)
    free = shutil.disk_usage(there).free
    text = f"{place}, {size(free)} free"
    if there != place.absolute() and there != place:
        text += ", not created yet"
    elif os.name == "posix" and mode & 0o022:
        text += f", mode {mode:04o}"
        return Finding(
            "warn", text, f"Other users can change captures there; run: chmod go-w {place}"
        )
    if free < LITTLE_SPACE:
        verdict: Verdict = "fail" if free < NO_SPACE else "warn"
        return Finding(verdict, text, "Free some disk space: a capture grows with every delivery.")
    return Finding("pass", text)
