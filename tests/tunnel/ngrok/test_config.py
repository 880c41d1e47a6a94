from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.model import CannotTunnel, TunnelOptions
from vmon.tunnel.ngrok import config

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def user_file(home: Path) -> Path:
    path = home / ".config" / "ngrok" / "ngrok.yml"
    path.parent.mkdir(parents=True)
    return path


def options(tmp_path: Path) -> TunnelOptions:
    return TunnelOptions(local_url="http://127.0.0.1:1", state_dir=tmp_path)


def test_a_given_token_goes_before_the_environments_and_that_before_the_files(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config.find_authtoken() is None
    user_file.write_text("version: 3\nagent:\n  authtoken: of-file\n")
    assert config.find_authtoken() == "of-file"
    monkeypatch.setenv("NGROK_AUTHTOKEN", " of-environment\n")
    assert config.find_authtoken() == "of-environment"
    assert config.find_authtoken("given") == "given"


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("version: '2'\nauthtoken: two\n", "two"),
        ("version: 3\nagent:\n", None),
        ("", None),
        ("version: 3\n", None),
    ],
)
def test_the_users_file_may_be_of_any_version(
    user_file: Path, text: str, token: str | None
) -> None:
    user_file.write_text(text)
    assert config.find_authtoken() == token


@pytest.mark.parametrize("text", ["a: [", "just words", "agent: 3"])
def test_a_users_file_that_cannot_be_read_is_an_error_where_it_is_needed(
    user_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    user_file.write_text(text)
    with pytest.raises(CannotTunnel) as failed:
        config.find_authtoken()
    assert (failed.value.code, failed.value.fatal) == ("CONFIG", True)
    monkeypatch.setenv("NGROK_AUTHTOKEN", "t")
    assert config.find_authtoken() == "t"
    assert config.write_config(tmp_path, "t", options(tmp_path)).exists()


def test_the_way_to_ngrok_is_kept_from_the_users_file_and_nothing_else(
    user_file: Path, tmp_path: Path
) -> None:
    user_file.write_text(
        "version: 3\nagent:\n  proxy_url: http://proxy:3128\n  web_addr: false\n"
        "  log_format: json\n  authtoken: x\n"
    )
    written = config.write_config(tmp_path, "t", options(tmp_path))
    assert json.loads(written.read_text())["agent"] == {
        "authtoken": "t",
        "inspect_db_size": -1,
        "proxy_url": "http://proxy:3128",
        "remote_management": False,
        "update_check": False,
    }


def test_the_launcher_bears_any_path_and_keeps_stderr_and_the_environments_token_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a 'quoted' $HOME folder"
    folder.mkdir()
    agent = folder / "an agent"
    agent.write_text('#!/bin/sh\necho "[$NGROK_AUTHTOKEN]" "$@"\necho loud >&2\n')
    agent.chmod(0o755)
    monkeypatch.setenv("NGROK_AUTHTOKEN", "secret")
    launcher = config.write_launcher(folder, agent)
    ran = subprocess.run([launcher, "a b", "c"], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("[] a b c\n", "")
    assert config.read_stderr(folder) == "loud"
    assert config.read_stderr(tmp_path) == ""
