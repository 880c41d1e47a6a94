"""The private folder of each running agent, and the agents that outlived the vmon they served.

A folder `tunnel-XXXXXXXX` (0700) in the state folder holds `agent.json`, the record that says
whose it is, and whatever the engine needs. Who closes a tunnel removes it; a vmon that was
killed cannot, and the next one reads there which agent was its own. Never by a process's name.
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
    """Who runs which agent: pids, their start instants as the system counts, the command's end."""

    provider: str
    host: str
    owner: int
    owner_started: str
    pid: int | None = None
    started: str = ""
    ending: str = ""


class Leftover(Struct, frozen=True):
    """An agent of a vmon that is gone."""

    provider: str
    pid: int
    folder: Path
    started: str
    ending: str


def claim_folder(state_dir: Path, provider: str) -> Path:
    """Make the private folder of an agent that is about to start; CannotTunnel if impossible."""
    us = process_info(os.getpid())
    record = Record(provider, platform.node(), os.getpid(), us.started if us else "")
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
    """Write down which process the agent is; `ending`: the last words of its command line."""
    record, agent = _read(folder), process_info(pid)
    if record and agent:
        words = " ".join(ending)
        noted = msgspec.structs.replace(record, pid=pid, started=agent.started, ending=words)
        with suppress(OSError):  # a full disk is no reason to go without the tunnel
            _write(folder, noted)


def release_folder(folder: Path) -> None:
    """Remove the folder of an agent that is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(state_dir: Path) -> list[Leftover]:
    """The agents still alive whose vmon is not; folders that nobody uses any more are removed."""
    if sys.platform == "win32":  # nothing there tells when a process started
        return []
    found = (_leftover(folder) for folder in sorted(state_dir.glob("tunnel-*")))
    return [leftover for leftover in found if leftover]


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
    """Whether that very agent still runs, and not another process under its pid."""
    seen = process_info(leftover.pid)
    if seen is None or seen.started != leftover.started:
        return False
    return seen.command.endswith(leftover.ending)


async def end(leftover: Leftover) -> None:
    """End a leftover agent, kindly and then not, and remove its folder; takes up to 4 s."""
    await _signal(leftover, END, GRACE_S)
    await _signal(leftover, KILL, KILL_S)
    if not is_alive(leftover):
        release_folder(leftover.folder)


async def _signal(leftover: Leftover, number: Signals, timeout_s: float) -> None:
    if not is_alive(leftover):
        return
    send(leftover.pid, number)
    loop = asyncio.get_running_loop()
    late = loop.time() + timeout_s
    while is_alive(leftover) and loop.time() < late:  # noqa: ASYNC110 - no child of ours, so
        await asyncio.sleep(TICK_S)  # nobody tells when it ends


def _owner_lives(record: Record) -> bool:
    seen = process_info(record.owner)
    return seen is not None and seen.started == record.owner_started


def _read(folder: Path) -> Record | None:
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(folder: Path, record: Record) -> None:
    fresh = folder / f"{RECORD}.new"
    fresh.write_bytes(msgspec.json.encode(record))
    fresh.replace(folder / RECORD)
