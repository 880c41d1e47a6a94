"""The command line as its users meet it: exit codes, errors, help, and what it imports."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import vmon
from tests.support.factories import make_line
from vmon import cli
from vmon.cli import COMMANDS

if TYPE_CHECKING:
    from tests.support.processes import Start

Run = Callable[..., tuple[int, str, str]]
HEAVY = {"aiohttp", "rich", "pyngrok", "asyncio", "uvloop"}
BODY = '{"event":"streamCreated","sessionId":"2_A"}\n'


# Help.


def test_the_help_of_the_whole_is_this(vmon_run: Run) -> None:
    code, out, err = vmon_run("--help", COLUMNS="80")
    assert (code, err) == (0, "")
    for name, said in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(said)}$", out, re.MULTILINE)
    for number in (
        "0 success",
        "1 nothing matched",
        "2 usage error",
        "3",
        "4",
        "5 timeout",
        "130 interrupted",
    ):
        assert number in " ".join(out.split())


def test_the_version_is_that_of_the_package(vmon_run: Run) -> None:
    assert vmon_run("--version") == (0, f"vmon {vmon.__version__}\n", "")
    assert vmon_run("-V") == (0, f"vmon {vmon.__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_help_says_of_a_command_is_what_it_says_of_itself(name: str) -> None:
    command = import_module(f"vmon.cli.{name}").command
    assert isinstance(command, click.Command)
    assert (command.name, command.short_help) == (name, COMMANDS[name])


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_no_help_is_wider_than_80_columns(name: str | None, vmon_run: Run) -> None:
    code, out, err = vmon_run(*([name] if name else []), "--help", COLUMNS="80")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: vmon ")
    assert max(map(len, out.splitlines())) <= 80
    assert "\\" not in out


def test_the_help_of_listen_shows_its_options_in_groups(vmon_run: Run) -> None:
    _, out, _ = vmon_run("listen", "--help")
    sections = re.split(r"^(\w+):$", out, flags=re.MULTILINE)
    groups = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert list(groups) == [
        "Server", "Capture", "Signatures", "Tunnel", "Forwarding", "Filter", "Output", "Options",
    ]  # fmt: skip # one line of headings
    assert re.findall(r"^  (-.*?)  ", groups["Options"], re.MULTILINE) == ["-h, --help"]
    for heading, option in (
        ("Server", "--port"), ("Capture", "--rotate"), ("Signatures", "--require-signature"),
        ("Tunnel", "--secret-path"), ("Forwarding", "--ack"), ("Filter", "--where"),
        ("Output", "--json-ready"),
    ):  # fmt: skip # pairs
        assert [name for name, text in groups.items() if f" {option} " in text] == [heading]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_shows_every_option_once(name: str, vmon_run: Run) -> None:
    command = import_module(f"vmon.cli.{name}").command
    _, out, _ = vmon_run(name, "--help")
    sections = re.split(r"^\w+:$", out, maxsplit=1, flags=re.MULTILINE)[1]
    rows = re.findall(r"^  (?:-\w, )?(--[\w-]+)", sections, re.MULTILINE)
    named = [max(p.opts, key=len) for p in command.params if isinstance(p, click.Option)]
    assert sorted(rows) == sorted([*named, "--help"])


def test_without_a_command_the_help_is_shown_and_it_is_exit_2(vmon_run: Run) -> None:
    for group in ((), ("tunnel",)):
        code, out, err = vmon_run(*group)
        assert (code, out) == (2, "")
        assert err.startswith(f"Usage: {' '.join(('vmon', *group))} [OPTIONS] COMMAND")
        assert err == vmon_run(*group, "--help")[1]


# Errors.


def is_an_error(err: str) -> bool:
    """What it says is one error and at most one way out."""
    first, *rest = err.splitlines()
    return first.startswith("error: ") and [line[:6] for line in rest] in ([], ["hint: "])


def test_an_unknown_command_gets_a_suggestion(vmon_run: Run) -> None:
    said = "error: unknown command 'lissten'\nhint: did you mean listen?\n"
    assert vmon_run("lissten") == (2, "", said)
    said = "error: unknown command 'zzz'\nhint: see vmon --help\n"
    assert vmon_run("zzz") == (2, "", said)


def test_errors_of_click_have_the_format_of_our_own(vmon_run: Run) -> None:
    _, _, err = vmon_run("filter", "--tail", "x")
    assert err.startswith("error: invalid value for '--tail': 'x' is not a valid integer\nhint: ")


def test_an_unknown_option_gets_a_suggestion(vmon_run: Run) -> None:
    code, out, err = vmon_run("filter", "--evnt", "x")
    assert (code, out) == (2, "")
    assert err == "error: no such option '--evnt'\nhint: did you mean --event?\n"
    *_, err = vmon_run("filter", "--zzz")
    assert err == "error: no such option '--zzz'\nhint: see vmon filter --help\n"
    assert is_an_error(err)


@pytest.mark.parametrize(
    "args",
    [
        ("--nope",),
        ("listen", "--port", "70000"),
        ("listen", "--port", "x"),
        ("listen", "--max-body", "huge"),
        ("listen", "--body-timeout", "-1"),
        ("listen", "--event", "streamCraeted"),
        ("listen", "--since", "someday"),
        ("listen", "--format", "xml"),
        ("listen", "--no-capture", "--fsync"),
        ("listen", "--no-capture", "--capture", "x"),
        ("listen", "extra"),
        ("filter", "no-such-file"),
        ("filter", "."),
        ("filter", "--follow", "--count", "x"),
        ("filter", "--follow", "a", "b"),
        ("replay", "no-such-file"),
        ("replay", "--speed", "0", "x"),
        ("replay", "--speed", "nan", "x"),
        ("replay", "--speed", "fast", "x"),
        ("replay", "--to", "ftp://x", "x"),
        ("replay", "--concurrency", "0", "x"),
        ("events", "streamCraeted"),
        ("events", "--format", "xml"),
        ("completion",),
        ("completion", "tcsh"),
        ("export", "--as", "xml"),
    ],
)
def test_wrong_use_is_exit_2_in_words(args: tuple[str, ...], vmon_run: Run) -> None:
    code, out, err = vmon_run(*args)
    assert (code, out) == (2, "")
    assert is_an_error(err), err


def test_an_error_of_ours_in_a_capture_is_reported_once(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00 not gzip at all")
    code, out, err = vmon_run("filter", path)
    assert (code, out) == (2, "")
    assert is_an_error(err)
    assert str(path) in err


# Exit codes; those of listen are in test_end_to_end.py, 5 is in test_trigger.py.


def test_filter_exits_with_0_for_matches_and_1_without(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(BODY)
    assert vmon_run("filter", "--event", "streamCreated", path) == (0, BODY, "")
    code, out, err = vmon_run("filter", "--event", "archive", path)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no deliveries found in {path} (filter: archive)\n")
    assert vmon_run("filter", "--count", "--event", "archive", path) == (1, "0\n", "")


def test_events_is_0(vmon_run: Run) -> None:
    code, out, err = vmon_run("events")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) >= 15


@pytest.mark.parametrize("raised", ["KeyboardInterrupt()", "__import__('click').Abort()"])
def test_an_interrupt_anywhere_is_130_without_a_traceback(raised: str, vmon_run: Run) -> None:
    code = (
        f"import vmon.commands.filter\ndef run(_): raise {raised}\nvmon.commands.filter.run = run"
    )
    ended, out, err = vmon_run("filter", "x", code=code)
    assert (ended, out, err.strip()) == (130, "", "")


@pytest.mark.parametrize(
    ("raised", "number"),
    [("Refused", 1), ("WrongUse", 2), ("CannotListen", 3), ("TunnelFailed", 4), ("TimedOut", 5)],
)
def test_each_error_ends_in_its_own_exit_code(raised: str, number: int, vmon_run: Run) -> None:
    code = f"""
