"""The report of `vmon events`: event types, with fields from the event structs."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from io import StringIO
from types import NoneType
from typing import Any, NamedTuple, TextIO, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct
from msgspec.structs import fields
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vmon.events.catalogue import EventType
from vmon.events.parse import SHAPES


class FieldInfo(NamedTuple):
    """A field of a payload: its dotted path, JSON type, unit, meaning, certainty and example."""

    path: str
    kind: str
    unit: str | None
    meaning: str
    sure: str
    example: str | None


def fields_of(name: str) -> list[FieldInfo]:
    """List the fields of a type's payload, nested fields after their parent."""
    shape = SHAPES.get(name)
    return list(_fields(shape, name, "")) if shape else []


def _fields(shape: type[Struct], name: str, path: str) -> Iterator[FieldInfo]:
    hints = get_type_hints(shape, include_extras=True)
    for field in fields(shape):
        wire, metas = hints[field.name], getattr(hints[field.name], "__metadata__", ())
        meta = next((each for each in metas if isinstance(each, Meta)), None)
        if meta is None or (meta.extra or {}).get("only", name) != name:
            continue
        yield _field_info(path + field.encode_name, wire, meta)
        for inner, suffix in _structs(wire):
            yield from _fields(inner, name, f"{path}{field.encode_name}{suffix}.")


def _field_info(path: str, wire: Any, meta: Meta) -> FieldInfo:
    extra = meta.extra or {}
    kinds = " or ".join(dict.fromkeys(_kind(option) for option in _options(wire)))
    details = (extra.get("unit"), meta.description or "", extra["sure"], extra.get("example"))
    return FieldInfo(path, kinds, *details)


def _options(wire: Any) -> list[Any]:
    """Split `Annotated[A | B | None, …]` into A and B."""
    inner = get_args(wire)[0] if hasattr(wire, "__metadata__") else wire
    options = [inner] if get_origin(inner) in {list, dict} else get_args(inner) or [inner]
    return [option for option in options if option is not NoneType]


def _structs(wire: Any) -> list[tuple[type[Struct], str]]:
    """Find the first struct in a field's type, and the suffix of its path: `[]` for a list."""
    candidates = [
        (get_args(option)[0], "[]") if get_origin(option) is list else (option, "")
        for option in _options(wire)
    ]
    return [(each, suffix) for each, suffix in candidates if _is_struct(each)][:1]


def _is_struct(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, Struct)


_KINDS = {str: "string", int: "number", float: "number", bool: "boolean"}


def _kind(option: Any) -> str:
    return "list" if get_origin(option) is list else _KINDS.get(option, "object")


# JSON.


def as_json(entries: list[EventType]) -> str:
    """Format event types as one JSON document: a list of objects."""
    return json.dumps([_plain(entry) for entry in entries], indent=2, ensure_ascii=False) + "\n"


def _plain(entry: EventType) -> dict[str, Any]:
    document = entry._asdict()
    payload = [field._asdict() for field in fields_of(entry.name)]
    return document | {"ordinary_reasons": sorted(entry.ordinary_reasons), "fields": payload}


# Text.

_WIDE = 110
_NARROW = 60
_UNLIMITED = 100_000


class Columns:
    """Rows as a grid if the console is wide enough, else with the cells below each other."""

    def __init__(self, rows: Iterable[tuple[str, ...]], min_width: int) -> None:
        self.rows = list(rows)
        self.min_width = min_width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the console's width."""
        yield self._grid() if options.max_width >= self.min_width else self._stack()

    def _grid(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        for _ in self.rows[0][1:]:
            grid.add_column(overflow="fold")
        for row in self.rows:
            grid.add_row(*row)
        return grid

    def _stack(self) -> Table:
        stack = Table.grid()
        stack.add_column(overflow="fold")
        for name, *between, meaning in self.rows:
            stack.add_row(Text(name, "bold"))
            if details := ", ".join(filter(None, between)):
                stack.add_row(Padding(Text(details, "dim"), (0, 0, 0, 2)))
            stack.add_row(Padding(Text(meaning), (0, 0, 0, 2)))
        return stack


def overview(entries: list[EventType]) -> list[RenderableType]:
    """Show the catalogue: type, group, meaning."""
    return [Columns([(entry.name, entry.group, entry.meaning) for entry in entries], _NARROW)]


def explanations(entries: list[EventType]) -> list[RenderableType]:
    """Explain event types: meaning, fields, reasons, states, sample."""
    parts = [_explanation(entry) for entry in entries]
    return reduce(lambda above, below: [*above, Text(), *below], parts)


def _explanation(entry: EventType) -> list[RenderableType]:
    state = "States" if entry.group == "call" else "Statuses"
    reasons = (
        "Reasons" if entry.closed_reasons else "Known reasons (free text, others are possible)"
    )
    return [
        Text.assemble((entry.name, "bold cyan"), ("  " + entry.group, "dim")),
        Text(entry.meaning),
        Text(f"Recognised {entry.recognised}.", "dim"),
        *_section("Fields", [_row(field) for field in fields_of(entry.name)]),
        *_section(reasons, _pairs(entry.reasons)),
        *_section(state, _pairs(entry.statuses)),
        *_section("Codes (reason_code)", _pairs(entry.codes)),
        *_sample(entry),
    ]


def _row(field: FieldInfo) -> tuple[str, str, str, str]:
    certainty = "" if field.sure == "documented" else f" ({_SURE[field.sure]})"
    example = f" Example: {field.example}" if field.example else ""
    return field.path, field.kind, field.unit or "", field.meaning + certainty + example


_SURE = {
    "seen": "seen in a published payload or handler",
    "inferred": "inferred, not documented",
}


def _pairs(meanings: Mapping[str, str]) -> list[tuple[str, ...]]:
    return list(meanings.items())


def _section(title: str, rows: Iterable[tuple[str, ...]]) -> list[RenderableType]:
    rows = list(rows)
    if not rows:
        return []
    min_width = _WIDE if len(rows[0]) > len(("name", "meaning")) else _NARROW
    return [Text(), Text(title, "bold"), Padding(Columns(rows, min_width), (0, 0, 0, 2))]


def _sample(entry: EventType) -> list[RenderableType]:
    if not entry.sample:
        return []
    text = json.dumps(entry.sample, indent=2, ensure_ascii=False)
    return [Text(), Text("Sample", "bold"), Text(text, no_wrap=True, overflow="ignore")]


def show(parts: list[RenderableType], out: TextIO) -> None:
    """Print to a terminal at its width; into a pipe as plain lines, not wrapped or truncated."""
    if out.isatty():
        console = Console(file=out, markup=False, highlight=False, emoji=False)
        console.print(*parts, sep="\n")
        return
    plain = StringIO()
    console = Console(
        file=plain, width=_UNLIMITED, no_color=True, force_terminal=False, markup=False, emoji=False
    )
    console.print(*parts, sep="\n", highlight=False)
    out.write("".join(line.rstrip() + "\n" for line in plain.getvalue().splitlines()))
