"""The fields of events and their types, which expressions are checked against."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from msgspec.inspect import Type

Path = tuple[str, ...]
FieldTree = dict[str, Any]

ITEM = "[]"
"""Stands in a path for the items of a list."""


@cache
def field_kinds() -> dict[Path, frozenset[str]]:
    """List the kinds of value of each field by its path, of all event types together.

    They are int, double, string, bool, list, map, whose fields are known, dict, whose fields may
    have any name, and any.
    """
    from typing import get_args

    from vmon.events.models import Event, Undecodable

    found: dict[Path, frozenset[str]] = {}
    for shape in get_args(Event):
        if shape is not Undecodable:  # it has no fields of a body
            for path, kind in _fields_of(shape, ()):
                found[path] = found.get(path, frozenset()) | {kind}
    return found


@cache
def field_tree() -> FieldTree:
    """Build the fields as a tree; empty where anything may be."""
    tree: FieldTree = {}
    kinds = field_kinds()
    for path in kinds:
        if any(kinds[path[:depth]] & {"dict", "any"} for depth in range(1, len(path))):
            continue
        here = tree
        for part in path:
            here = here.setdefault(part, {})
    return tree


def _fields_of(shape: type, above: Path) -> Iterator[tuple[Path, str]]:
    from msgspec.inspect import StructType, type_info

    info = type_info(shape)
    if isinstance(info, StructType):
        for field in info.fields:
            if ":" not in field.encode_name:  # the name of what is not on the wire
                yield from _kinds_of(field.type, (*above, field.encode_name))


def _kinds_of(type_: Type, path: Path) -> Iterator[tuple[Path, str]]:
    from msgspec import inspect

    match type_:
        case inspect.Metadata():
            yield from _kinds_of(type_.type, path)
        case inspect.UnionType():
            for one in type_.types:
                yield from _kinds_of(one, path)
        case inspect.StructType():
            yield path, "map"
            yield from _fields_of(type_.cls, path)
        case inspect.ListType():
            yield path, "list"
            yield from _kinds_of(type_.item_type, (*path, ITEM))
        case inspect.NoneType():
            pass  # every field may be null
        case _:
            yield path, _PLAIN.get(type(type_).__name__, "any")


_PLAIN = {
    "IntType": "int",
    "FloatType": "double",
    "StrType": "string",
    "BoolType": "bool",
    "DictType": "dict",
}
