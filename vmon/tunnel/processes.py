"""Processes of the system: identify them, signal them, have them end with vmon."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from msgspec import Struct

GRACE_S = 2.0
"""Time for an agent to close its session after SIGTERM."""
KILL_S = 2.0
"""Time for the system to end a process after SIGKILL."""
QUERY_TIMEOUT_S = 2.0

END = signal.SIGTERM
KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)
"""On Windows SIGTERM is the only one, and cannot be ignored."""


class ProcessInfo(Struct, frozen=True):
    """A running process: its start time in the system's unit, and its command line."""

    started: str
    command: str


def process_info(pid: int) -> ProcessInfo | None:
    """The process with a PID; None if there is none, it is a zombie, or the system does not say."""
    return _proc_info(pid) if Path("/proc/self/stat").exists() else ps_info(pid)


def _proc_info(pid: int) -> ProcessInfo | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may contain spaces and brackets
    if fields[0] in "ZX":
        return None
    return ProcessInfo(started=fields[19], command=command.rstrip("\0").replace("\0", " "))


def ps_info(pid: int) -> ProcessInfo | None:
    """Like `process_info`, by ps, for systems without /proc."""
    command = ["ps", "-ww", "-o", "stat=", "-o", "lstart=", "-o", "command=", "-p", str(pid)]
    try:
        result = subprocess.run(  # noqa: S603 - fixed arguments and a number
            command,
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, *words = result.stdout.split() or ["Z"]
    if state.startswith("Z"):
        return None
    return ProcessInfo(started=" ".join(words[:5]), command=" ".join(words[5:]))


@cache
def parent_death_command() -> tuple[str, ...]:
    """The prefix of a command that makes it end when vmon ends; () if not supported.

    The signal is sent when the *thread* that started the command ends: keep that thread.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "TERM")
    with suppress(OSError, subprocess.TimeoutExpired):
        result = subprocess.run(  # noqa: S603 - busybox has a setpriv without this option
            [*prefix, "true"], capture_output=True, timeout=QUERY_TIMEOUT_S, check=False
        )
        if result.returncode == 0:
            return prefix
    return ()


def send(pid: int, number: signal.Signals) -> None:
    """Signal the process and the children in its session; nothing if it is gone."""
    with suppress(OSError):
        getattr(os, "killpg", os.kill)(pid, number)
