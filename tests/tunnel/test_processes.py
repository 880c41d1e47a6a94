from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.processes import KILL, parent_death_command, process_info, ps_info, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tunnel.conftest import Until


ROOT = Path(__file__).parents[2]


def test_our_process_is_found_and_one_that_ended_is_not() -> None:
    us = process_info(os.getpid())
    assert us
    assert us == process_info(os.getpid())
    assert "pytest" in us.command
    assert process_info(2**22 + 1) is None


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps here")
def test_ps_sees_the_same() -> None:
    us = ps_info(os.getpid())
    assert us
    assert us == ps_info(os.getpid())
    assert us.command == (process_info(os.getpid()) or us).command
    assert us.started
    assert ps_info(2**22 + 1) is None


def test_without_ps_no_process_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ps_info(os.getpid()) is None


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps here")
def test_without_proc_we_are_seen_by_ps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert process_info(os.getpid()) == ps_info(os.getpid())


def test_without_proc_and_ps_nobody_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process_info(os.getpid()) is None


def test_without_process_groups_the_process_itself_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "killpg")
    with subprocess.Popen(["sleep", "60"]) as process:
        send(process.pid, KILL)
        assert process.wait(10) == -KILL


def test_without_sigkill_an_agent_is_ended_by_sigterm() -> None:
    code = (
        "import signal; del signal.SIGKILL\n"
        "from vmon.tunnel.processes import KILL; print(KILL is signal.SIGTERM)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=30, cwd=ROOT
    )
    assert done.stdout == b"True\n"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own that says its child's pid and waits for it."""
    command = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        yield process
        send(process.pid, signal.SIGKILL)


async def test_a_signal_reaches_the_children_too_and_the_gone_are_no_error(
    parent: subprocess.Popen[str], until: Until
) -> None:
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert process_info(child)
    send(parent.pid, signal.SIGKILL)
    parent.wait(5)
    send(parent.pid, signal.SIGKILL)
    await until(lambda: process_info(child) is None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_setpriv_that_does_not_know_the_option_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "setpriv"
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    parent_death_command.cache_clear()
    try:
        assert parent_death_command() == ()
        other.unlink()
        parent_death_command.cache_clear()
        assert parent_death_command() == ()
    finally:
        parent_death_command.cache_clear()
