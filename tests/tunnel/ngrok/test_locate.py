from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.ngrok.locate import find_agent


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_given_agent_is_used_or_rejected_but_never_replaced(
    tmp_path: Path, fake_ngrok: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(fake_ngrok.parent))
    mine = program(tmp_path / "mine")
    assert find_agent(mine) == mine
    mine.chmod(0o644)
    for wrong in (mine, tmp_path / "absent", tmp_path):
        with pytest.raises(CannotTunnel, match="not an ngrok agent"):
            find_agent(wrong)


def test_the_environments_agent_goes_before_paths_and_that_before_the_installed_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = program(home / ".config" / "ngrok" / "ngrok")
    on_path = program(tmp_path / "b" / "ngrok")
    told = program(tmp_path / "told")
    monkeypatch.setenv("PATH", f"{tmp_path / 'absent'}{os.pathsep}{on_path.parent}")
    monkeypatch.setenv("PYNGROK_NGROK_PATH", str(told))
    assert find_agent() == told
    told.unlink()
    assert find_agent() == on_path
    on_path.unlink()
    assert find_agent() == installed
    installed.unlink()
    with pytest.raises(CannotTunnel) as failed:
        find_agent()
    assert (failed.value.code, failed.value.fatal) == ("NOT_FOUND", True)


def test_pyngroks_own_script_is_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    beside_python = Path(sys.executable).parent
    if not (beside_python / "ngrok").exists():
        pytest.skip("pyngrok's script is not installed beside this python")
    monkeypatch.setenv("PATH", str(beside_python))
    with pytest.raises(CannotTunnel):
        find_agent()
