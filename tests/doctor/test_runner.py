"""What doctor finds on this machine, and on servers of the test's own."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from vmon.doctor import machine as machine_checks
from vmon.doctor import network
from vmon.doctor.results import Check, DoctorOptions, Finding, Result
from vmon.doctor.runner import checks, examine
from vmon.errors import WrongUse
from vmon.tunnel.ngrok.locate import own_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "2abcdefghijklmnopqrst_0123456789"
NAMES = [
    "python",
    "packages",
    "settings",
    "port",
    "captures",
    "ngrok agent",
    "ngrok token",
    "cloudflared",
    "ssh",
    "leftovers",
    "clock",
    "public URL",
    "app",
]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own and a PATH with nothing on it; gives the folder on PATH."""
    for name in ("NGROK_AUTHTOKEN", "PYNGROK_NGROK_PATH"):
        monkeypatch.delenv(name, raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("HOME", str(tmp_path))
    for kind in ("CONFIG", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    return programs


def program(folder: Path, name: str, text: str) -> Path:
    made = folder / name
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(0o755)
    return made


def found(name: str, asked: DoctorOptions) -> Result:
    """The result of one check."""
    (result,) = examine([one for one in checks(asked) if one.name == name])
    assert not result.said.startswith("the check itself failed"), result
    return result


def short(result: Result) -> tuple[str, str]:
    return result.verdict, result.said


class Server(http.server.ThreadingHTTPServer):
    """Answers HEAD with a status and a Date that is `skew_s` from ours; no Date for None."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.skew_s = 200, 0.0
        self.date: str | None = "ours"
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        assert isinstance(self.server, Server)
        self.server.seen.append(f"{self.command} {self.path}")
        self.send_response_only(self.server.status)
        ours = formatdate(time.time() + self.server.skew_s, usegmt=True)
        if self.server.date is not None:
            self.send_header("Date", ours if self.server.date == "ours" else self.server.date)
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    serving = threading.Thread(target=one.serve_forever, args=(0.02,))
    serving.start()
    yield one
    one.shutdown()
    one.server_close()
    serving.join()


# How checks are asked.


def test_checks_are_told_in_their_order() -> None:
    assert [one.name for one in checks(DoctorOptions())] == NAMES
    assert [one.name for one in checks(DoctorOptions(apps=("a", "b")))][-2:] == ["app", "app"]


def test_a_check_that_hangs_is_given_up_and_hides_no_other() -> None:
    never = threading.Event()

    def hang() -> Finding:
        never.wait()
        return Finding("pass", "")

    begun = time.monotonic()
    results = list(
        examine(
            [
                Check("a", hang, "skip"),
                Check("b", hang, "fail"),
                Check("c", lambda: Finding("pass", "ok")),
            ],
            0.2,
        )
    )
    assert time.monotonic() - begun < 2
    assert [(one.name, one.verdict) for one in results] == [
        ("a", "skip"),
        ("b", "fail"),
        ("c", "pass"),
    ]
    assert results[0].said == "no result within 200 ms"
    never.set()


def test_a_check_that_breaks_is_told_and_hides_no_other() -> None:
    def broken() -> Finding:
        raise ZeroDivisionError("by \x1b[2J zero")

    def wrong() -> Finding:
        raise WrongUse("it is wrong", hint="mend it")

    results = list(
        examine([Check("a", broken), Check("b", wrong), Check("c", lambda: Finding("pass", "ok"))])
    )
    assert results[0].said == "the check itself failed: ZeroDivisionError: by ␛[2J zero"
    assert results[1] == Result("b", "fail", "it is wrong", "mend it")
    assert results[2].verdict == "pass"


def test_whatever_is_asked_nothing_breaks_and_what_is_wrong_has_a_way_out() -> None:
    strange = DoctorOptions(
        host="\x00",
        port=70000,
        public_url="http://[",
        apps=("", "ftp://x", "http://[", "http://h:99999", "localhost:x", "\x00:1", "." * 300),
        clocks=("http://[", "nonsense"),
        tunnel="ngrok",
    )
    for result in examine(checks(strange)):
        assert not result.said.startswith("the check itself failed"), result
        assert bool(result.fix) == (result.verdict in {"warn", "fail"}), result


# This machine.


def test_python_and_packages_are_named_with_their_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert found("python", DoctorOptions()).verdict == "pass"
    packages = found("packages", DoctorOptions())
    assert packages.verdict == "pass"
    for name in ("vmon ", "aiohttp ", "msgspec ", "pyngrok ", "uvloop "):
        assert name in packages.said
    monkeypatch.setattr(machine_checks, "_version", lambda name: None if name == "uvloop" else "1")
    assert found("packages", DoctorOptions()).verdict == "warn"
    monkeypatch.setattr(machine_checks, "_version", lambda _: None)
    assert found("packages", DoctorOptions()).verdict == "fail"


def test_settings_that_cannot_be_read_fail() -> None:
    fault = WrongUse("./vmon.toml: no", hint="mend it")
    assert found("settings", DoctorOptions(settings=fault)).fix == "mend it"
    assert found("settings", DoctorOptions(settings="./vmon.toml")).verdict == "pass"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_is_free_or_taken(host: str) -> None:
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
    assert result.said.endswith("not created yet")
    assert not deep.exists()
    deep.mkdir(parents=True, mode=0o700)
    assert found("captures", DoctorOptions(captures=deep)).said.startswith(f"{deep}, ")
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


def test_the_space_that_is_left_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, verdict in ((10**12, "pass"), (10**8, "warn"), (10**6, "fail")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert found("captures", DoctorOptions(captures=tmp_path / "x")).verdict == verdict


# The ways to a public URL.


@pytest.mark.parametrize(("tunnel", "verdict"), [(None, "warn"), ("ngrok", "fail")])
def test_what_is_missing_fails_only_where_it_is_used(tunnel: str | None, verdict: str) -> None:
    agent = found("ngrok agent", DoctorOptions(tunnel=tunnel))
    assert short(agent) == (verdict, "the ngrok agent is not installed")
    assert "vmon tunnel install" in (agent.fix or "")
    token = found("ngrok token", DoctorOptions(tunnel=tunnel))
    assert token.verdict == verdict
    assert token.said.startswith("not found in NGROK_AUTHTOKEN or ")
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
def test_the_version_of_the_agent_is_asked(
    says: str, verdict: str, said: str, machine: Path
) -> None:
    program(machine, "ngrok", says)
    result = found("ngrok agent", DoctorOptions())
    assert result.verdict == verdict
    assert said in result.said


def test_the_agent_that_was_chosen_is_the_one_that_counts(machine: Path, tmp_path: Path) -> None:
    program(machine, "ngrok", "echo ngrok version 3.39.1")
    other = program(tmp_path, "other", "echo ngrok version 3.31.0")
    assert short(found("ngrok agent", DoctorOptions(ngrok=other)))[1].startswith(f"3.31 at {other}")
    assert found("ngrok agent", DoctorOptions(ngrok=tmp_path / "none")).verdict == "warn"


def test_an_agent_that_does_not_answer_is_given_up(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "CONNECT_S", 0.3)
    program(machine, "ngrok", "exec /bin/sleep 60")
    result = found("ngrok agent", DoctorOptions())
    assert short(result) == ("warn", f"cannot get the version of {machine}/ngrok")


def test_the_token_is_found_wherever_it_is_and_never_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []

    def look(asked: DoctorOptions) -> str:
        result = found("ngrok token", asked)
        said.append(f"{result}{asked}")
        assert result.verdict == "pass"
        return result.said

    file = tmp_path / "config" / "ngrok" / "ngrok.yml"
    if not own_place().is_relative_to(tmp_path / "config"):
        file = own_place().parent / "ngrok.yml"
    file.parent.mkdir(parents=True)
    for text in (f"authtoken: {TOKEN}", f"version: 3\nagent:\n  authtoken: {TOKEN}"):
        file.write_text(text)
        assert look(DoctorOptions()) == f"found in {file}"
    monkeypatch.setenv("NGROK_AUTHTOKEN", TOKEN)
    assert look(DoctorOptions()) == "found in NGROK_AUTHTOKEN"
    assert look(DoctorOptions(token=(TOKEN, "./vmon.toml"))) == "found in ./vmon.toml"
    assert TOKEN not in "".join(said)


def test_an_ngrok_yml_that_cannot_be_read_is_told() -> None:
    file = own_place().parent / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("{[")
    result = found("ngrok token", DoctorOptions())
    assert result.verdict == "warn"
    assert str(file) in result.said


# Beyond this machine.


def test_a_clock_that_agrees_and_one_that_does_not(server: Server) -> None:
    def look() -> tuple[str, str]:
        return short(found("clock", DoctorOptions(clocks=(server.url,))))

    assert look() == ("pass", f"in sync with {server.url}")
    server.skew_s = -30
    verdict, said = look()
    assert verdict == "warn"
    assert said.endswith(f"s ahead of {server.url}")
    server.skew_s = 3600
    verdict, said = look()
    assert verdict == "fail"
    assert said.endswith(f" behind {server.url}")
    absurd = f"Fri, 31 Dec 1999 23:59:59 +{'9' * 20}"
    for date in ("yesterday", "Mon, 01 Jan 0001 00:00:00 GMT", absurd, None):
        server.date = date
        assert look()[0] in {"skip", "fail"}
    assert set(server.seen) == {"HEAD /"}


def test_the_clock_of_the_public_url_is_the_one_that_counts(server: Server) -> None:
    server.skew_s = 3600
    asked = DoctorOptions(public_url=f"{server.url}/secret-path", clocks=("http://127.0.0.1:9",))
    result = found("clock", asked)
    assert result.verdict == "fail"
    assert "secret-path" not in result.said


def test_the_next_clock_is_asked_where_one_is_not_there(server: Server) -> None:
    asked = DoctorOptions(clocks=("http://127.0.0.1:9", server.url))
    assert found("clock", asked).verdict == "pass"


def test_offline_the_clock_is_skipped_and_is_no_failure() -> None:
    asked = DoctorOptions(clocks=("http://127.0.0.1:9", "https://no-such-host.invalid"))
    verdict, said = short(found("clock", asked))
    assert verdict == "skip"
    assert said.startswith("no server to compare it with (http://127.0.0.1:9: Connection refused; ")


def test_nothing_leaves_the_machine_where_that_is_asked(server: Server) -> None:
    asked = DoctorOptions(
        offline=True, clocks=(server.url,), public_url=server.url, apps=("http://203.0.113.1",)
    )
    for name in ("clock", "public URL", "app"):
        assert found(name, asked).verdict == "skip"
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "pass"), (204, "pass"), (404, "warn"), (301, "warn"), (502, "warn")],
)
def test_a_public_url_is_judged_by_what_it_answers(
    status: int, verdict: str, server: Server
) -> None:
    server.status = status
    result = found("public URL", DoctorOptions(public_url=f"{server.url}/token?a=b"))
    assert short(result) == (verdict, f"{server.url} responds with {status}")
    assert server.seen == ["HEAD /token"]


def test_a_public_url_that_nobody_answers_fails(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    said = f"cannot reach {url}: Connection refused"
    assert short(found("public URL", DoctorOptions(public_url=f"{url}/x"))) == ("fail", said)
    assert found("public URL", DoctorOptions()).verdict == "skip"


def test_a_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = found("public URL", DoctorOptions(public_url=url))
    assert short(result) == ("fail", f"cannot reach {url}: no response within 200 ms")


def test_an_app_is_there_or_not(server: Server, free_port: int) -> None:
    there = (f"127.0.0.1:{server.server_port}", f"{server.url}/hooks")
    for url in there:
        assert found("app", DoctorOptions(apps=(url,), offline=True)).verdict == "pass"
    assert server.seen == []
    result = found("app", DoctorOptions(apps=(f"http://me:secret@127.0.0.1:{free_port}/",)))
    assert short(result) == (
        "fail",
        f"connection refused: nothing is listening on 127.0.0.1:{free_port}",
    )
    assert result.fix == "Start your app."


# The command.


def printed(out: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(out)["checks"]}


def test_the_command_says_it_in_lines_or_as_json(
    vmon_run: Callable[..., tuple[int, str, str]], free_port: int
) -> None:
    env = {"VMON_PORT": str(free_port), "PATH": os.environ["PATH"]}
    code, out, err = vmon_run("doctor", "--offline", **env)
    assert (code, err) == (0, "")
    assert f"pass  port         127.0.0.1:{free_port} is free\n" in out
    assert "pass  settings     no config file; environment variables only\n" in out
    assert out.splitlines()[-1].startswith("13 checks: ")
    code, out, err = vmon_run("doctor", "--offline", "--json", **env)
    assert (code, err) == (0, "")
    assert list(printed(out)) == NAMES
    assert json.loads(out)["ok"] is True


def test_a_failure_is_exit_1(vmon_run: Callable[..., tuple[int, str, str]], free_port: int) -> None:
    with socket.create_server(("127.0.0.1", free_port)):
        code, out, err = vmon_run("doctor", "--offline", "--json", VMON_PORT=str(free_port))
    assert (code, err) == (1, "")
    assert json.loads(out)["ok"] is False
    assert printed(out)["port"]["verdict"] == "fail"


def test_broken_settings_are_a_check_that_fails(
    vmon_run: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = vmon_run("doctor", "--offline", "--json", VMON_PORT="x")
    assert (code, err) == (1, "")
    told = printed(out)["settings"]
    assert told["said"] == 'VMON_PORT must be an integer, not "x"'


def test_a_terminal_that_is_narrow_gets_whole_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vmon.render.reports.doctor import DoctorReport

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    line = DoctorReport().line(
        Result("ngrok token", "warn", "word " * 20, "Do this and that and more.")
    )
    assert max(len(one) for one in line.splitlines()) <= 60
    assert line.count("\n") > 3
    assert "\n                   Do this" in line
    assert capsys.readouterr() == ("", "")


def test_the_doctor_fetches_no_server_and_no_client() -> None:
    heavy = ("aiohttp", "rich", "click", "pyngrok")
    code = f"import sys, vmon.doctor.runner; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
