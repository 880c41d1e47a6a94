"""The private folder of each running agent, and stale agents, whose vmon is gone.

A folder `tunnel-XXXXXXXX` (0700) in the state folder holds `agent.json`, the record of its owner
and agent, and the engine's files. Closing a tunnel removes it; a vmon that was killed cannot,
and the next one finds its agent by the record. Agents are never found by a process's name.
"""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals

import msgspec
from msgspec import Struct

from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.processes import END, GRACE_S, KILL, KILL_S, process_info, send

RECORD = "agent.json"
TICK_S = 0.02


class Record(Struct, frozen=True):
    """Owner (vmon) and agent: PIDs, start times in the system's unit, end of the command line."""

    provider: str
    host: str
    owner: int
    owner_started: str
    pid: int | None = None
    started: str = ""
    ending: str = ""


class Leftover(Struct, frozen=True):
    """A stale agent: its vmon is gone."""

    provider: str
    pid: int
    folder: Path
    started: str
    ending: str


def claim_folder(state_dir: Path, provider: str) -> Path:
    """Create the private folder of an agent that is about to start; CannotTunnel if impossible."""
    own = process_info(os.getpid())
    record = Record(provider, platform.node(), os.getpid(), own.started if own else "")
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="tunnel-", dir=state_dir))
        _write(folder, record)
    except OSError as error:
        raise CannotTunnel(
            f"cannot write to {state_dir}: {error.strerror or error}",
            code="STATE_DIR",
            fatal=True,
        ) from None
    return folder


def record_agent(folder: Path, pid: int, ending: Sequence[str]) -> None:
    """Record the process of the agent; `ending` are the last words of its command line."""
    record, agent = _read(folder), process_info(pid)
    if record and agent:
        words = " ".join(ending)
        updated = msgspec.structs.replace(record, pid=pid, started=agent.started, ending=words)
        with suppress(OSError):  # the tunnel works without it
            _write(folder, updated)


def release_folder(folder: Path) -> None:
    """Remove the folder of an agent that is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(state_dir: Path) -> list[Leftover]:
    """List the stale agents; the folders of dead ones are removed."""
    if sys.platform == "win32":  # start times are not available there
        return []
    candidates = (_leftover(folder) for folder in sorted(state_dir.glob("tunnel-*")))
    return [leftover for leftover in candidates if leftover]


def _leftover(folder: Path) -> Leftover | None:
    record = _read(folder)
    if record is None or record.host != platform.node() or _owner_lives(record):
        return None
    if record.pid is not None:
        left = Leftover(record.provider, record.pid, folder, record.started, record.ending)
        if is_alive(left):
            return left
    release_folder(folder)
    return None


def is_alive(leftover: Leftover) -> bool:
    """Whether this agent is still running, and not another process with its PID."""
    process = process_info(leftover.pid)
    if process is None or process.started != leftover.started:
        return False
    return process.command.endswith(leftover.ending)


async def end(leftover: Leftover) -> None:
    """Stop a stale agent, by SIGTERM, then SIGKILL, and remove its folder; takes up to 4 s."""
    await _signal(leftover, END, GRACE_S)
    await _signal(leftover, KILL, KILL_S)
    if not is_alive(leftover):
        release_folder(leftover.folder)


async def _signal(leftover: Leftover, number: Signals, timeout_s: float) -> None:
    if not is_alive(leftover):
        return
    send(leftover.pid, number)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while is_alive(leftover) and loop.time() < deadline:  # noqa: ASYNC110 - no child of ours, so
        await asyncio.sleep(TICK_S)  # nobody tells when it ends


def _owner_lives(record: Record) -> bool:
    process = process_info(record.owner)
    return process is not None and process.started == record.owner_started


def _read(folder: Path) -> Record | None:
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(folder: Path, record: Record) -> None:
    temporary = folder / f"{RECORD}.new"
    temporary.write_bytes(msgspec.json.encode(record))
    temporary.replace(folder / RECORD)
