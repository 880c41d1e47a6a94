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

LOW_SPACE = 1_000_000_000


NO_SPACE = 10_000_000


MIN_PYTHON = (3, 11)


PACKAGES = ("aiohttp", "msgspec", "pyngrok")


OPTIONAL = {
    "uvloop": ("vmon is slower without uvloop", "uvloop"),
    "cel-expr-python": ("--where does not work without cel-expr-python", "'.[cel]'"),
    "ahocorasick-rs": ("vmon searches more slowly without ahocorasick-rs", "'.[fast]'"),
}
"""Optional packages: what does not work without each, and the argument for pip install."""


def python() -> Finding:
    """Check the version of Python."""
    text = f"{platform.python_implementation()} {platform.python_version()} on {_system()}"
    if sys.version_info < MIN_PYTHON:
        return Finding("fail", text, "Install Python 3.11 or newer.")
    return Finding("pass", text)


def _system() -> str:
    return f"{platform.system()} {platform.release()} ({platform.machine()})"


def packages() -> Finding:
    """Check the versions of vmon's dependencies."""
    versions = {name: _version(name) for name in (*PACKAGES, *OPTIONAL)}
    text = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
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
    """Check that the settings can be read."""
    if isinstance(options.settings, WrongUse):
        raise options.settings
    return Finding("pass", options.settings)


def port(host: str, number: int) -> Finding:
    """Check that `vmon listen` can listen on the port."""
    where = f"{host}:{number}"
    if number == 0:
        return Finding("pass", f"any free port of {host}")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as listener:
            if os.name == "posix":  # on Windows it would take over a port in use
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
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
    """Check that captures can be written: the folder's mode, and free disk space."""
    from vmon.capture.folder import default_folder

    path = folder or default_folder()
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    fix = "Make it writable, or choose another file with --capture."
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding("fail", f"cannot write to {existing}: {reason_of(error)}", fix)
    mode = stat.S_IMODE(existing.stat().st_mode)
    free = shutil.disk_usage(existing).free
    text = f"{path}, {size(free)} free"
    if existing not in {path, path.absolute()}:
        text += ", not created yet"
    elif os.name == "posix" and mode & 0o022:
        text += f", mode {mode:04o}"
        return Finding(
            "warn", text, f"Other users can change captures there; run: chmod go-w {path}"
        )
    if free < LOW_SPACE:
        verdict: Verdict = "fail" if free < NO_SPACE else "warn"
        return Finding(verdict, text, "Free some disk space: a capture grows with every delivery.")
    return Finding("pass", text)
