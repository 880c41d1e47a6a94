"""What doctor finds of the ways to a public URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.checks import found, program, short
from vmon.doctor import tunnels
from vmon.doctor.results import DoctorOptions
from vmon.tunnel.ngrok.locate import install_path

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "2abcdefghijklmnopqrst_0123456789"


@pytest.mark.parametrize(("tunnel", "verdict"), [(None, "warn"), ("ngrok", "fail")])
def test_what_is_missing_fails_only_where_it_is_used(tunnel: str | None, verdict: str) -> None:
    agent = found("ngrok agent", DoctorOptions(tunnel=tunnel))
    assert short(agent) == (verdict, "the ngrok agent is not installed")
    assert "vmon tunnel install" in (agent.fix or "")
    token = found("ngrok token", DoctorOptions(tunnel=tunnel))
    assert token.verdict == verdict
    assert token.message.startswith("not found in NGROK_AUTHTOKEN or ")
    assert "NGROK_AUTHTOKEN" in (token.fix or "")


@pytest.mark.parametrize("name", ["cloudflared", "ssh"])
def test_other_programs_are_needed_by_their_own_tunnel_only(name: str, machine: Path) -> None:
    assert found(name, DoctorOptions()).verdict == "skip"
    assert found(name, DoctorOptions(tunnel=name)).verdict == "fail"
    path = program(machine, name, "")
    assert short(found(name, DoctorOptions())) == ("pass", str(path))


@pytest.mark.parametrize(
    ("says", "verdict", "said"),
    [
        ("echo ngrok version 3.39.1", "pass", "3.39 at "),
        ("echo ngrok version 3.1.0", "warn", "needs 3.30 or newer"),
        ("echo nothing", "warn", "is not an ngrok agent"),
        ("exit 1", "warn", "is not an ngrok agent"),
    ],
)
def test_the_version_of_the_agent_is_checked(
    says: str, verdict: str, said: str, machine: Path
) -> None:
    program(machine, "ngrok", says)
    result = found("ngrok agent", DoctorOptions())
    assert result.verdict == verdict
    assert said in result.message


def test_the_agent_that_was_chosen_is_the_one_that_counts(machine: Path, tmp_path: Path) -> None:
    program(machine, "ngrok", "echo ngrok version 3.39.1")
    other = program(tmp_path, "other", "echo ngrok version 3.31.0")
    assert short(found("ngrok agent", DoctorOptions(ngrok=other)))[1].startswith(f"3.31 at {other}")
    assert found("ngrok agent", DoctorOptions(ngrok=tmp_path / "none")).verdict == "warn"


def test_an_agent_that_does_not_answer_is_given_up(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnels, "CONNECT_S", 0.3)
    program(machine, "ngrok", "exec /bin/sleep 60")
    result = found("ngrok agent", DoctorOptions())
    assert short(result) == ("warn", f"cannot get the version of {machine}/ngrok")


def test_the_token_is_found_wherever_it_is_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def process_info(asked: DoctorOptions) -> str:
        result = found("ngrok token", asked)
        said.append(f"{result}{asked}")
        assert result.verdict == "pass"
        return result.message

    file = tmp_path / "config" / "ngrok" / "ngrok.yml"
    if not install_path().is_relative_to(tmp_path / "config"):
        file = install_path().parent / "ngrok.yml"
    file.parent.mkdir(parents=True)
    for text in (f"authtoken: {TOKEN}", f"version: 3\nagent:\n  authtoken: {TOKEN}"):
        file.write_text(text)
        assert process_info(DoctorOptions()) == f"found in {file}"
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    assert process_info(DoctorOptions()) == "found in NGROK_AUTHTOKEN"
    assert process_info(DoctorOptions(token=(TOKEN, "./vmon.toml"))) == "found in ./vmon.toml"
    assert TOKEN not in "".join(said)


def test_an_ngrok_yml_that_cannot_be_read_is_reported() -> None:
    file = install_path().parent / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("{[")
    result = found("ngrok token", DoctorOptions())
    assert result.verdict == "warn"
    assert str(file) in result.message
