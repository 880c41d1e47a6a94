"""`--where`: an expression in CEL over what a delivery says, checked once, total ever after.

The language is Google's Common Expression Language, less what could run for long: loops in loops
and the macros that build lists. Evaluation raises nothing: what fails is no match, and is counted.
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
"""Characters of an expression."""
MOST_LOOPED = 1 << 14
"""The size of the values that a loop or a search may go over: its time grows with the square."""
_CACHE_SIZE = 4096
_LONGEST_CACHED_KEY = 512
_MOST_REASONS = 100
_LARGEST, _SMALLEST = (1 << 63) - 1, -(1 << 63)
_TOO_LARGE = f"more than {MOST_LOOPED >> 10} KiB of values for a loop or a search"


_UNCACHED = frozenset({"received_at", "lag"})


class Expression:
    """A compiled expression: callable on an entry, true where the expression is.

    A field that is not there makes it false. WrongUse, with the place, for what is no expression,
    names what no event has, or can never be computed for its types.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise WrongUse(f"--where is longer than {LONGEST} characters")
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
        """Whether the expression is true of the entry; False where it cannot be told."""
        variables = self._variables(entry)
        fitted, size = _fitted(variables)
        if self._is_costly and size > MOST_LOOPED:
            return self._counted(_TOO_LARGE)
        if self._cache is None or size > _LONGEST_CACHED_KEY:
            return self._counted(self._program.evaluate(fitted))
        key = repr(fitted)
        known = self._cache.get(key)
        if known is None:
            known = self._program.evaluate(fitted)
            if len(self._cache) < _CACHE_SIZE:
                self._cache[key] = known
        return self._counted(known)

    def _counted(self, result: bool | str) -> bool:  # noqa: FBT001 - a value, not a switch
        if isinstance(result, bool):
            self._computed = True
            return result
        if result in self._reasons or len(self._reasons) < _MOST_REASONS:
            self._reasons[result] = self._reasons.get(result, 0) + 1
        return False

    @property
    def failed(self) -> str | None:
        """A sentence where it could be computed for none of the deliveries it was asked about."""
        if self._computed or not self._reasons:
            return None
        reason = max(self._reasons, key=lambda one: self._reasons[one])
        told = missing_path(reason, self._used)
        for other in (missing_path(one, self._used) for one in self._reasons):
            told = other if other.startswith(f"{told}.") else told  # what misses less misses that
        count = sum(self._reasons.values())
        return f"--where matched nothing: {count:,} could not be evaluated ({told})"

    def _variables(self, entry: Entry) -> dict[str, Any]:
        """The variables that the expression names, and no others: each value costs the language."""
        variables = {}
        value: Any = None
        for name, tree in self._tree.items():
            if own := _OWN.get(name):
                found = own(entry)
                if found is None and name in {"lag", "received_at"}:  # it is not known
                    continue
                variables[name] = _pruned(found, tree)
            else:
                value = value if value is not None else _value(entry)
                if type(value) is dict and name in value:
                    variables[name] = _pruned(value[name], tree)
        return variables

    def __str__(self) -> str:
        """As it is told."""
        return f"where {disarm(self.source)}"


def _checked(source: str, tokens: list[_Token]) -> tuple[list[Path], list[Path]]:
    """The paths that are used, and those in `has()`; WrongUse for what is no expression.

    What cannot be read as the language reads it is left to the language, which says why.
    """
    uses = list(_uses(tokens, _bound(tokens)))
    if parses(source):
        _check_calls(tokens)
        _check_names(uses)
        bindings = _bindings(tokens, uses)
        _check_items(list(_uses(tokens, set())), bindings)
    return [use.parts for use in uses], _tested(tokens, uses)


def _fitted(value: Any) -> tuple[Any, int]:
    """A value as the language can hold it, and about how many characters it has as JSON.

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
    """A value with only those of its fields that are used; whole where the tree ends."""
    if not tree or type(value) is not dict:
        return value
    return {name: _pruned(value[name], below) for name, below in tree.items() if name in value}


def _tree(paths: Iterable[Path]) -> FieldTree:
    """The paths as one tree; what is used as a whole has nothing below it."""
    tree: FieldTree = {}
    for path in sorted(set(paths), key=len):  # the shorter ones first: they are the wholes
        here = tree
        for part in path:
            if here.get(part) == {}:
                break
            here = here.setdefault(part, {})
    return tree


def required_conditions(tokens: list[_Token]) -> tuple[frozenset[str] | None, str | None]:
    """What holds wherever the expression is true: the types, and a word in the line.

    Read from the comparisons that are joined by && at the outermost level, and from nothing else.
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
    """The path and the plain strings of `path == "text"` or `path in ["a", "b"]`; else nothing."""
    if part[1:2] and part[1].text == "==" and part[0].kind == "string":
        part = [*part[2:], part[1], part[0]]
    texts = [token.text for token in part if token.kind == "string"]
    shape = " ".join('"' if token.kind == "string" else token.text for token in part)
    found = re.fullmatch(r'(\w+(?: \. \w+)*) (?:== "|in \[ "(?: , ")* \])', shape)
    if not found or not all(map(_PLAIN.fullmatch, texts)):
        return (), []
    return tuple(found[1].split(" . ")), [text[1:-1] for text in texts]
