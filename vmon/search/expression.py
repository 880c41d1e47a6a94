"""`--where`: an expression in CEL over what a delivery says, checked once, total ever after.

The language is Google's Common Expression Language, less what could run for long: loops in loops
and the macros that build lists. Evaluation raises nothing: what fails is no match.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from vmon.errors import WrongUse
from vmon.humanize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

    from vmon.events.entry import Entry

LONGEST = 2000
"""Characters of an expression: what the parser takes without running out of stack."""
MOST_LOOPED = 1 << 14
"""Bytes of a body that a loop may go over: a loop's time grows with the square of it."""
_MOST_KNOWN = 4096
_LONGEST_KNOWN = 512

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
_KINDS = frozenset({"int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type"})
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
    """A name with the fields asked of it, `stream.videoType`, and where each part stands."""

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
    "headers": _headers,
    "verdict": lambda entry: entry.verdict.kind if entry.verdict else None,
    "body": lambda entry: _value(entry),  # noqa: PLW0108 - it is defined below
}
"""What a delivery says beside the fields of its body; `body` is the whole of that."""
_EVER_NEW = frozenset({"received_at", "lag"})
_Tree = dict[str, Any]


class Where:
    """A compiled expression: callable on an entry, true where the expression is.

    A field that is not there makes it false. WrongUse, with the place, for what is no expression,
    or names what no event has.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise WrongUse(f"--where is longer than {LONGEST} characters")
        self.source = source
        self._program = _compiled(source)
        tokens = list(_tokens(source))
        _check_calls(tokens)
        bound = _bound(tokens)
        uses = list(_uses(tokens, bound))
        _check_names(uses)
        _check_all_seen(uses, bound, set(self._program.variables()))
        self._loops = any(token.text in _LOOPS and token.kind == "name" for token in tokens)
        self._tree = _tree(use.parts for use in uses)
        self._known: dict[str, bool] | None = None if self._tree.keys() & _EVER_NEW else {}
        self.types, self.needle = _musts(tokens)
        self._check_result()

    def __call__(self, entry: Entry) -> bool:
        """Whether the expression is true of the entry; False where it cannot be told."""
        if self._loops and len(entry.delivery.body) > MOST_LOOPED:
            return False
        asked = self._asked(entry)
        if self._known is None:
            return self._evaluated(asked) is True
        key = repr(asked)
        known = self._known.get(key)
        if known is None:
            known = self._evaluated(asked) is True
            if len(self._known) < _MOST_KNOWN and len(key) < _LONGEST_KNOWN:
                self._known[key] = known
        return known

    def _asked(self, entry: Entry) -> dict[str, Any]:
        """What the expression names, and nothing else: the language takes long over values."""
        asked = {}
        value: Any = None
        for name, tree in self._tree.items():
            if own := _OWN.get(name):
                found = own(entry)
                if found is None and name == "lag":
                    continue
                asked[name] = _pruned(found, tree)
            else:
                value = value if value is not None else _value(entry)
                if type(value) is dict and name in value:
                    asked[name] = _pruned(value[name], tree)
        return asked

    def _evaluated(self, asked: dict[str, Any]) -> object:
        try:
            return self._program.execute(asked)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
            return error

    def _check_result(self) -> None:
        """See on the samples that there is a truth value to be had."""
        from vmon.events.catalogue import TYPES

        for entry in map(_sampled, TYPES):
            result = self._evaluated({"lag": 0.0} | self._asked(entry))
            if not isinstance(result, bool | BaseException):
                kind = type(result).__name__
                raise WrongUse(
                    f"--where must be true or false, not {kind}",
                    hint='compare the value: reason == "clientDisconnected"',
                )

    def __str__(self) -> str:
        """As it is told."""
        return f"where {disarm(self.source)}"


def _value(entry: Entry) -> Any:
    """The decoded body; None where it is nested so deeply that the language would break."""
    from vmon.events.parse import DEEPEST

    payload = entry.payload
    if payload.notes and f"nested deeper than {DEEPEST}" in payload.notes:
        return None
    return payload.value


def _pruned(value: Any, tree: _Tree) -> Any:
    """A value with only those of its fields that are asked for; whole where the tree ends."""
    if not tree or type(value) is not dict:
        return value
    return {name: _pruned(value[name], below) for name, below in tree.items() if name in value}


def _tree(paths: Iterable[tuple[str, ...]]) -> _Tree:
    """The paths as one tree; what is asked for as a whole has nothing below it."""
    tree: _Tree = {}
    for path in sorted(set(paths), key=len):  # the shorter ones first: they are the wholes
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
    """The language: its extension module alone, without the command line that is around it."""
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


def _compiled(source: str) -> Any:
    try:
        return _cel().compile(source)
    except (KeyboardInterrupt, SystemExit, WrongUse):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic in Rust is no Exception
        raise _no_expression(source, str(error)) from None


def _no_expression(source: str, said: str) -> WrongUse:
    found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", said)
    if not found:
        return WrongUse("--where is not a valid CEL expression", hint=disarm(said[-200:]))
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


def _tokens(source: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(source):
        if found.lastgroup != "skip":
            yield _Token(str(found.lastgroup), found[0], found.start() + 1)


def _check_calls(tokens: list[_Token]) -> None:
    """Refuse functions that do not exist, and what could take long."""
    loops: list[int] = []
    depth = 0
    for token, after in zip(tokens, [*tokens[1:], _Token("sign", "", 0)], strict=True):
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "sign" else 0
        loops = [at for at in loops if at <= depth]
        if token.kind != "name" or after.text != "(" or token.text in _FUNCTIONS:
            continue
        if token.text not in _LOOPS | _BUILDERS:
            raise _unlike("function", token, _FUNCTIONS | _LOOPS)
        if loops or token.text in _BUILDERS:
            what = f"{token.text}() is" if token.text in _BUILDERS else "nested loops are"
            raise WrongUse(
                f"--where at character {token.at}: {what} not supported (too slow)",
                hint="use a single exists, exists_one or all",
            )
        loops.append(depth + 1)


def _bound(tokens: list[_Token]) -> set[str]:
    """The names that loops give to what they go over."""
    triples = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return {name.text for loop, sign, name in triples if loop.text in _LOOPS and sign.text == "("}


def _uses(tokens: list[_Token], bound: set[str]) -> Iterator[_Use]:
    """The names that stand for values, but for constants, kinds and what a loop names."""
    none = _Token("sign", "", 0)
    padded = [none, *tokens, none, none, none]
    for at, token in enumerate(tokens, 1):
        if token.kind != "name" or padded[at - 1].text == "." or padded[at + 1].text == "(":
            continue
        if token.text not in _CONSTANTS | bound | _KINDS:
            parts = [token]
            while [one.kind for one in padded[at + 1 : at + 3]] == ["sign", "name"]:
                if padded[at + 1].text != "." or padded[at + 3].text == "(":
                    break
                parts.append(padded[at + 2])
                at += 2  # noqa: PLW2901 - what follows a dot is passed over above
            yield _Use(tuple(part.text for part in parts), tuple(part.at for part in parts))


def _check_names(uses: list[_Use]) -> None:
    """Refuse a name, or a field of a known thing, that no type of event has."""
    fields = _fields()
    for parts, at in uses:
        if parts[0] in _OWN:
            continue
        here = fields
        for depth, part in enumerate(parts):
            if here and part not in here:
                raise _no_name(parts[:depth], _Token("name", part, at[depth]), here)
            here = here.get(part, {})


def _check_all_seen(uses: list[_Use], bound: set[str], variables: set[str]) -> None:
    """Refuse what was read in another way here than by the language: nothing goes unchecked."""
    seen = {use.parts[0] for use in uses}
    odd = (seen - variables) | (variables - seen - bound - _KINDS)
    if odd:
        raise WrongUse("--where uses a name in an unsupported place", hint=", ".join(sorted(odd)))


def _no_name(above: tuple[str, ...], token: _Token, here: _Tree) -> WrongUse:
    if above:
        return _unlike(f"field of {'.'.join(above)}", token, here)
    return _unlike("name", token, {*here, *_OWN}, f"; for any other field use body.{token.text}")


def _unlike(kind: str, token: _Token, known: Iterable[str], more: str = "") -> WrongUse:
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
    """The fields that events have, as a tree; empty where anything may stand."""
    from typing import get_args

    from vmon.events.models import Event, Undecodable

    tree: _Tree = {}
    for kind in get_args(Event):
        if kind is not Undecodable:  # it has no fields of a body
            _add_fields(tree, kind)
    return {name: below for name, below in tree.items() if ":" not in name}


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


def _musts(tokens: list[_Token]) -> tuple[frozenset[str] | None, str | None]:
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
