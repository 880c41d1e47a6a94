from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from vmon.tunnel import orphans
from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.orphans import (
    Record,
    claim_folder,
    end,
    is_alive,
    leftovers,
    record_agent,
    release_folder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STUBBORN = "import signal,time;signal.signal(15,signal.SIG_IGN);print(flush=True);time.sleep(60)"
WILLING = "import time;print(flush=True);time.sleep(60)"
"""Each lives until it is ended."""

ENDING = ("--config", "/private/ngrok.yml")


@pytest.fixture
def agent() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A process in a session of its own, as agents are."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str = WILLING) -> subprocess.Popen[bytes]:
        made = subprocess.Popen(
            [sys.executable, "-c", program, *ENDING],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(made)
        assert made.stdout
        made.stdout.readline()
        return made

    yield start
    for process in started:
        process.kill()
        process.communicate()


def orphan(state_dir: Path, pid: int) -> Path:
    """Make the folder that a killed vmon would have left of this agent."""
    folder = claim_folder(state_dir, "ngrok")
    record_agent(folder, pid, ENDING)
    rewrite(folder, owner=2**22 + 1)
    return folder


def rewrite(folder: Path, **changed: object) -> None:
    path = folder / orphans.RECORD
    record = msgspec.json.decode(path.read_bytes(), type=Record)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changed)))


@pytest.mark.parametrize("program", [WILLING, STUBBORN], ids=["willing", "stubborn"])
async def test_the_agent_of_a_vmon_that_is_gone_is_found_and_stopped(
    state_dir: Path,
    agent: Callable[..., subprocess.Popen[bytes]],
    program: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orphans, "GRACE_S", 0.2)
    process = agent(program)
    folder = orphan(state_dir, process.pid)
    (found,) = leftovers(state_dir)
    assert (found.provider, found.pid, found.folder) == ("ngrok", process.pid, folder)
    await end(found)
    assert process.wait(1) < 0
    assert not folder.exists()
    assert leftovers(state_dir) == []


async def test_the_agent_of_a_vmon_that_runs_is_none(
    state_dir: Path, agent: Callable[..., subprocess.Popen[bytes]]
) -> None:
    folder = claim_folder(state_dir, "ngrok")
    record_agent(folder, agent().pid, ENDING)
    assert leftovers(state_dir) == []
    assert folder.exists()
    rewrite(folder, owner_started="long ago")
    assert len(leftovers(state_dir)) == 1


@pytest.mark.parametrize("changed", [{"started": "another time"}, {"ending": "--config other"}])
async def test_another_process_under_the_same_pid_is_none(
    state_dir: Path,
    agent: Callable[..., subprocess.Popen[bytes]],
    changed: dict[str, str],
) -> None:
    process = agent()
    folder = orphan(state_dir, process.pid)
    (found,) = leftovers(state_dir)
    rewrite(folder, **changed)
    assert leftovers(state_dir) == []
    assert not folder.exists()
    await end(msgspec.structs.replace(found, **changed))
    assert process.poll() is None


def test_what_a_dead_agent_left_is_removed(
    state_dir: Path, agent: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = agent()
    folder = orphan(state_dir, process.pid)
    (folder / "ngrok.yml").write_text("a token")
    process.kill()
    process.wait()
    assert leftovers(state_dir) == []
    assert not folder.exists()


def test_folders_that_are_not_ours_to_judge_stay(state_dir: Path) -> None:
    of_another_machine = claim_folder(state_dir, "ngrok")
    rewrite(of_another_machine, host="elsewhere", owner=2**22 + 1)
    unreadable = claim_folder(state_dir, "ngrok")
    (unreadable / orphans.RECORD).write_text("{")
    (state_dir / "other").mkdir()
    assert leftovers(state_dir) == []
    assert len(list(state_dir.iterdir())) == 3


def test_a_state_folder_that_does_not_exist_has_none(state_dir: Path) -> None:
    assert leftovers(state_dir) == []


def test_a_state_folder_that_cannot_be_created_is_an_error(state_dir: Path) -> None:
    state_dir.write_text("a file")
    with pytest.raises(CannotTunnel) as failed:
        claim_folder(state_dir, "ngrok")
    assert (failed.value.code, failed.value.fatal) == ("STATE_DIR", True)


def test_an_agent_that_is_gone_already_is_not_written_down(
    state_dir: Path, agent: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = agent()
    process.kill()
    process.wait()
    folder = claim_folder(state_dir, "ssh")
    record_agent(folder, process.pid, ENDING)
    record = msgspec.json.decode((folder / orphans.RECORD).read_bytes(), type=Record)
    assert (record.owner, record.pid) == (os.getpid(), None)
    release_folder(folder)
    release_folder(folder)
    assert not folder.exists()


def test_a_zombie_is_not_alive(
    state_dir: Path, agent: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = agent()
    orphan(state_dir, process.pid)
    (found,) = leftovers(state_dir)
    assert is_alive(found)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(found)
