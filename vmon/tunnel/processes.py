"""Processes as the system tells of them: who they are, how to end them, how to bind them to us."""

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
"""How long an agent may take to close its session after SIGTERM."""
KILL_S = 2.0
"""How long the system may take to end a process after SIGKILL."""
ASK_S = 2.0

END = signal.SIGTERM
KILL: signal.Signals = getattr(signal, "SIGKILL", signal.SIGTERM)
"""On Windows there is no other than SIGTERM, and there it cannot be refused."""


class ProcessInfo(Struct, frozen=True):
    """A living process: when it started, in the system's own unit, and its command line."""

    started: str
    command: str


def look(pid: int) -> ProcessInfo | None:
    """Who has this pid now; None for nobody, a zombie, or a system that does not say."""
    return _look_in_proc(pid) if Path("/proc/self/stat").exists() else look_with_ps(pid)


def _look_in_proc(pid: int) -> ProcessInfo | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    if fields[0] in "ZX":
        return None
    return ProcessInfo(started=fields[19], command=command.rstrip("\0").replace("\0", " "))


def look_with_ps(pid: int) -> ProcessInfo | None:
    """The same by ps, for systems without /proc."""
    asked = ["ps", "-ww", "-o", "stat=", "-o", "lstart=", "-o", "command=", "-p", str(pid)]
    try:
        said = subprocess.run(  # noqa: S603 - fixed arguments and a number
            asked,
            capture_output=True,
            text=True,
            timeout=ASK_S,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    state, *words = said.stdout.split() or ["Z"]
    if state.startswith("Z"):
        return None
    return ProcessInfo(started=" ".join(words[:5]), command=" ".join(words[5:]))


@cache
def bound_to_us() -> tuple[str, ...]:
    """What to put before a command so that it ends with us, whatever ends us; () if impossible.

    The signal comes when the *thread* that started the command ends: keep that thread.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    prefix = (setpriv, "--pdeathsig", "TERM")
    with suppress(OSError, subprocess.TimeoutExpired):
        tried = subprocess.run(  # noqa: S603 - busybox has a setpriv without this option
            [*prefix, "true"], capture_output=True, timeout=ASK_S, check=False
        )
        if tried.returncode == 0:
            return prefix
    return ()


def send(pid: int, number: signal.Signals) -> None:
    """Signal the process and the children in its session; nothing if it is gone."""
    with suppress(OSError):
        getattr(os, "killpg", os.kill)(pid, number)
