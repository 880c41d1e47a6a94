"""The source of vmon as data: its modules, what they import, how long their parts are."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import vmon

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(vmon.__file__).parent
GROUND = "ground"
"""The files that stand in `vmon/` itself."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Import(NamedTuple):
    """`name` is a module, of vmon or of others; `deferred` inside a function or for types only."""

    module: str
    name: str
    line: int
    deferred: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.name}"


@cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name, packages too."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("vmon", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree_of(module: str) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(modules()[module].read_text("utf-8"))


def folder_of(module: str) -> str:
    """The folder it stands in, such as `render.live`."""
    path = modules()[module].relative_to(ROOT)
    if module == "vmon.__main__":
        return "cli"  # as a program, vmon is its command line
    return ".".join(path.parent.parts) or GROUND


def package_of(module: str) -> str:
    """The first part of its folder, such as `render`."""
    return folder_of(module).partition(".")[0]


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """All that it imports, wherever the statement stands."""
    return tuple(_imports(module, tree_of(module), deferred=False))


def _imports(module: str, node: ast.AST, *, deferred: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(module, alias.name, child.lineno, deferred)
            case ast.ImportFrom(module=origin, names=names, level=level):
                assert origin, f"{module}:{child.lineno}: an import says its whole name"
                assert level == 0, f"{module}:{child.lineno}: an import says its whole name"
                for alias in names:
                    whole = f"{origin}.{alias.name}"
                    name = whole if whole in modules() else origin
                    yield Import(module, name, child.lineno, deferred)
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=orelse):
                for statement in body:
                    yield from _imports(module, _block(statement), deferred=True)
                for statement in orelse:
                    yield from _imports(module, _block(statement), deferred=deferred)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _imports(module, child, deferred=True)
            case _:
                yield from _imports(module, child, deferred=deferred)


def _block(statement: ast.stmt) -> ast.Module:
    return ast.Module([statement], [])


def ours() -> Iterator[Import]:
    """Every import of a module of vmon."""
    for module in modules():
        for each in imports_of(module):
            if each.name in modules():
                yield each


def others() -> Iterator[Import]:
    """Every import of a module that is not of vmon."""
    for module in modules():
        for each in imports_of(module):
            if each.name not in modules():
                yield each


def loaded_with(module: str) -> set[str]:
    """What is imported, directly or not, when a module is."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in modules():
            waiting += [each.name for each in imports_of(name) if not each.deferred]
            waiting += [name.rpartition(".")[0]] * ("." in name)
    return seen


def lines_of(module: str) -> int:
    """How many lines it has."""
    return len(modules()[module].read_text("utf-8").splitlines())


def definitions(kind: type[ast.ClassDef] | tuple[type[ast.stmt], ...]) -> dict[str, int]:
    """Classes or functions by dotted name, with how many lines they have; decorators not."""
    return {
        f"{module}.{name}": lines
        for module in modules()
        for name, lines in _definitions(tree_of(module), kind, "")
    }


def _definitions(
    node: ast.AST, kind: type[ast.ClassDef] | tuple[type[ast.stmt], ...], within: str
) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = within
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{within}{child.name}."
            if isinstance(child, kind):
                yield inner.rstrip("."), (child.end_lineno or child.lineno) - child.lineno + 1
        yield from _definitions(child, kind, inner)


def broken(facts: dict[str, str], exceptions: dict[str, str]) -> str:
    """What is wrong with facts that a rule forbids, but for the exceptions; "" where nothing is.

    An exception that nothing needs is wrong, too.
    """
    new = [text for name, text in facts.items() if name not in exceptions]
    needless = [f"{name} is an exception no longer: {why}" for name, why in exceptions.items()
                if name not in facts]  # fmt: skip # one thing a line
    return "\n".join(new + needless)
