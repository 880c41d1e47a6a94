"""`--where`: a CEL expression over the fields of a delivery, checked once; it never raises later.

The language is Google's Common Expression Language without what could run for long: nested loops,
and macros that build lists. An evaluation that fails is no match.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from vmon.errors import WrongUse
from vmon.sanitize import disarm
from vmon.search.expression_names import (
    _LOOPS,
    _OWN,
    _bound,
    _check_all_seen,
    _check_calls,
    _check_names,
    _Token,
    _tokens,
    _Tree,
    _uses,
    _value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from vmon.events.entry import Entry

LONGEST = 2000
"""The longest expression in characters: what the parser takes without running out of stack."""
MOST_LOOPED = 1 << 14
"""The largest body in bytes that a loop runs over: its time grows with the square of that."""
_CACHE_SIZE = 4096
_LONGEST_CACHED_KEY = 512


_UNCACHED = frozenset({"received_at", "lag"})


class Expression:
    """A compiled expression: callable with an entry, true where the expression is.

    A missing field makes it false. WrongUse, with the position, for an invalid expression, or one
    with a name that no event has.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise WrongUse(f"--where is longer than {LONGEST} characters")
        self.source = source
        self._program = _compile(source)
        tokens = list(_tokens(source))
        _check_calls(tokens)
        bound = _bound(tokens)
        uses = list(_uses(tokens, bound))
        _check_names(uses)
        _check_all_seen(uses, bound, set(self._program.variables()))
        self._loops = any(token.text in _LOOPS and token.kind == "name" for token in tokens)
        self._tree = _tree(use.parts for use in uses)
        self._cache: dict[str, bool] | None = None if self._tree.keys() & _UNCACHED else {}
        self.types, self.needle = required_conditions(tokens)
        self._check_result()

    def __call__(self, entry: Entry) -> bool:
        """Whether the expression is true of the entry; False where it cannot be evaluated."""
        if self._loops and len(entry.delivery.body) > MOST_LOOPED:
            return False
        variables = self._variables(entry)
        if self._cache is None:
            return self._evaluate(variables) is True
        key = repr(variables)
        result = self._cache.get(key)
        if result is None:
            result = self._evaluate(variables) is True
            if len(self._cache) < _CACHE_SIZE and len(key) < _LONGEST_CACHED_KEY:
                self._cache[key] = result
        return result

    def _variables(self, entry: Entry) -> dict[str, Any]:
        """Collect the variables that the expression uses, and no others: each costs time."""
        variables = {}
        value: Any = None
        for name, tree in self._tree.items():
            if own := _OWN.get(name):
                own_value = own(entry)
                if own_value is None and name == "lag":
                    continue
                variables[name] = _pruned(own_value, tree)
            else:
                value = value if value is not None else _value(entry)
                if type(value) is dict and name in value:
                    variables[name] = _pruned(value[name], tree)
        return variables

    def _evaluate(self, variables: dict[str, Any]) -> object:
        try:
            return self._program.execute(variables)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
            return error

    def _check_result(self) -> None:
        """Check on the samples that the result is a boolean."""
        from vmon.events.catalogue import TYPES

        for entry in map(_sampled, TYPES):
            result = self._evaluate({"lag": 0.0} | self._variables(entry))
            if not isinstance(result, bool | BaseException):
                kind = type(result).__name__
                raise WrongUse(
                    f"--where must be true or false, not {kind}",
                    hint='compare the value: reason == "clientDisconnected"',
                )

    def __str__(self) -> str:
        """Describe it, as a filter does."""
        return f"where {disarm(self.source)}"


def _pruned(value: Any, tree: _Tree) -> Any:
    """Reduce a value to the fields that are used; whole at the leaves of the tree."""
    if not tree or type(value) is not dict:
        return value
    return {name: _pruned(value[name], below) for name, below in tree.items() if name in value}


def _tree(paths: Iterable[tuple[str, ...]]) -> _Tree:
    """Merge paths into a tree; a path that is used as a whole is a leaf."""
    tree: _Tree = {}
    for path in sorted(set(paths), key=len):  # shorter ones first: they are the leaves
        here = tree
        for part in path:
            if here.get(part) == {}:
                break
            here = here.setdefault(part, {})
    return tree


@cache
def _sampled(name: str) -> Entry:
    import json

    from vmon.capture.codec import bare
    from vmon.events.catalogue import TYPES

    return bare(json.dumps(TYPES[name].sample).encode())


@cache
def _cel() -> ModuleType:
    """Load the CEL extension module alone, without the command line of its package."""
    from importlib.machinery import PathFinder
    from importlib.util import find_spec, module_from_spec

    package = find_spec("cel")
    spec = package and PathFinder.find_spec("cel", list(package.submodule_search_locations or ()))
    if spec is None or spec.loader is None:
        raise WrongUse(
            "--where needs the package common-expression-language",
            hint="run pip install common-expression-language",
        )
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _compile(source: str) -> Any:
    try:
        return _cel().compile(source)
    except (KeyboardInterrupt, SystemExit, WrongUse):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
        raise _invalid_expression(source, str(error)) from None


def _invalid_expression(source: str, message: str) -> WrongUse:
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", message)
    if not found:
        return WrongUse("--where is not a valid CEL expression", hint=disarm(message[-200:]))
    lines = source.split("\n")
    at = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2])
    why = (
        found[3]
        .split(" expecting ")[0]
        .replace("mismatched input '<EOF>'", "unexpected end of expression")
    )
    hint = "use == to compare" if re.search("at: '= ?'$", why) else None
    if "has() macro" in why:
        hint = "use has(stream.name) or has(body.reason)"
    return WrongUse(f"--where at character {at}: {disarm(why)}", hint=hint)


def required_conditions(tokens: list[_Token]) -> tuple[frozenset[str] | None, str | None]:
    """Extract what holds wherever the expression is true: the types, and a string in the line.

    Only comparisons joined by && at the outermost level are considered.
    """
    types: frozenset[str] | None = None
    needles: list[str] = []
    for path, texts in map(_comparison, _conjuncts(tokens)):
        if path == ("type",):
            types = frozenset(texts) if types is None else types & frozenset(texts)
        elif path and len(texts) == 1 and (path[0] not in _OWN or path[0] in {"session", "body"}):
            needles += texts
    return types, max(needles, key=len, default="") or None


def _conjuncts(tokens: list[_Token]) -> Iterator[list[_Token]]:
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        sign = token.text if token.kind == "sign" else ""
        depth += (sign in ("(", "[", "{")) - (sign in (")", "]", "}"))
        if depth == 0 and sign in ("||", "?"):
            return
        if depth == 0 and sign == "&&":
            parts.append([])
        else:
            parts[-1].append(token)
    yield from parts


_PLAIN = re.compile(r"[\"'][A-Za-z0-9_@:+-]*[\"']")


def _comparison(part: list[_Token]) -> tuple[tuple[str, ...], list[str]]:
    """Parse `path == "text"` or `path in ["a", "b"]` to path and plain strings; else empty."""
    if part[1:2] and part[1].text == "==" and part[0].kind == "string":
        part = [*part[2:], part[1], part[0]]
    texts = [token.text for token in part if token.kind == "string"]
    shape = " ".join('"' if token.kind == "string" else token.text for token in part)
    found = re.fullmatch(r'(\w+(?: \. \w+)*) (?:== "|in \[ "(?: , ")* \])', shape)
    if not found or not all(map(_PLAIN.fullmatch, texts)):
        return (), []
    return tuple(found[1].split(" . ")), [text[1:-1] for text in texts]
