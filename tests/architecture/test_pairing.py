"""Each module of vmon has the test file of its name, `tests/<folder>/test_<module>.py`.

A command in `cli/` only declares what can be typed: `tests/commands` or `tests/cli` has its file.
Exceptions are data; one that nothing needs any more fails.
"""

from __future__ import annotations

from pathlib import Path

from tests.architecture import source

TESTS = Path(__file__).parents[1]

THROUGH = {
    "receive/elements": "receive/test_feed",
}
"""Exceptions: a module that is tested through a neighbour → the file that does it."""

TOPICS = {
    "cli/test_cli": "the command line as a whole",
    "commands/test_end_to_end": "the program from end to end",
    "commands/test_frameworks": "what is sent to apps of Flask, FastAPI and Express",
    "commands/test_inputs": "what every reading command says of its sources",
    "commands/test_listen_forward_kill": "forwarding, killed at random",
    "commands/test_listen_kill": "listen, killed at random",
    "commands/test_listen_summary": "what listen sums up, compared with what reads its capture",
    "commands/test_terminal": "the program on a terminal",
    "commands/test_times": "when things happened, alike in every command",
    "sessions/test_busy_day": "a day of which the truth is known",
    "test_docs": "the README and the reference",
    "test_other_tools": "what jq, DuckDB and Polars make of a capture",
    "tunnel/ngrok/test_live": "the real ngrok, where there is a token",
    "tunnel/test_listen_tunnel": "listen with a tunnel",
    "tunnel/test_tunnel_imports": "what a tunnel imports",
}
"""Test files that are named after no module, and what they are about."""


def _modules() -> dict[str, str]:
    """Every module with code of its own, such as `render/line`, by its dotted name."""
    return {
        str(path.relative_to(source.ROOT).with_suffix("")): module
        for module, path in source.modules().items()
        if not path.stem.startswith("__")
    }


def _test_files() -> set[str]:
    found = (path.relative_to(TESTS).with_suffix("") for path in TESTS.rglob("test_*.py"))
    return {str(path) for path in found if path.parts[0] not in {"architecture", "support"}}


def _own(module: str) -> set[str]:
    """The names of the test file of a module; a command has two."""
    folder, _, name = f"/{module}".rpartition("/")
    folders = {folder, "/commands"} if folder == "/cli" else {folder}
    return {f"{each}/test_{name}".strip("/") for each in folders}


def test_every_module_has_its_test_file() -> None:
    files = _test_files()
    alone = {
        module: f"{name} has no test file of its name"
        for module, name in _modules().items()
        if not _own(module) & files
    }
    assert not (text := source.broken(alone, THROUGH)), text


def test_the_file_that_tests_a_neighbour_exists() -> None:
    assert {*THROUGH.values()} - _test_files() == set()


def test_every_test_file_is_named_after_a_module_or_its_topic() -> None:
    owned = set[str]().union(*map(_own, _modules()))
    strays = {file: f"tests/{file}.py is of no module" for file in _test_files() - owned}
    assert not (text := source.broken(strays, TOPICS)), text
