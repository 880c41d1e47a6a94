"""Arrows between the folders of vmon point down only, and nothing in it is too big.

Imports are read in the source, wherever they stand: at the top, in a function, for types only.
Exceptions are data, each with its reason; one that nothing needs any more fails.
"""

from __future__ import annotations

import ast
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture import source
from tests.architecture.source import GROUND, package_of

LINES = (
    (GROUND,),
    ("events", "tunnel"),
    ("security", "capture"),
    ("search", "forward", "sessions", "doctor"),
    ("receive", "replay", "analysis"),
    ("render",),
    ("commands",),
    ("cli",),
)
"""From the ground up; the folders of a line do not know each other."""

RANK = {package: rank for rank, line in enumerate(LINES) for package in line}


def _below(package: str) -> set[str]:
    return {other for other in RANK if RANK[other] < RANK[package]}


USES = {
    GROUND: set[str](),
    "events": {GROUND},
    "tunnel": {GROUND},
    "security": {"events", GROUND},
    "capture": {"events", GROUND},
    "search": {"capture", "events", GROUND},
    "forward": {"capture", "security", "events", GROUND},
    "sessions": {"events", "security", GROUND},
    "doctor": {"tunnel", "capture", "events", GROUND},
    "analysis": {"sessions", "search", "forward", "capture", "events", GROUND},
    "replay": {"forward", "search", "capture", "events", GROUND},
    "receive": {"capture", "security", "tunnel", "sessions", "forward", "events", GROUND},
    "render": {
        "receive", "analysis", "sessions", "forward", "search", "capture", "security", "doctor",
        "tunnel", "events", GROUND,
    },
    "commands": _below("commands"),
    "cli": _below("cli"),
}  # fmt: skip # a package a line
"""Package → the packages it uses."""

WITHIN = {
    "analysis.oddities": {"analysis"},
    "render.formats": {"render"},
    "render.reports": {"render"},
    "render.live": {"render", "render.formats"},
    "tunnel.ngrok": {"tunnel"},
    "tunnel": {"tunnel.ngrok"},
}
"""Folder → the folders of its own package that it uses; `tunnel/choice` makes one of each kind."""

ARROWS: dict[str, str] = {}
"""Exceptions: module → module, and why it is borne."""

UNUSED: dict[str, str] = {}
"""Exceptions: what the table allows and nobody needs yet."""

LIBRARIES = {
    "ahocorasick_rs": {"vmon.capture.blocks": "finds the needles of a filter in a block"},
    "aiohttp": {
        "vmon.receive.http_server": "its inner names stand here and nowhere else",
        "vmon.receive.receiver": "serves HTTP",
        "vmon.receive.public_url": "asks a public URL whether it leads here",
        "vmon.forward.client": "the HTTP client",
        "vmon.forward.problems": "what the HTTP client raises",
    },
    "cel_expr_python": {"vmon.search.expression_engine": "evaluates --where"},
    "click": {"vmon.cli": "what can be typed"},
    "msgspec": {"vmon": "models are structs, everywhere; but see `WITHOUT_MSGSPEC`"},
    "multidict": {"vmon.forward.client": "headers in aiohttp's own kind"},
    "platformdirs": {
        "vmon.capture.folder": "where captures are",
        "vmon.config": "where the user's file is",
        "vmon.state": "where state is",
    },
    "pyngrok": {"vmon.tunnel.ngrok": "the ngrok agent"},
    "rich": {"vmon.render": "everything that is shown"},
    "segno": {"vmon.render.live.notices": "the QR code of a public URL"},
    "uvloop": {"vmon.event_loop": "the event loop"},
    "yarl": {
        "vmon.forward.client": "URLs in aiohttp's own kind",
        "vmon.forward.problems": "URLs in aiohttp's own kind",
        "vmon.forward.targets": "URLs in aiohttp's own kind",
    },
    "zstandard": {"vmon.capture.inputs": "captures that are compressed"},
}
"""Library → who may import it, folders with all that is in them, and what for."""

IMPORTERS: dict[str, str] = {}
"""Exceptions: module → library, and why it is borne."""

WITHOUT_MSGSPEC = (
    "vmon.capture.format",
    "vmon.capture.blocks",
    "vmon.capture.folder",
    "vmon.capture.inputs",
    "vmon.cli.filter",
    "vmon.cli.options",
    "vmon.commands.filter",
    "vmon.events.catalogue",
    "vmon.analysis.oddities.severity",
    "vmon.events.verdict_kind",
    "vmon.search.filter",
    "vmon.search.plan",
    "vmon.search.reader",
    "vmon.search.scan",
)
"""What `--help` or a filter by type imports: neither is to pay for a decoder."""

CLASS, FUNCTION, MODULE = 200, 40, 350
"""The most lines of each."""

BIG_MODULES = {
    "vmon.events.models": "a struct for each event type",
    "vmon.events.catalogue": "a row for each event type",
    "vmon.config": "a row for each setting",
}
"""Modules that stay big: at most three."""

BIG_CLASSES: dict[str, str] = {}
BIG_FUNCTIONS: dict[str, str] = {}
"""Exceptions: by dotted name, and why they are borne."""


# Arrows.