import vmon.commands.filter
from vmon import errors
def run(_): raise errors.{raised}("it broke", hint="mend it")
vmon.commands.filter.run = run
"""
    assert vmon_run("filter", "x", code=code) == (number, "", "error: it broke\nhint: mend it\n")


def test_a_bug_shows_its_traceback(vmon_run: Run) -> None:
    code = "import vmon.commands.filter\ndef run(_): return 1 // 0\nvmon.commands.filter.run = run"
    ended, out, err = vmon_run("filter", "x", code=code)
    assert (ended, out) == (70, "")
    assert err.startswith("Traceback ")
    assert err.endswith("ZeroDivisionError: integer division or modulo by zero\n")


def test_a_reader_that_has_seen_enough_is_no_failure(start: "Start", tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(BODY * 50_000)
    ours, theirs = os.pipe()
    run = start("filter", path, out=theirs)
    os.close(theirs)
    assert os.read(ours, 9) == b'{"event":'
    os.close(ours)
    code, _, err = run.result()
    assert (code, err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("args", [("filter",), ("replay", "--speed", "max")])
def test_a_full_disk_behind_stdout_is_an_error_in_words(
    args: tuple[str, ...], start: "Start", tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(BODY)
    full = os.open("/dev/full", os.O_WRONLY)
    run = start(*args, path, out=full)
    os.close(full)
    code, _, err = run.result()
    assert code == 2
    assert err.endswith("error: cannot write to standard output: No space left on device\n")
    assert "Traceback" not in err


# What a start costs.


@pytest.mark.parametrize(
    "args", [("--help",), ("--version",), *((name, "--help") for name in COMMANDS)]
)
def test_help_and_version_import_nothing_heavy(
    args: tuple[str, ...], imports_of: Callable[..., set[str]]
) -> None:
    loaded = imports_of(*args)
    assert "vmon.cli" in loaded
    assert not loaded & (HEAVY | {"msgspec", "platformdirs", "unicodedata"})


@pytest.mark.parametrize("args", [("--event", "streamCreated"), ("--session", "2_"), ("--count",)])
def test_a_filter_into_a_pipe_imports_nothing_heavy(
    args: tuple[str, ...], imports_of: Callable[..., set[str]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(BODY)
    loaded = imports_of("filter", *args, str(path))
    assert "vmon.search.scan" in loaded
    assert not loaded & (
        HEAVY | {"vmon.render.formats.choose", "vmon.sessions.store", "vmon.sessions.tracker"}
    )


def test_a_filter_by_type_decodes_nothing_of_a_capture(
    imports_of: Callable[..., set[str]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(make_line(BODY.encode()))
    loaded = imports_of("filter", "--event", "streamCreated", str(path))
    assert not loaded & {"msgspec", "vmon.capture.codec", "vmon.events.parse", "vmon.events.models"}


def test_the_cel_engine_is_loaded_where_where_is_given_and_nowhere_else(
    imports_of: Callable[..., set[str]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(make_line(BODY.encode()))
    assert "cel_expr_python" not in imports_of("filter", "--path", "/", str(path))
    assert "cel_expr_python" in imports_of("filter", "--where", "size(body) > 0", str(path))


@pytest.mark.parametrize("name", ["sessions", "oddities", "stats", "usage", "timeline"])
def test_looking_at_a_capture_imports_no_server(
    name: str, imports_of: Callable[..., set[str]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    at = '"timestamp":1470257688309,"connection":{"id":"c1","createdAt":1470257688143}'
    failed = '{"event":"archive","sessionId":"2_A","id":"a","status":"failed"}\n'
    path.write_text('{"event":"connectionCreated","sessionId":"2_A",' + at + "}\n" + failed)
    assert not imports_of(name, str(path)) & {"aiohttp", "pyngrok", "asyncio", "uvloop"}


def test_a_replay_into_a_pipe_imports_no_server_and_no_client(
    imports_of: Callable[..., set[str]], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(BODY)
    loaded = imports_of("replay", "--speed", "max", str(path))
    assert not loaded & {"aiohttp", "pyngrok", "asyncio"}


def test_the_commands_are_those_there_are() -> None:
    names = {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
    shared = {"__init__", "completers", "forward_options", "options", "quantities", "defaults"}
    assert names - shared - {"signing_options"} == set(COMMANDS)


# Expressions.


def test_an_expression_chooses_from_a_file_and_an_error_in_it_has_its_place(
    vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    other = '{"event":"archive","status":"failed","sessionId":"2_B"}\n'
    path.write_text(BODY + other + '{"event":"archive","status":"\\u0066ailed"}\n')
    failed = path.read_text().splitlines(keepends=True)[1:]
    assert vmon_run("filter", "--where", 'status == "failed"', str(path)) == (
        0,
        "".join(failed),
        "",
    )
    asked = 'status == "failed" && session == "2_B"'
    assert vmon_run("filter", "--where", asked, str(path)) == (0, other, "")
    code, out, err = vmon_run("filter", "--where", 'type == "render"', str(path))
    assert (code, out) == (1, "")
    assert '(filter: where type == "render")' in err
    code, out, err = vmon_run("filter", "--where", 'stauts == "failed"', str(path))
    assert (code, out) == (2, "")
    assert re.search(r"^error: .*stauts.*\n", err)
    assert "status" in err.split("\n", 1)[1]
    for wrong in ("status ==", "1 / ", "[1].map(x, x)", "x" * 3000):
        code, out, err = vmon_run("filter", "--where", wrong, str(path))
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert "Traceback" not in err


# Standard files that are closed.


def closed(environment: dict[str, str], redirected: str, *args: str) -> tuple[int, str, str]:
    """Run `vmon` from a shell that closes some of its standard files."""
    shell = f'exec "$@" {redirected}'
    ran = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", sys.executable, "-m", "vmon", *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("args", [("--help",), ("config",), ("captures",), ("events",)])
def test_with_standard_output_closed_a_command_ends_as_it_does_otherwise(
    args: tuple[str, ...], environment: dict[str, str]
) -> None:
    assert closed(environment, ">&-", *args) == closed(environment, ">/dev/null", *args)


def test_with_standard_error_closed_an_error_has_its_exit_code(
    environment: dict[str, str],
) -> None:
    assert closed(environment, "2>&-", "filter", "nothing.jsonl") == (2, "", "")


def test_no_file_takes_the_place_of_a_standard_file_that_is_closed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(BODY)
    result = closed(environment, "<&- >&- 2>&-", "filter", str(file))
    assert result == (0, "", "")
    assert file.read_text() == BODY
