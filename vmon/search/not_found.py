"""The error of a command that found nothing: what, where, the filter, and a hint; exit code 1."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from vmon.capture.inputs import source_name
from vmon.errors import Refused
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmon.search.filter import Filter


def nothing_found(
    what: str, sources: tuple[str | None, ...], chosen: Filter | None = None
) -> Refused:
    """Make the error that sources contain nothing of a kind, or nothing that passes a filter.

    `what` follows `no`: `deliveries`, `sessions`, `minutes`.
    """
    where = source_name(sources[0]) if len(sources) == 1 else f"{len(sources):,} files"
    text = f"no {what} found in {disarm(where)}"
    if before := _last_filled(sources):
        hint = f"it is empty; the last capture with deliveries is {disarm(before)}"
        return Refused(text, hint=hint)
    if chosen is None or chosen.selects_all:
        return Refused(
            text, hint="capture events with vmon listen, or send samples with vmon trigger"
        )
    return Refused(f"{text} (filter: {chosen})", hint=_hint(chosen))


def _last_filled(sources: tuple[str | None, ...]) -> str | None:
    """The last capture with deliveries, if what was read is an empty one in the same folder."""
    if len(sources) != 1 or sources[0] is None:
        return None
    from vmon.capture.folder import last_filled

    found = last_filled(sources[0])
    return str(found) if found else None


def _hint(chosen: Filter) -> str:
    if chosen.where and chosen.where.failed:
        return chosen.where.failed
    for value in (*chosen.session, *chosen.connection, *chosen.stream, *chosen.call):
        from vmon.events.names import is_two_words  # costs an empty file nothing

        if is_two_words(value):
            return (
                f"{value} is vmon's label for a connection without a name; use the ID that "
                "vmon sessions shows beside it"
            )
    from vmon.events.catalogue import reasons, statuses

    for option, values, known in (
        ("reason", chosen.reason, reasons()),
        ("status", chosen.status, statuses()),
    ):
        if near := _near(values, known):
            return f"did you mean --{option} {shlex.quote(near)}?"
    return "run vmon stats for an overview, vmon sessions for IDs"


def _near(values: Iterable[str], known: Iterable[str]) -> str | None:
    """The known word that is close to one of the values that is none of them."""
    from difflib import get_close_matches

    by_lower = {word.lower(): word for word in known}
    for value in values:
        if value.lower() not in by_lower:
            near = get_close_matches(value.lower(), by_lower, n=1, cutoff=0.75)
            return by_lower[near[0]] if near else None
    return None