def test_every_folder_has_its_line_and_its_row() -> None:
    packages = {package_of(module) for module in source.modules()}
    assert packages == {*RANK} == {*USES}
    assert len(RANK) == sum(map(len, LINES))


def test_the_table_itself_points_down_only() -> None:
    for package, uses in USES.items():
        assert uses <= _below(package), package


def test_every_import_follows_the_table() -> None:
    wrong = {
        f"{each.module} -> {each.name}": str(each)
        for each in source.ours()
        if package_of(each.name) not in USES[here := package_of(each.module)] | {here}
    }
    assert not (text := source.broken(wrong, ARROWS)), text


def test_the_table_allows_nothing_that_nobody_needs() -> None:
    """But for commands and their options, which may use whatever there is."""
    used = {(package_of(each.module), package_of(each.name)) for each in source.ours()}
    wrong = {
        f"{package} -> {other}": f"{package} uses nothing of {other}"
        for package, uses in USES.items()
        for other in uses
        if package not in {"commands", "cli"} and (package, other) not in used
    }
    assert not (text := source.broken(wrong, UNUSED)), text


def test_a_folder_within_a_package_uses_only_what_its_row_says() -> None:
    used: dict[str, set[str]] = {}
    for each in source.ours():
        here, there = source.folder_of(each.module), source.folder_of(each.name)
        if here != there and package_of(each.module) == package_of(each.name):
            used.setdefault(here, set()).add(there)
    used.pop("cli", None)  # `__main__`, which counts as of it
    assert used == {here: uses for here, uses in WITHIN.items() if here in used}


def test_no_module_comes_back_to_itself_through_its_imports() -> None:
    graph: dict[str, set[str]] = {module: set() for module in source.modules()}
    for each in source.ours():
        if each.name != each.module:
            graph[each.module].add(each.name)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1][::-1]))


def test_what_makes_a_folder_a_package_holds_no_code() -> None:
    full = {
        module
        for module, path in source.modules().items()
        if path.name == "__init__.py" and len(source.tree_of(module).body) > 1
    }
    assert full == {"vmon", "vmon.cli"}, "they hold the version, and the one error edge"


# Libraries.


def test_every_library_is_imported_where_it_is_at_home() -> None:
    wrong = {}
    for each in source.others():
        library = each.name.partition(".")[0]
        homes = LIBRARIES.get(library, {})
        at_home = any(f"{each.module}.".startswith(f"{home}.") for home in homes)
        if library not in sys.stdlib_module_names and not at_home:
            wrong[f"{each.module} -> {library}"] = str(each)
    assert not (text := source.broken(wrong, IMPORTERS)), text


def test_nobody_is_at_home_who_does_not_import_it() -> None:
    imported = {(each.module, each.name.partition(".")[0]) for each in source.others()}
    for library, homes in LIBRARIES.items():
        users = [f"{module}." for module, name in imported if name == library]
        idle = [home for home in homes if not any(user.startswith(f"{home}.") for user in users)]
        assert idle == [], library


@pytest.mark.parametrize("module", WITHOUT_MSGSPEC)
def test_what_a_filter_by_type_imports_decodes_nothing(module: str) -> None:
    assert not source.loaded_with(module) & {"msgspec", "msgspec.json", "vmon.events.models"}


# Sizes.


def test_no_class_is_too_long() -> None:
    long = {
        name: f"{name} has {lines} lines"
        for name, lines in source.definitions(ast.ClassDef).items()
        if lines > CLASS
    }
    assert not (text := source.broken(long, BIG_CLASSES)), text


def test_no_function_is_too_long() -> None:
    functions = source.definitions((ast.FunctionDef, ast.AsyncFunctionDef))
    long = {
        name: f"{name} has {lines} lines" for name, lines in functions.items() if lines > FUNCTION
    }
    assert not (text := source.broken(long, BIG_FUNCTIONS)), text


def test_few_modules_are_long() -> None:
    long = {
        module: f"{module} has {lines} lines"
        for module in source.modules()
        if (lines := source.lines_of(module)) > MODULE
    }
    assert not (text := source.broken(long, BIG_MODULES)), text
    assert len(BIG_MODULES) <= 3


# Of the rules themselves.


def test_imports_are_seen_wherever_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
import os, vmon.errors
from vmon.render import line
if TYPE_CHECKING:
    from vmon.cli import options
else:
    import json
def function():
    with open("a"):
        from vmon.state import folder
class Class:
    import click
"""
    monkeypatch.setattr(source, "tree_of", lambda _: ast.parse(text))
    found = [(each.name, each.deferred) for each in source.imports_of.__wrapped__("vmon.x")]
    assert found == [
        ("os", False), ("vmon.errors", False), ("vmon.render.line", False),
        ("vmon.cli.options", True), ("json", False), ("vmon.state", True), ("click", False),
    ]  # fmt: skip # as they stand


def test_an_exception_that_nothing_needs_is_wrong() -> None:
    assert source.broken({"a": "a is long"}, {"a": "it is borne"}) == ""
    assert source.broken({"a": "a is long"}, {}) == "a is long"
    assert source.broken({}, {"a": "it is borne"}) == "a is an exception no longer: it is borne"
