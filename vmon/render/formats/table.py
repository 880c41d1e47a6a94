"""Entries as a table: CSV, TSV, or aligned columns.

A field is `type`, `session`, `received_at`, `lag`, `path`, `method`, `remote` or `delivery` (its
id), else a path into the body: `stream.name`, `streams.0.streamId`; `body.x` is any field x.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Literal

from vmon.errors import WrongUse
from vmon.humanize import iso
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.events.entry import Entry

TableKind = Literal["csv", "tsv", "columns"]
DEFAULT_FIELDS = (
    "received_at",
    "type",
    "session",
    "connection.id",
    "stream.id",
    "stream.name",
    "id",
    "status",
    "reason",
)
"""The fields of a table without --fields."""

OWN = ("type", "session", "received_at", "lag", "path", "method", "remote", "delivery")
"""The fields that are not paths into the body."""
_MAX_WIDTH = 48
_TSV_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def fields_of(text: str | None) -> tuple[str, ...]:
    """Split a comma list of fields; WrongUse if one is empty, or none of any event."""
    names = tuple(part.strip() for part in text.split(",")) if text is not None else DEFAULT_FIELDS
    if not all(names):
        raise WrongUse(
            f"empty field name in {text!r}", hint="use --fields session,reason,stream.name"
        )
    for name in names:
        _check_known(name)
    return names


def _check_known(name: str) -> None:
    from vmon.search.expression_names import field_paths

    known = {*OWN, *field_paths()}
    if name in known or name.partition(".")[0] in {"body", *known}:
        return
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    meant = f"did you mean {near[0]}? " if near else ""
    raise WrongUse(
        f"no event has a field {name}",
        hint=f"{meant}for any other field of the body use body.{name}",
    )


class TableFormatter:
    """Formats entries as rows of a table; columns are as wide as the first rows need.

    `for_people` removes control characters, for a terminal.
    """

    def __init__(
        self, names: tuple[str, ...], kind: TableKind, *, for_people: bool = False
    ) -> None:
        self._names = names
        self._kind = kind
        self._for_people = for_people or kind == "columns"
        self._widths: list[int] | None = None
        self._seen: set[str] = set()

    def begin(self) -> bytes:
        """The header; aligned columns have it with the first rows."""
        return b"" if self._kind == "columns" else self._encoded([list(self._names)])

    def each(self, entries: Iterable[Entry]) -> bytes:
        """Format entries as rows."""
        rows = [[self._cell(entry, name) for name in self._names] for entry in entries]
        if self._kind == "columns" and self._widths is None and rows:
            rows.insert(0, list(self._names))
            self._widths = [
                min(_MAX_WIDTH, max(map(len, column))) for column in zip(*rows, strict=True)
            ]
        return self._encoded(rows)

    def end(self) -> bytes:
        """Nothing: there is no footer."""
        return b""

    def unseen(self) -> list[str]:
        """The fields that no entry had."""
        return [name for name in self._names if name not in self._seen]

    def _cell(self, entry: Entry, name: str) -> str:
        value = field(entry, name)
        if value is not None:
            self._seen.add(name)
        text = _text(value)
        if self._for_people:
            return disarm(text)
        return text if self._kind == "csv" else text.translate(_TSV_ESCAPES)

    def _encoded(self, rows: list[list[str]]) -> bytes:
        if self._kind == "csv":
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows(rows)
            return out.getvalue().encode("utf-8", "backslashreplace")
        if self._kind == "tsv":
            text = "".join("\t".join(row) + "\n" for row in rows)
            return text.encode("utf-8", "backslashreplace")
        return "".join(self._padded(row) + "\n" for row in rows).encode()

    def _padded(self, row: list[str]) -> str:
        widths = self._widths or [0] * len(row)
        return "  ".join(map(str.ljust, row, widths)).rstrip()


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def field(entry: Entry, name: str) -> Any:
    """The value of a field; None if the entry has none."""
    delivery = entry.delivery
    match name:
        case "type" | "session":
            return getattr(entry, name)
        case "received_at":
            return None if (at := delivery.received_or_none) is None else iso(at)
        case "lag":
            return None if entry.lag_s is None else round(entry.lag_s, 3)
        case "path" | "method" | "remote":
            return getattr(delivery, name)
        case "delivery":
            return delivery.id
        case _:
            return _of_body(entry.payload.value, name)


def _of_body(value: Any, name: str) -> Any:
    """What a path leads to in a body; `body` before it may be left out."""
    if name == "body":
        return value
    found = _lookup(value, name)
    is_marked = found is None and name.startswith("body.")
    return _lookup(value, name.removeprefix("body.")) if is_marked else found


def _lookup(value: Any, name: str) -> Any:
    if isinstance(value, dict) and name in value:
        return value[name]
    for step in name.split("."):
        match value:
            case dict():
                value = value.get(step)
            case list() if step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            case _:
                return None
    return value
