"""Google's CEL engine: compile expressions over declared names, evaluate them, word its errors."""

from __future__ import annotations

import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from vmon.errors import WrongUse
from vmon.sanitize import disarm
from vmon.search.expression_types import ITEM, Path, field_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SPACE = "v"
"""The namespace that the variables are declared in: at the top, `type` is the language's own."""
_NUMBERS = frozenset({"int", "uint", "double"})
_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in"})
_LONGEST_REASON = 100


class _Engine(NamedTuple):
    """The engine's module and its extensions."""

    cel: Any
    extensions: tuple[Any, ...]

    def environment(self, variables: Mapping[str, Any]) -> Any:
        return self.cel.NewEnv(
            variables={f"{_SPACE}.{name}": kind for name, kind in variables.items()},
            container=_SPACE,
            extensions=self.extensions,
        )


@cache
def _engine() -> _Engine:
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_math, ext_strings
    except ImportError as error:
        why = "" if isinstance(error, ModuleNotFoundError) else f", which does not load: {error}"
        raise WrongUse(
            f"--where needs the CEL engine{disarm(why)}",
            hint=f"run {disarm(sys.executable)} -m pip install '.[cel]' in vmon's checkout; "
            "where the engine has no wheel (Alpine), use --event, --reason and --status",
        ) from None
    return _Engine(cel, (ext_math.ExtMath(), ext_strings.ExtStrings()))


def parses(source: str) -> bool:
    """Whether the syntax is that of an expression, whatever it names."""
    try:
        _dynamic().compile(source, disable_check=True)
    except RuntimeError:
        return False
    return True


class Program:
    """A compiled expression; WrongUse, with the position, for an invalid one or wrong types.

    `tested` are the paths in `has()`, `used` all paths.
    """

    def __init__(self, source: str, tested: Iterable[Path], used: Iterable[Path]) -> None:
        try:
            self._expression = _dynamic().compile(source)
        except RuntimeError as error:
            # The other environment knows more of the types, and so the first error.
            _check_types(source, tested, used)
            raise _invalid_expression(source, str(error)) from None
        result = _check_types(source, tested, used) or self._expression.return_type().name()
        if result not in {"BOOL", "DYN", "google.protobuf.BoolValue"}:
            raise WrongUse(
                f"--where must be true or false, not {_type_name(result).lower()}",
                hint='compare the value: reason == "clientDisconnected"',
            )
        self._error = _engine().cel.Type.ERROR

    def evaluate(self, variables: dict[str, Any]) -> bool | str:
        """Evaluate to true or false, or to the reason where that fails."""
        values = {f"{_SPACE}.{name}": value for name, value in variables.items()}
        try:
            result = self._expression.eval(data=values)
            value = result.value()
        except RuntimeError as error:  # the engine's limits, or a value that it cannot hold
            return _reason(str(error))
        if value is True or value is False:
            return bool(value)
        if result.type() == self._error:
            return _reason(str(value))
        return f"{_type_name(result.type().name()).lower()} is not true or false"


@cache
def _dynamic() -> Any:
    """Make the environment that expressions run in: a value has its type in the body."""
    engine = _engine()
    kinds = engine.cel.Type
    variables = dict.fromkeys((path[0] for path in field_kinds()), kinds.DYN)
    own = dict.fromkeys(_own_types(kinds), kinds.DYN)
    return engine.environment(variables | own | {"received_at": kinds.TIMESTAMP})


def _own_types(kinds: Any) -> dict[str, Any]:
    text = kinds("google.protobuf.StringValue")  # may be null
    return {
        "type": kinds.STRING,
        "path": kinds.STRING,
        "delivery": kinds.STRING,
        "session": text,
        "verdict": text,
        "received_at": kinds.TIMESTAMP,
        "lag": kinds.DOUBLE,
        "body": kinds.DYN,
        "headers": kinds.Map(kinds.STRING, kinds.STRING),
    }


def _check_types(source: str, tested: Iterable[Path], used: Iterable[Path]) -> str | None:
    """Raise WrongUse for types that never fit; return the name of the result's type, if known.

    Each field is a variable of its own type, `stream.name` too; but `has()` has to see a map.
    """
    kinds = _engine().cel.Type
    left_out = set(tested)
    fields = {
        ".".join(path): _type_of(kinds, of)
        for path, of in field_kinds().items()
        if ITEM not in path and path not in left_out
    }
    try:
        compiled = _engine().environment(fields | _own_types(kinds)).compile(source)
    except RuntimeError as error:
        mixed = any(field_kinds().get(path, frozenset()) > {"int"} for path in used)
        message = str(error)
        errors = list(_ERROR.finditer(message))
        real = [match for match in errors if not _is_computable(match[3], any_operator=mixed)]
        if real or not errors:
            raise _invalid_expression(source, real[0][0] if real else message) from None
        return None
    return str(compiled.return_type().name())


