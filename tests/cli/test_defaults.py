"""Settings from outside the command line, as the real program takes and shows them."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.support.factories import make_line
from vmon import cli
from vmon.cli import COMMANDS, defaults
from vmon.config import KnownKey, load
from vmon.render.reports import config as drawn

BODY = '{"event":"streamCreated","sessionId":"2_A"}\n'
Run = Callable[..., tuple[int, str, str]]
Set = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The project's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def run(vmon_run: Run, here: Path) -> Run:
    """Run `vmon` in the project's folder."""
    return lambda *args, **env: vmon_run(*args, code=f"import os; os.chdir({str(here)!r})", **env)


def rows(out: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What `vmon config --format json` printed, by command and key."""
    return {(one["command"], one["key"]): one for one in json.loads(out)["settings"]}


# Where a value comes from.


def test_a_flag_beats_a_variable_which_beats_a_profile_a_file_and_the_users_own(
    run: Run, here: Path, tmp_path: Path
) -> None:
    events = here / "a.jsonl"
    events.write_text(BODY)
    user = tmp_path / "config" / "vmon"
    user.mkdir(parents=True)
    loud = ("filter", events)

    def format_of(*before: str, flag: str | None = None, **env: str) -> str:
        args = [*before, *loud, *(["--format", flag] if flag else [])]
        code, out, err = run(*args, **env)
        assert (code, err) == (0, "")
        return "json" if out == BODY else "detail" if "sessionId" in out else "line"

    assert format_of() == "json"
    (user / "config.toml").write_text('[filter]\nformat = "line"\n[profile.p.filter]\nverbose = 1')
    assert format_of() == "line"
    (here / "pyproject.toml").write_text('[tool.vmon.filter]\nformat = "json"')
    assert format_of() == "json"
    (here / "vmon.toml").write_text(
        '[filter]\nformat = "line"\n[profile.p.filter]\nformat = "json"'
    )
    assert format_of() == "line"
    assert format_of("--profile", "p") == "json"
    assert format_of(VMON_PROFILE="p") == "json"
    assert format_of("--profile", "p", VMON_FILTER_FORMAT="line") != "json"
    assert format_of("--profile", "p", flag="json", VMON_FILTER_FORMAT="line") == "json"


def test_listen_takes_its_settings(run: Run, here: Path) -> None:
    (here / "vmon.toml").write_text('host = "300.1.1.1"\nport = 1')
    code, _, err = run("listen", "--no-capture")
    assert code == 3
    assert "300.1.1.1" in err


def test_lists_and_durations_arrive_as_the_commands_want_them(run: Run, here: Path) -> None:
    capture = here / "a.jsonl"
    capture.write_text(BODY)
    (here / "vmon.toml").write_text(
        '[replay]\nspeed = "max"\nevent = ["archive", "stream*"]\nmax-gap = "1m"\nquiet = true'
    )
    code, out, err = run("replay", capture)
    assert (code, out) == (0, "")
    assert "1 delivery" in err
    assert run("replay", capture, "--event", "archive")[0] == 1


# What is wrong.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "prot = 1",
            'error: ./vmon.toml: unknown setting "prot"\nhint: did you mean port?\n',
        ),
        (
            "[profile.a.filter]\nevnt = 'x'",
            (
                'error: ./vmon.toml [profile.a.filter]: unknown setting "evnt"\n'
                "hint: did you mean event?\n"
            ),
        ),
        (
            "port = 70000",
            "error: ./vmon.toml: port is invalid: 70000 is not in the range 0<=x<=65535\n",
        ),
        (
            "[replay]\nspeed = 'fast'",
            (
                "error: ./vmon.toml [replay]: speed is invalid: "
                "invalid speed 'fast' (use 10, 0.5 or max)\n"
            ),
        ),
        ("port =\n", "error: invalid TOML in ./vmon.toml: Invalid value (at line 1, column 7)\n"),
    ],
)
def test_what_is_wrong_in_a_file_is_exit_2_with_its_place(
    run: Run, here: Path, text: str, said: str
) -> None:
    (here / "vmon.toml").write_text(text)
    assert run("events") == (2, "", said)


def test_a_project_does_not_say_which_program_runs(run: Run, here: Path) -> None:
    (here / "vmon.toml").write_text("ngrok-path = './ngrok'")
    code, out, err = run("listen")
    assert (code, out) == (2, "")
    assert err.startswith("error: ./vmon.toml: ngrok-path is not allowed in a project file\nhint: ")
    _, out, _ = run("doctor", "--offline", "--json")
    assert "ngrok-path is not allowed" in out


def test_help_comes_whatever_is_wrong_in_a_file(run: Run, here: Path) -> None:
    (here / "vmon.toml").write_text("prot = 1")
    assert run("--help")[0] == 0
    assert run("filter", "--help")[0] == 0
    assert run("completion", "bash")[0] == 0


def test_an_unknown_profile_is_an_error(run: Run, here: Path) -> None:
    said = 'error: unknown profile "x"\nhint: no profiles are defined\n'
    assert run("--profile", "x", "events") == (2, "", said)
    (here / "vmon.toml").write_text("[profile.staging]")
    said = 'error: unknown profile "stagin"\nhint: did you mean staging?\n'
    assert run("events", VMON_PROFILE="stagin") == (2, "", said)


# vmon config.


def test_config_shows_every_option_and_the_source_of_its_value(run: Run, here: Path) -> None:
    (here / "vmon.toml").write_text('port = 80\n[profile.p]\nmax-body = "2MB"')
    code, out, err = run("--profile", "p", "config", "--format", "json", VMON_REPLAY_SPEED="2")
    assert (code, err) == (0, "")
    found = rows(out)
    assert json.loads(out)["profile"] == "p"
    assert {key for _, key in found} >= {"port", "capture", "max-gap", "event", "wait"}
    assert {command for command, _ in found} >= {"listen", "filter", "replay", "trigger"}
    told = {key: (one["value"], one["source"], one["env"]) for key, one in found.items()}
    assert told["listen", "port"] == (80, "./vmon.toml", "VMON_PORT")
    assert told["listen", "max-body"] == (2_000_000, "./vmon.toml [profile.p]", "VMON_MAX_BODY")
    assert told["replay", "speed"] == ("2", "VMON_REPLAY_SPEED", "VMON_REPLAY_SPEED")
    assert told["listen", "host"] == ("127.0.0.1", "default", "VMON_HOST")
    assert told["listen", "quiet"] == (False, "default", "VMON_QUIET")
    assert told["listen", "event"] == (None, "default", "VMON_EVENT")


def test_what_config_prints_is_a_vmon_toml_that_says_the_same(run: Run, here: Path) -> None:
    (here / "vmon.toml").write_text(
        'port = 80\nbody-timeout = "2s"\nevent = ["a\\u001b[2J", "b"]\n[filter]\nfollow = true'
    )
    code, out, err = run("config")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    again = tomllib.loads(out)
    assert (again["port"], again["body-timeout"], again["filter"]["follow"]) == (80, 2, True)
    (here / "vmon.toml").write_text(out)
    code, second, err = run("config", "--changed")
    assert (code, err) == (0, "")
    assert "default" not in second
    assert "port = 80" in second


def test_with_changed_only_settings_that_are_not_defaults_are_shown(run: Run) -> None:
    assert run("config", "--changed", VMON_PORT="80") == (
        0,
        "# listen\nport = 80  # VMON_PORT\n",
        "",
    )
    assert run("config", "--changed") == (0, "", "")


# Secrets.

SECRET = "hunter2-hunter2"


@pytest.fixture
def with_secrets(monkeypatch: pytest.MonkeyPatch) -> click.Command:
    """A command `events` that has secrets among its options, as listen has."""

    @click.command("events")
    @click.option("--secret", multiple=True, envvar="VMON_SIGNATURE_SECRET", help="It.")
    @click.option("--authtoken", help="It.")
    @click.option("--key", hide_input=True, help="It.")
    @click.option("--to", help="A URL.")
    @click.option("--times", type=int, default=1, show_default=True)
    def command(**said: object) -> None:
        assert SECRET in str(said)
        raise click.UsageError("it broke")

    monkeypatch.setattr("vmon.cli.events.command", command)
    return command


@pytest.mark.usefixtures("with_secrets")
@pytest.mark.parametrize(
    "args", [("events",), ("events", "--help"), ("config",), ("config", "--format", "json")]
)
def test_a_secret_from_a_file_or_a_variable_is_shown_nowhere(
    args: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("VMON_SIGNATURE_SECRET", f"{SECRET} other-{SECRET}")
    (tmp_path / "vmon.toml").write_text(
        f'[events]\nauthtoken = "{SECRET}"\nkey = "{SECRET}"\nto = "http://me:{SECRET}@host/"'
    )
    code = cli.run(list(args))
    out, err = capfd.readouterr()
    assert code == (2 if args == ("events",) else 0)
    assert SECRET not in out + err
    if args[0] == "config":
        assert "(hidden)" in out
        assert ("http://me:…@host/" in out) or ("http://me:\\u2026@host/" in out)
        assert "VMON_SIGNATURE_SECRET" in out


@pytest.mark.usefixtures("with_secrets")
@pytest.mark.parametrize(
    "text", [f'[events]\nauthtoken = ["{SECRET}"]', f'[events]\nauthtoken = "{SECRET}']
)
def test_no_error_repeats_a_secret(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vmon.toml").write_text(text)
    assert cli.run(["events"]) == 2
    assert SECRET not in "".join(capfd.readouterr())


def test_no_option_that_holds_a_secret_shows_a_default() -> None:
    for key in defaults.known(COMMANDS):
        if key.secret:
            command = import_module(f"vmon.cli.{key.command}").command
            (option,) = [one for one in command.params if one.name == key.param]
            assert not option.show_default, key


# One source of truth, and what it costs.


def test_every_default_is_one_that_the_option_takes_itself() -> None:
    known = list(defaults.known(COMMANDS))
    assert len({(key.command, key.name) for key in known}) == len(known)
    for key in known:
        if key.check and key.default is not None and not isinstance(key.default, tuple):
            key.check(key.default)


def test_every_setting_can_be_set_and_reaches_its_command(tmp_path: Path) -> None:
    samples = {"integer": 1, "number": 1.5, "boolean": True, "duration": "1s", "size": "1k"}
    lines: list[str] = []
    known = [key for key in defaults.known(COMMANDS) if key.command == "listen"]
    for key in known:
        value = key.choices[0] if key.choices else samples.get(key.kind, "x")
        lines.append(f"{key.name} = {json.dumps(value)}")
    (tmp_path / "config.toml").write_text("\n".join(lines))
    found = load(known, cwd=tmp_path, environ={}, user_dir=tmp_path)
    assert set(found.default_map()["listen"]) == {key.param for key in known}


def test_where_nothing_is_set_no_other_command_and_no_toml_is_imported(
    imports_of: Callable[..., set[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.jsonl"
    path.write_text(BODY)
    loaded = imports_of("filter", str(path))
    assert not loaded & {"tomllib", "platformdirs", "vmon.cli.listen", "vmon.cli.replay"}
    (tmp_path / "vmon.toml").write_text("port = 1")
    loaded = imports_of("filter", str(path))
    assert "vmon.cli.listen" in loaded
    assert not loaded & {"platformdirs", "aiohttp", "rich", "pyngrok", "asyncio"}


def test_a_filter_by_type_starts_without_what_costs_time(
    imports_of: Callable[..., set[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.jsonl"
    path.write_bytes(make_line(b'{"event":"streamCreated"}'))
    code = "import click, locale, sys; print(*sys.modules)"
    clicks = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    loaded = imports_of("filter", "--event", "streamCreated", str(path))
    heavy = {"pathlib", "urllib.parse", "ctypes", "msgspec", "queue", "tempfile", "platformdirs"}
    assert loaded & heavy - set(clicks.decode().split()) == set()


def test_a_long_list_does_not_push_the_remarks_away() -> None:
    long = KnownKey("event", multiple=True, default=("x" * 90,))
    text = drawn.as_toml(load([long], cwd=Path("/nowhere"), environ={}, user_dir=Path("/nowhere")))
    assert text == f'# listen\nevent = ["{"x" * 90}"]  # default\n'


def test_the_runner_of_click_meets_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vmon.toml").write_text("port = 4681")
    out = CliRunner().invoke(cli.cli, ["listen", "--help"]).output
    assert re.search(r"default: 4681", out)


def test_settings_are_read_without_the_commands_of_the_house() -> None:
    code = "import sys, vmon.cli.defaults; print('vmon.cli.listen' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
