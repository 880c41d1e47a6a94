"""The names in an expression, checked against the fields of events."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from vmon.errors import WrongUse
from vmon.search.expression_types import ITEM, FieldTree, Path, field_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.events.entry import Entry

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
    |(?P<string>[bB]?[rR][bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\.|.)*?\"{3}|'{3}(?:\\.|.)*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]*`)
    |(?P<sign>&&|\|\||[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)


_CONSTANTS = frozenset({"true", "false", "null", "in"})


_TYPES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type"})


_LOOPS = frozenset({"all", "exists", "exists_one"})


_BUILDERS = frozenset({"map", "filter"})


_GROWING = frozenset({"replace", "join", "format"})
"""Functions with results larger than their arguments: in a chain or a loop without a bound."""


_SEARCHES = frozenset({"contains", "indexOf", "lastIndexOf", "matches"})
"""Functions whose time grows with the product of the sizes of their arguments."""


_NAMESPACES = frozenset({"math", "strings"})


_FUNCTIONS = frozenset(
    {
        *("size", "has", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("string", "bytes", "double", "int", "uint", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
        *("charAt", "indexOf", "lastIndexOf", "lowerAscii", "upperAscii", "quote", "reverse"),
        *("split", "substring", "trim", "replace", "join", "format"),
        *("greatest", "least", "ceil", "floor", "round", "trunc", "abs", "sign", "sqrt"),
        *("isInf", "isNaN", "isFinite"),
        *("bitOr", "bitAnd", "bitXor", "bitNot", "bitShiftLeft", "bitShiftRight"),
    }
)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Use(NamedTuple):
    """A name with its field path, `stream.videoType`, and the position of each part."""

    parts: tuple[str, ...]
    at: tuple[int, ...]


def _headers(entry: Entry) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in entry.delivery.headers:
        found.setdefault(name.lower(), value)
    return found


_OWN: dict[str, Callable[[Entry], Any]] = {
    "type": lambda entry: entry.type,
    "session": lambda entry: entry.session,
    "received_at": lambda entry: entry.delivery.received_or_none,
    "lag": lambda entry: entry.lag_s,
    "path": lambda entry: entry.delivery.path,
    "delivery": lambda entry: entry.delivery.id,
    "headers": _headers,
    "verdict": lambda entry: entry.verdict.kind if entry.verdict else None,
    "body": lambda entry: _value(entry),  # noqa: PLW0108 - it is defined below
}
"""The variables of a delivery besides the fields of its body; `body` is all of it."""


def _value(entry: Entry) -> Any:
    """Return the decoded body; None where it is nested too deeply for the engine."""
    from vmon.events.payload import DEEPEST

    payload = entry.payload
    if payload.notes and f"nested deeper than {DEEPEST}" in payload.notes:
        return None
    return payload.value


def _tokens(source: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(source):
        if found.lastgroup != "skip":
            text = found[0].strip("`") if found.lastgroup == "name" else found[0]
            yield _Token(str(found.lastgroup), text, found.start() + 1)


def _calls(tokens: list[_Token]) -> Iterator[tuple[int, _Token]]:
    """Yield each name that is called, with its index in the tokens."""
    for at, (token, after) in enumerate(pairwise(tokens)):
        if token.kind == "name" and after.text == "(" and after.kind == "sign":
            yield at, token


def _check_calls(tokens: list[_Token]) -> None:
    """Reject unknown functions, and what could run for long."""
    named = [token for _, token in _calls(tokens)]
    for token in named:
        if token.text not in _FUNCTIONS | _LOOPS | _BUILDERS:
            raise _unknown_with_hint("function", token, _FUNCTIONS | _LOOPS)
    growing = [token for token in named if token.text in _GROWING]
    if growing and any(token.text in _LOOPS for token in named):
        raise _too_slow(growing[0], f"{growing[0].text}() beside a loop is")
    if len(growing) > 1:
        raise _too_slow(growing[1], "a second replace, join or format is")
    _check_loops(tokens)


def _check_loops(tokens: list[_Token]) -> None:
    loops: list[int] = []
    depth = 0
    called = {at for at, _ in _calls(tokens)}
    for at, token in enumerate(tokens):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        loops = [level for level in loops if level <= depth]
        if at not in called or token.text not in _LOOPS | _BUILDERS:
            continue
        if loops or token.text in _BUILDERS:
            what = f"{token.text}() is" if token.text in _BUILDERS else "nested loops are"
            raise _too_slow(token, what)
        loops.append(depth + 1)


def _too_slow(token: _Token, what: str) -> WrongUse:
    hint = None if token.text in _GROWING else "use a single exists, exists_one or all"
    return WrongUse(f"--where at character {token.at}: {what} not supported (too slow)", hint=hint)


def _is_costly(tokens: list[_Token]) -> bool:
    """Whether its time may grow faster than the size of its values."""
    for at, token in _calls(tokens):
        if token.text in _LOOPS | _GROWING | {"split"}:
            return True
        literal = [one.kind for one in tokens[at + 2 : at + 4]] == ["string", "sign"]
        if token.text in _SEARCHES and not (literal and tokens[at + 3].text == ")"):
            return True
    return False


class _Binding(NamedTuple):
    """A loop variable, and the path of the list that the loop runs over, if it is a field."""

    name: _Token
    path: Path


def _bindings(tokens: list[_Token], uses: list[_Use]) -> list[_Binding]:
    """Return the loop variables in order; WrongUse for one that has the name of a field."""
    ends = {use.at[-1]: use.parts for use in uses}
    found = []
    for at, token in _calls(tokens):
        if token.text in _LOOPS and tokens[at + 2 : at + 3]:
            name = tokens[at + 2]
            if name.text in _OWN or name.text in field_tree():
                raise WrongUse(
                    f"--where at character {name.at}: {name.text} is the name of a field",
                    hint="choose another name for the loop's items",
                )
            found.append(_Binding(name, ends.get(tokens[at - 2].at, ()) if at > 1 else ()))
    return found


def _bound(tokens: list[_Token]) -> set[str]:
    """Return the names of loop variables."""
    return {
        tokens[at + 2].text
        for at, token in _calls(tokens)
        if token.text in _LOOPS and tokens[at + 2 : at + 3]
    }


def _tested(tokens: list[_Token], uses: list[_Use]) -> list[Path]:
    """Return the paths in `has()`."""
    after = {
        tokens[at + 2].at
        for at, token in _calls(tokens)
        if token.text == "has" and tokens[at + 2 : at + 3]
    }
    return [use.parts for use in uses if use.at[0] in after]


def _uses(tokens: list[_Token], bound: set[str]) -> Iterator[_Use]:
    """Yield the names of values: not constants, types or loop variables."""
    none = _Token("sign", "", 0)
    padded = [none, *tokens, none, none, none]
    for at, token in enumerate(tokens, 1):
        if token.kind != "name" or padded[at - 1].text == "." or padded[at + 1].text == "(":
            continue
        of_a_namespace = token.text in _NAMESPACES and padded[at + 3].text == "("
        if token.text not in _CONSTANTS | bound | _TYPES and not of_a_namespace:
            parts = [token]
            while [one.kind for one in padded[at + 1 : at + 3]] == ["sign", "name"]:
                if padded[at + 1].text != "." or padded[at + 3].text == "(":
                    break
                parts.append(padded[at + 2])
                at += 2  # noqa: PLW2901 - a name after a dot is skipped above
            yield _Use(tuple(part.text for part in parts), tuple(part.at for part in parts))


def _check_names(uses: list[_Use]) -> None:
    """Reject a name or field that no event type has."""
    for use in uses:
        if use.parts[0] not in _OWN:
            _check_fields(use.parts, use.at, (), field_tree())


def _check_items(uses: list[_Use], bindings: list[_Binding]) -> None:
    """Reject a field of a loop variable that the items of its list do not have."""
    for use in uses:
        before = [
            one for one in bindings if one.name.text == use.parts[0] and one.name.at < use.at[0]
        ]
        here = field_tree() if before and before[-1].path else {}
        for part in (*before[-1].path, ITEM) if here else ():
            here = here.get(part, {})
        if here:
            _check_fields(use.parts[1:], use.at[1:], before[-1].path, here)


def _check_fields(parts: Path, at: tuple[int, ...], above: Path, here: FieldTree) -> None:
    for depth, part in enumerate(parts):
        if here and part not in here:
            raise _unknown_name((*above, *parts[:depth]), _Token("name", part, at[depth]), here)
        here = here.get(part, {})


def _unknown_name(above: tuple[str, ...], token: _Token, here: FieldTree) -> WrongUse:
    if above:
        return _unknown_with_hint(f"field of {'.'.join(above)}", token, here)
    return _unknown_with_hint(
        "name", token, {*here, *_OWN}, f"; for any other field use body.{token.text}"
    )


def _unknown_with_hint(kind: str, token: _Token, known: Iterable[str], more: str = "") -> WrongUse:
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in known if name != ITEM}
    near = get_close_matches(token.text.lower(), by_lower, n=1, cutoff=0.6)
    names = ", ".join(sorted(by_lower.values()))
    return WrongUse(
        f"--where at character {token.at}: unknown {kind} {token.text}",
        hint=(f"did you mean {by_lower[near[0]]}?" if near else f"known: {names}") + more,
    )


def field_paths() -> list[str]:
    """List the fields of events by their paths: `connection`, `connection.id`, `reason`."""
    return [".".join(path) for path in _paths(field_tree(), ())]


def _paths(tree: FieldTree, above: Path) -> Iterator[Path]:
    for name, below in tree.items():
        if name != ITEM:
            yield (*above, name)
            yield from _paths(below, (*above, name))
