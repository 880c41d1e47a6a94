"""What doctor finds on this machine."""

from __future__ import annotations

import shutil
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.checks import found, short
from vmon.doctor import machine as machine_checks
from vmon.doctor.results import DoctorOptions
from vmon.errors import WrongUse

if TYPE_CHECKING:
    from pathlib import Path


def test_python_and_packages_are_named_with_their_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert found("python", DoctorOptions()).verdict == "pass"
    packages = found("packages", DoctorOptions())
    assert packages.verdict == "pass"
    for name in ("vmon ", "aiohttp ", "msgspec ", "pyngrok ", "uvloop "):
        assert name in packages.message
    monkeypatch.setattr(machine_checks, "_version", lambda _: None)
    assert found("packages", DoctorOptions()).verdict == "fail"


@pytest.mark.parametrize(
    ("missing", "why", "what"),
    [
        ("uvloop", "vmon is slower without uvloop", "uvloop"),
        ("cel-expr-python", "--where does not work without cel-expr-python", "'.[cel]'"),
        ("ahocorasick-rs", "vmon searches more slowly without ahocorasick-rs", "'.[fast]'"),
    ],
)
def test_a_missing_optional_package_is_a_warning_with_the_way_to_install_it(
    missing: str, why: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_checks, "_version", lambda name: None if name == missing else "1")
    result = found("packages", DoctorOptions())
    fix = f"{why}; in vmon's checkout: pip install {what}"
    assert (result.verdict, result.fix) == ("warn", fix)


def test_without_both_extras_one_command_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"cel-expr-python", "ahocorasick-rs"}
    monkeypatch.setattr(machine_checks, "_version", lambda name: None if name in missing else "1")
    assert str(found("packages", DoctorOptions()).fix).endswith("pip install '.[cel]' '.[fast]'")


def test_on_windows_uvloop_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "_version", lambda name: None if name == "uvloop" else "1")
    monkeypatch.setattr(sys, "platform", "win32")
    assert found("packages", DoctorOptions()).verdict == "pass"


def test_settings_that_cannot_be_read_fail() -> None:
    fault = WrongUse("./vmon.toml: no", hint="mend it")
    assert found("settings", DoctorOptions(settings=fault)).fix == "mend it"
    assert found("settings", DoctorOptions(settings="./vmon.toml")).verdict == "pass"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_is_free_or_in_use(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        result = found("port", DoctorOptions(host=host, port=number))
        assert short(result) == ("fail", f"{host}:{number} is already in use")
        assert "another --port" in (result.fix or "")
    assert short(found("port", DoctorOptions(host=host, port=number))) == (
        "pass",
        f"{host}:{number} is free",
    )
    assert found("port", DoctorOptions(port=0)).verdict == "pass"


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid", "a" * 70 + ".x", "\x00"])
def test_an_address_that_is_not_ours_cannot_be_listened_on(host: str) -> None:
    assert found("port", DoctorOptions(host=host)).verdict == "fail"


def test_the_folder_of_captures_is_writable_or_not(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    result = found("captures", DoctorOptions(captures=deep))
    assert result.verdict == "pass"
    assert result.message.endswith("not created yet")
    assert not deep.exists()
    deep.mkdir(parents=True, mode=0o700)
    assert found("captures", DoctorOptions(captures=deep)).message.startswith(f"{deep}, ")
    assert not list(deep.iterdir())
    deep.chmod(0o777)
    result = found("captures", DoctorOptions(captures=deep))
    assert (result.verdict, result.fix) == (
        "warn",
        f"Other users can change captures there; run: chmod go-w {deep}",
    )
    (tmp_path / "file").write_text("")
    assert found("captures", DoctorOptions(captures=tmp_path / "file")).verdict == "fail"
    assert found("captures", DoctorOptions(captures=tmp_path / "file" / "x")).verdict == "fail"


def test_the_free_disk_space_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((10**12, "pass"), (10**8, "warn"), (10**6, "fail")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert found("captures", DoctorOptions(captures=tmp_path / "x")).verdict == verdict