def _type_of(kinds: Any, of: frozenset[str]) -> Any:
    if of == {"int", "double"}:
        of = frozenset({"double"})
    wrapped = {"string": "StringValue", "int": "Int64Value", "double": "DoubleValue"}
    wrapped["bool"] = "BoolValue"  # wrapped, it may be null
    if len(of) == 1:
        (kind,) = of
        if kind in wrapped:
            return kinds(f"google.protobuf.{wrapped[kind]}")
        if kind in {"map", "dict"}:
            return kinds.Map(kinds.STRING, kinds.DYN)
    return kinds.DYN


_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (?:Syntax error: )?([^\n]*)")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*?)\((.*)\)'")


def _is_computable(error: str, *, any_operator: bool) -> bool:
    """Whether the language defines it all the same: numbers of two types compared, or null."""
    found = _OVERLOAD.fullmatch(error.strip())
    if not found:
        return error.startswith("maximum number of ERROR")  # it ends the list
    kinds = {re.sub(r"list\((.*)\)", r"\1", kind) for kind in _kinds(found[3])}
    if "null" in kinds and found[1] in {"_==_", "_!=_"}:
        return True
    return kinds <= _NUMBERS and (any_operator or found[1] in _COMPARISONS)


def _kinds(arguments: str) -> list[str]:
    """Split and shorten the types of a call's arguments, such as `wrapper(int), list(string)`."""
    parts, depth, begin = [], 0, 0
    for at, sign in enumerate(arguments):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append((begin, at))
            begin = at + 1
    parts.append((begin, len(arguments)))
    return [_type_name(arguments[first:last].strip()) for first, last in parts]


def _type_name(name: str) -> str:
    name = re.sub(r"wrapper\((\w+)\)", r"\1", name)
    return name.removeprefix("google.protobuf.").replace("null_type", "null")


def _invalid_expression(source: str, message: str) -> WrongUse:
    if "recursion" in message:
        return WrongUse("--where is nested too deeply", hint="at most 32 levels are supported")
    found = _ERROR.search(message)
    if not found:
        return WrongUse("--where is not a valid CEL expression", hint=disarm(message[-200:]))
    lines = source.split("\n")
    at = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2])
    why, hint = _in_words(found[3].strip().removesuffix(" [INVALID_ARGUMENT]"))
    return WrongUse(f"--where at character {at}: {disarm(why)}", hint=hint)


def _in_words(error: str) -> tuple[str, str | None]:
    """Reword an error of the engine, and add a hint."""
    if unknown := re.match(r"undeclared reference to '(.*?)'", error):
        return f"unknown name {unknown[1]}", None
    if wrong := _OVERLOAD.fullmatch(error):
        kinds = [kind.lower() for kind in _kinds(wrong[3])]
        operator = re.sub(r"^_|@|_$", "", wrong[1]).replace("_", " ")
        text = f"cannot apply {operator} to {' and '.join(kinds)}"
        return text, _hint_on_types(operator, set(kinds))
    error = error.split(" expecting ", maxsplit=1)[0]
    error = error.replace("mismatched input '<EOF>'", "unexpected end of expression")
    if "has() " in error:
        return error, "use has(stream.name) or has(body.reason)"
    return error, "use == to compare" if re.search("at: '= ?'$", error) else None


def _hint_on_types(operator: str, kinds: set[str]) -> str | None:
    if kinds == {"timestamp", "string"}:
        return 'write timestamp("2026-11-24T00:00:00Z")'
    if kinds == {"duration", "string"}:
        return 'write duration("1h30m")'
    if kinds <= _NUMBERS:
        return "convert one of them: double(duration) / 60.0"
    if "string" in kinds and kinds & _NUMBERS and operator in {"==", "!=", "<", "<=", ">", ">="}:
        return "put text into quotes and numbers not"
    return None


_MISSING = re.compile(
    rf'Key not found in map : "(.*)"|No value with name "{_SPACE}\.(.*?)"', re.DOTALL
)


def _reason(error: str) -> str:
    """Shorten an error of evaluation to the reason."""
    if missing := _MISSING.search(error):
        text = f"no such key: {missing[missing.lastindex or 0]}"
    elif "SELECT to non-message" in error:
        text = "a field of what is not an object"
    elif "Iteration budget" in error:
        text = "too many items for a loop"
    elif wrong := re.search(r"No matching overloads found : (\S*?)\((.*)\)", error):
        operator = re.sub(r"^_|@|_$", "", wrong[1]).replace("_", " ")
        kinds = [kind.replace("int64", "int") for kind in _kinds(wrong[2])]
        text = f"cannot apply {operator} to {' and '.join(kinds)}"
    else:
        text = re.sub(r"^[A-Z_]+: | \[[A-Z_]+\]$", "", error)
    return disarm(text[:_LONGEST_REASON])


def missing_path(reason: str, used: Iterable[Path]) -> str:
    """Complete the key in a reason to its path, where the expression has it."""
    key = reason.removeprefix("no such key: ")
    if key == reason:
        return reason
    for path in used:
        for depth, part in enumerate(path[1:], 2):
            if part == key:
                return f"no such key: {'.'.join(path[:depth])}"
    return reason
