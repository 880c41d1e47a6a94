"""`--where`: a CEL expression over the fields of a delivery, checked once; it never raises later.

The language is Google's Common Expression Language without what could run for long: nested loops,
and macros that build lists. An evaluation that fails is no match, and is counted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vmon.errors import WrongUse
from vmon.sanitize import disarm
from vmon.search.expression_engine import Program, missing_path, parses
from vmon.search.expression_names import (
    _OWN,
    _bindings,
    _bound,
    _check_calls,
    _check_items,
    _check_names,
    _is_costly,
    _tested,
    _Token,
    _tokens,
    _uses,
    _value,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmon.events.entry import Entry
    from vmon.search.expression_types import FieldTree, Path

LONGEST = 2000
"""The longest expression in characters."""
MOST_LOOPED = 1 << 14
"""The largest values in characters that a loop or a search runs over: time grows quadratically."""
_CACHE_SIZE = 4096
_LONGEST_CACHED_KEY = 512
_MOST_REASONS = 100
_LARGEST, _SMALLEST = (1 << 63) - 1, -(1 << 63)
_TOO_LARGE = f"more than {MOST_LOOPED >> 10} KiB of values for a loop or a search"


_UNCACHED = frozenset({"received_at", "lag", "delivery"})


class Expression:
    """A compiled expression: callable with an entry, true where the expression is.

    A missing field makes it false. WrongUse, with the position, for an invalid expression, one with
    a name that no event has, or with types that never fit.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise WrongUse(f"--where is longer than {LONGEST} characters")
        if source != _whole(source):
            raise WrongUse("--where is not valid UTF-8")
        self.source = source
        tokens = list(_tokens(source))
        self._used, tested = _checked(source, tokens)
        self._program = Program(source, tested, self._used)
        self._is_costly = _is_costly(tokens)
        self._tree = _tree(self._used)
        self._cache: dict[str, bool | str] | None = None if self._tree.keys() & _UNCACHED else {}
        self._computed = False
        self._reasons: dict[str, int] = {}
        self.types, self.needle = required_conditions(tokens)

    def __call__(self, entry: Entry) -> bool:
        """Whether the expression is true of the entry; False where it cannot be evaluated."""
        variables = self._variables(entry)
        fitted, size = _fitted(variables)
        if self._is_costly and size > MOST_LOOPED:
            return self._count(_TOO_LARGE)
        if self._cache is None or size > _LONGEST_CACHED_KEY:
            return self._count(self._program.evaluate(fitted))
        key = repr(fitted)
        result = self._cache.get(key)
        if result is None:
            result = self._program.evaluate(fitted)
            if len(self._cache) < _CACHE_SIZE:
                self._cache[key] = result
        return self._count(result)

    def _count(self, result: bool | str) -> bool:  # noqa: FBT001 - a value, not a switch
        if isinstance(result, bool):
            self._computed = True
            return result
        if result in self._reasons or len(self._reasons) < _MOST_REASONS:
            self._reasons[result] = self._reasons.get(result, 0) + 1
        return False

    @property
    def failed(self) -> str | None:
        """A sentence with the reason if it could be evaluated for none of the deliveries so far."""
        if self._computed or not self._reasons:
            return None
        reason = max(self._reasons, key=lambda one: self._reasons[one])
        path = missing_path(reason, self._used)
        for other in (missing_path(one, self._used) for one in self._reasons):
            path = other if other.startswith(f"{path}.") else path  # missing in the others, too
        count = sum(self._reasons.values())
        return f"--where matched nothing: {count:,} could not be evaluated ({path})"

    def _variables(self, entry: Entry) -> dict[str, Any]:
        """Collect the variables that the expression uses, and no others: each costs time."""
        variables = {}
        value: Any = None
        for name, tree in self._tree.items():
            if own := _OWN.get(name):
                own_value = own(entry)
                if own_value is None and name in {"lag", "received_at"}:  # unknown
                    continue
                variables[name] = _pruned(own_value, tree)
            else:
                value = value if value is not None else _value(entry)
                if type(value) is dict and name in value:
                    variables[name] = _pruned(value[name], tree)
        return variables

    def __str__(self) -> str:
        """Describe it, as a filter does."""
        return f"where {disarm(self.source)}"


def _checked(source: str, tokens: list[_Token]) -> tuple[list[Path], list[Path]]:
    """Return the paths that are used, and those in `has()`; WrongUse for unknown names.

    A syntax error is left to the engine, which has the position.
    """
    uses = list(_uses(tokens, _bound(tokens)))
    if parses(source):
        _check_calls(tokens)
        _check_names(uses)
        bindings = _bindings(tokens, uses)
        _check_items(list(_uses(tokens, set())), bindings)
    return [use.parts for use in uses], _tested(tokens, uses)


def _fitted(value: Any) -> tuple[Any, int]:
    """Convert a value to what the engine can hold, with its approximate length as JSON.

    An integer beyond 64 bits becomes a double, half a surrogate pair the replacement character.
    """
    kind = type(value)  # by its type: this is walked for every delivery
    if kind is str:
        return (value if value.isascii() else _whole(value)), len(value) + 2
    if kind is dict:
        size, fields = 2, {}
        for name, inner in value.items():
            fitted, more = _fitted(inner)
            fields[name if name.isascii() else _whole(name)] = fitted
            size += len(name) + 4 + more
        return fields, size
    if kind is list:
        size, items = 2, []
        for inner in value:
            fitted, more = _fitted(inner)
            items.append(fitted)
            size += more + 1
        return items, size
    if kind is int and not _SMALLEST <= value <= _LARGEST:
        return _double(value), 20
    return value, 4


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _whole(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _pruned(value: Any, tree: FieldTree) -> Any:
    """Reduce a value to the fields that are used; whole at the leaves of the tree."""
    if not tree or type(value) is not dict:
        return value
    return {name: _pruned(value[name], below) for name, below in tree.items() if name in value}


def _tree(paths: Iterable[Path]) -> FieldTree:
    """Merge paths into a tree; a path that is used as a whole is a leaf."""
    tree: FieldTree = {}
    for path in sorted(set(paths), key=len):  # shorter ones first: they are the leaves
        here = tree
        for part in path:
            if here.get(part) == {}:
                break
            here = here.setdefault(part, {})
    return tree


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
