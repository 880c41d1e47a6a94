"""`vmon help`: topics in a pipe and on a terminal, a command's help, the whole tree as data."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from rich.cells import cell_len
from rich.console import Console

import vmon
from tests.support.processes import Flow
from vmon.cli import COMMANDS, cli
from vmon.commands.help import topics
from vmon.render.reports.help import markdown_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]

DOCS = Path(str(vmon.__file__)).parent / "docs"
WANTED = {
    *("architecture", "capture", "configuration", "exit-codes", "figures", "filters"),
    *("forwarding", "oddities", "register", "sessions", "signatures"),
}


# Topics.


def test_every_topic_is_listed_with_what_it_is_about(vmon_run: Run) -> None:
    files = {path.stem for path in DOCS.glob("*.md")}
    assert files == {*topics()}
    assert files >= WANTED
    code, out, err = vmon_run("help", COLUMNS="200")
    assert (code, err) == (0, "")
    for name, about in topics().items():
        assert about
        assert re.search(rf"^  {name} +{re.escape(about)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", topics())
def test_in_a_pipe_a_topic_is_its_file_byte_for_byte(name: str, vmon_run: Run) -> None:
    assert vmon_run("help", name) == (0, (DOCS / f"{name}.md").read_text("utf-8"), "")


def _rendered(name: str, width: int) -> str:
    out = io.StringIO()
    text = (DOCS / f"{name}.md").read_text("utf-8")
    Console(file=out, width=width, markup=False, highlight=False).print(markdown_of(text))
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", topics())
def test_on_a_terminal_no_line_of_a_topic_is_wider_and_no_option_is_cut(
    name: str, width: int
) -> None:
    shown = _rendered(name, width)
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    assert "<!--" not in shown
    text = (DOCS / f"{name}.md").read_text("utf-8")
    for cell in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE):
        assert cell in re.sub(r"\s", "", shown) or cell in shown


@pytest.mark.parametrize("name", topics())
def test_a_link_to_a_topic_is_its_words_and_the_topic_exists(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!https://)([^)]*)\)", text):
        assert target.removesuffix(".md") in topics(), target
    assert ".md" not in re.sub(r"\S*/\S*\.md", "", _rendered(name, 80))


@pytest.mark.parametrize("pager", ["cat", "sed s/vmon/VMON/"])
def test_on_a_terminal_a_long_topic_goes_through_the_pager(
    pager: str, environment: dict[str, str]
) -> None:
    size = {"COLUMNS": "80", "LINES": "24", "TERM": "xterm"}
    shown = _on_a_terminal(["help", "forwarding"], environment | size | {"PAGER": pager})
    assert "Forwarding: send deliveries" in shown
    assert ("VMON listen" in shown) == pager.startswith("sed")
    assert "[filter options]" not in shown


def test_a_topic_that_fits_the_terminal_does_not(environment: dict[str, str]) -> None:
    size = {"COLUMNS": "80", "LINES": "400", "TERM": "xterm"}
    shown = _on_a_terminal(["help", "forwarding"], environment | size | {"PAGER": "false"})
    assert "Forwarding: send deliveries" in shown


def _on_a_terminal(args: list[str], environment: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-m", "vmon", *args]
    with subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        shown = Flow(ours)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    return shown.all().decode()


# Commands.


@pytest.mark.parametrize("path", [("listen",), ("filter",), ("tunnel",), ("tunnel", "install")])
def test_the_help_of_a_command_is_what_its_own_option_shows(
    path: tuple[str, ...], vmon_run: Run
) -> None:
    assert vmon_run("help", *path) == vmon_run(*path, "--help")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ("forwardin",),
            "no help topic or command 'forwardin'\nhint: did you mean forwarding?",
        ),
        (("zzz",), "no help topic or command 'zzz'\nhint: see vmon help"),
        (("tunnel", "zzz"), "no help for vmon tunnel zzz\nhint: see vmon tunnel --help"),
        (("listen", "zzz"), "no help for vmon listen zzz\nhint: see vmon listen --help"),
    ],
)
def test_an_unknown_topic_is_an_error_with_what_comes_close(
    args: tuple[str, ...], error: str, vmon_run: Run
) -> None:
    assert vmon_run("help", *args) == (2, "", f"error: {error}\n")


def test_help_is_there_when_the_settings_cannot_be_read(
    vmon_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vmon.toml").write_text("nonsense = ")
    assert vmon_run("help", "exit-codes")[0] == 0


def test_topics_are_completed(vmon_run: Run) -> None:
    code, out, err = vmon_run(
        _VMON_COMPLETE="bash_complete", COMP_WORDS="vmon help si", COMP_CWORD="2"
    )
    assert (code, out, err) == (0, "plain,signatures\n", "")


# The tree.


def _tree(vmon_run: Run) -> dict[str, Any]:
    code, out, err = vmon_run("help", "--all-commands", "--format", "json")
    assert (code, err) == (0, "")
    tree: dict[str, Any] = json.loads(out)
    return tree


def _same(node: dict[str, Any], command: click.Command) -> None:
    """The node has every parameter of the command, and every command below it."""
    ctx = click.Context(command)
    params = {frozenset(each.opts) for each in command.params if isinstance(each, click.Option)}
    options = [each for each in node["parameters"] if each["kind"] == "option"]
    assert {frozenset(each["names"]) for each in options} >= params
    arguments = [each.name for each in command.params if isinstance(each, click.Argument)]
    assert [each["names"] for each in node["parameters"] if each["kind"] == "argument"] == [
        [name] for name in arguments
    ]
    below = command.list_commands(ctx) if isinstance(command, click.Group) else []
    assert [each["name"] for each in node["commands"]] == below
    assert isinstance(command, click.Group) or not below
    for each, name in zip(node["commands"], below, strict=True):
        found = command.get_command(ctx, name) if isinstance(command, click.Group) else None
        assert found is not None
        _same(each, found)


def test_the_tree_has_all_commands_and_all_their_options(vmon_run: Run) -> None:
    tree = _tree(vmon_run)
    assert [each["name"] for each in tree["commands"]] == [*COMMANDS]
    assert tree["version"] == vmon.__version__
    _same(tree, cli)


def test_the_tree_says_of_an_option_what_an_agent_needs(vmon_run: Run) -> None:
    listen = _tree(vmon_run)["commands"][0]
    options = {each["names"][0]: each for each in listen["parameters"]}
    port = options["--port"]
    assert (port["type"], port["default"], port["env"]) == ("integer", 4680, "VMON_PORT")
    assert (port["multiple"], port["required"], port["choices"]) == (False, False, [])
    assert options["--ack"]["choices"] == ["always", "app"]
    assert options["--event"]["multiple"]
    assert options["--event"]["metavar"] == "TYPE"
    assert options["--no-capture"]["type"] == "boolean"
    assert options["--no-capture"]["metavar"] is None
    assert all(each["help"] for each in listen["parameters"])


def test_the_tree_has_the_variables_that_are_read(vmon_run: Run) -> None:
    from vmon.cli.defaults import known

    variables = {
        option["env"]
        for command in _tree(vmon_run)["commands"]
        for option in command["parameters"]
        if option["env"]
    }
    assert variables == {key.env for key in known(COMMANDS)}


def test_all_commands_as_text_is_their_help_one_after_the_other(vmon_run: Run) -> None:
    code, out, err = vmon_run("help", "--all-commands")
    assert (code, err) == (0, "")
    for name in COMMANDS:
        assert vmon_run(name, "--help")[1].rstrip("\n") in out


@pytest.mark.parametrize("args", [("--format", "json"), ("listen", "--all-commands")])
def test_what_does_not_go_together_is_an_error(args: tuple[str, ...], vmon_run: Run) -> None:
    code, out, err = vmon_run("help", *args)
    assert (code, out) == (2, "")
    assert "--all-commands" in err


# What it costs.


@pytest.mark.parametrize(
    "args", [(), ("forwarding",), ("listen",), ("--all-commands", "--format", "json")]
)
def test_help_in_a_pipe_imports_no_rich(
    args: tuple[str, ...], imports_of: Callable[..., set[str]]
) -> None:
    assert not imports_of("help", *args) & {"rich", "aiohttp", "pyngrok", "asyncio", "pydoc"}


def test_help_is_imported_by_no_other_command(imports_of: Callable[..., set[str]]) -> None:
    loaded = imports_of("--help") | imports_of("listen", "--help")
    assert not loaded & {"vmon.cli.help", "vmon.commands.help", "importlib.resources"}
    assert import_module("vmon.cli.help").command.name == "help"
