"""The names in an expression, checked against the fields of events."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from vmon.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmon.events.entry import Entry

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*)
    |(?P<string>[bB]?[rR][bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
        |[bB]?(?:\"{3}(?:\\.|.)*?\"{3}|'{3}(?:\\.|.)*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)


_CONSTANTS = frozenset({"true", "false", "null", "in"})


_TYPES = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type"})


_LOOPS = frozenset({"all", "exists", "exists_one"})


_BUILDERS = frozenset({"map", "filter"})


_FUNCTIONS = frozenset(
    {
        *("size", "has", "contains", "startsWith", "endsWith", "matches", "type", "dyn"),
        *("string", "bytes", "double", "int", "uint", "timestamp", "duration"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
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
    "received_at": lambda entry: entry.delivery.received_at,
    "lag": lambda entry: entry.lag_s,
    "path": lambda entry: entry.delivery.path,
    "delivery": lambda entry: entry.delivery.id,
    "headers": _headers,
    "verdict": lambda entry: entry.verdict.kind if entry.verdict else None,
    "body": lambda entry: _value(entry),  # noqa: PLW0108 - it is defined below
}
"""The variables of a delivery besides the fields of its body; `body` is all of it."""


_Tree = dict[str, Any]


def _value(entry: Entry) -> Any:
    """Return the decoded body; None where it is nested too deeply for the CEL library."""
    from vmon.events.payload import DEEPEST

    payload = entry.payload
    if payload.notes and f"nested deeper than {DEEPEST}" in payload.notes:
        return None
    return payload.value


def _tokens(source: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(source):
        if found.lastgroup != "skip":
            yield _Token(str(found.lastgroup), found[0], found.start() + 1)


def _check_calls(tokens: list[_Token]) -> None:
    """Reject unknown functions, and what could run for long."""
    loops: list[int] = []
    depth = 0
    for token, after in zip(tokens, [*tokens[1:], _Token("sign", "", 0)], strict=True):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        loops = [at for at in loops if at <= depth]
        if token.kind != "name" or after.text != "(" or token.text in _FUNCTIONS:
            continue
        if token.text not in _LOOPS | _BUILDERS:
            raise _unknown_with_hint("function", token, _FUNCTIONS | _LOOPS)
        if loops or token.text in _BUILDERS:
            what = f"{token.text}() is" if token.text in _BUILDERS else "nested loops are"
            raise WrongUse(
                f"--where at character {token.at}: {what} not supported (too slow)",
                hint="use a single exists, exists_one or all",
            )
        loops.append(depth + 1)


def _bound(tokens: list[_Token]) -> set[str]:
    """Return the loop variables."""
    triples = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return {name.text for loop, sign, name in triples if loop.text in _LOOPS and sign.text == "("}


def _uses(tokens: list[_Token], bound: set[str]) -> Iterator[_Use]:
    """Yield the names of values: not constants, types or loop variables."""
    none = _Token("sign", "", 0)
    padded = [none, *tokens, none, none, none]
    for at, token in enumerate(tokens, 1):
        if token.kind != "name" or padded[at - 1].text == "." or padded[at + 1].text == "(":
            continue
        if token.text not in _CONSTANTS | bound | _TYPES:
            parts = [token]
            while [one.kind for one in padded[at + 1 : at + 3]] == ["sign", "name"]:
                if padded[at + 1].text != "." or padded[at + 3].text == "(":
                    break
                parts.append(padded[at + 2])
                at += 2  # noqa: PLW2901 - a name after a dot is skipped above
            yield _Use(tuple(part.text for part in parts), tuple(part.at for part in parts))


def _check_names(uses: list[_Use]) -> None:
    """Reject a name or field that no event type has."""
    fields = _fields()
    for parts, at in uses:
        if parts[0] in _OWN:
            continue
        here = fields
        for depth, part in enumerate(parts):
            if here and part not in here:
                raise _unknown_name(parts[:depth], _Token("name", part, at[depth]), here)
            here = here.get(part, {})


def _check_all_seen(uses: list[_Use], bound: set[str], variables: set[str]) -> None:
    """Reject what this tokenizer and the CEL library parse differently: nothing goes unchecked."""
    seen = {use.parts[0] for use in uses}
    odd = (seen - variables) | (variables - seen - bound - _TYPES)
    if odd:
        raise WrongUse("--where uses a name in an unsupported place", hint=", ".join(sorted(odd)))


def _unknown_name(above: tuple[str, ...], token: _Token, here: _Tree) -> WrongUse:
    if above:
        return _unknown_with_hint(f"field of {'.'.join(above)}", token, here)
    return _unknown_with_hint(
        "name", token, {*here, *_OWN}, f"; for any other field use body.{token.text}"
    )


def _unknown_with_hint(kind: str, token: _Token, known: Iterable[str], more: str = "") -> WrongUse:
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(token.text.lower(), by_lower, n=1, cutoff=0.6)
    names = ", ".join(sorted(by_lower.values()))
    return WrongUse(
        f"--where at character {token.at}: unknown {kind} {token.text}",
        hint=(f"did you mean {by_lower[near[0]]}?" if near else f"known: {names}") + more,
    )


@cache
def _fields() -> _Tree:
    """Return the fields of events as a tree; empty where any field may be."""
    from typing import get_args

    from vmon.events.models import Event, Undecodable

    tree: _Tree = {}
    for kind in get_args(Event):
        if kind is not Undecodable:  # it has no fields of a body
            _add_fields(tree, kind)
    return {name: below for name, below in tree.items() if ":" not in name}


def field_paths() -> list[str]:
    """List the fields of events by their paths: `connection`, `connection.id`, `reason`."""
    return [".".join(path) for path in _paths(_fields(), ())]


def _paths(tree: _Tree, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, below in tree.items():
        yield (*above, name)
        yield from _paths(below, (*above, name))


def _add_fields(tree: _Tree, kind: type) -> None:
    from msgspec.inspect import StructType, UnionType, type_info

    info = type_info(kind)
    if not isinstance(info, StructType):
        return
    for field in info.fields:
        below = tree.setdefault(field.encode_name, {})
        inner = field.type.types if isinstance(field.type, UnionType) else (field.type,)
        for one in inner:
            if isinstance(one, StructType):
                _add_fields(below, one.cls)
