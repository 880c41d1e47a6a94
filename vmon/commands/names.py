"""The names of connections in whole captures, for output that shows only a part of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.capture import inputs
from vmon.events.names import name_in_data
from vmon.events.verdict import is_trusted
from vmon.search import reader
from vmon.search.filter import Filter
from vmon.sessions.reducer import earliest

if TYPE_CHECKING:
    from collections.abc import Callable


def known_names(
    sources: tuple[str | None, ...],
    event_filter: Filter,
    name_of: Callable[[str | None], str | None] | None = None,
) -> Callable[[str, str], str | None] | None:
    """A lookup of names by session and connection, where a filter may hide what tells them.

    The captures are read when a name is wanted first, at the speed of a filter by type. None where
    nothing is hidden, or where a source can be read only once: standard input, a pipe, a FIFO.
    """
    if event_filter.selects_all or not all(map(inputs.can_be_read_again, sources)):
        return None
    names: dict[tuple[str, str], str] | None = None

    def find(session: str, connection: str) -> str | None:
        nonlocal names
        if names is None:
            names = _names(sources, name_of or name_in_data)
        return names.get((session, connection))

    return find


def _names(
    sources: tuple[str | None, ...], name_of: Callable[[str | None], str | None]
) -> dict[tuple[str, str], str]:
    names: dict[tuple[str, str], str] = {}
    created = Filter(types=frozenset({"connectionCreated"}))
    for _, entry in reader.lines(sources, created, lambda _bad: None):
        connection = getattr(entry.event, "connection", None)
        if connection is None or not connection.data or not is_trusted(entry.verdict):
            continue
        if entry.session and connection.id and (name := name_of(connection.data)):
            key = entry.session, connection.id
            names[key] = earliest(names.get(key), name) or name
    return names
