"""What a command says that found nothing: the one sentence, why, and the way out; exit code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.capture.inputs import source_name
from vmon.errors import Refused
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from vmon.search.filter import Filter


def nothing_found(
    what: str, sources: tuple[str | None, ...], chosen: Filter | None = None
) -> Refused:
    """The error that nothing of a kind was found in sources, by a filter where there is one.

    `what` follows a `no`: `deliveries`, `sessions`, `minutes`.
    """
    where = source_name(sources[0]) if len(sources) == 1 else f"{len(sources):,} files"
    said = f"no {what} found in {disarm(where)}"
    if before := _before(sources):
        hint = f"it is empty; the last capture with deliveries is {disarm(before)}"
        return Refused(said, hint=hint)
    if chosen is None or chosen.chooses_all:
        return Refused(
            said, hint="capture events with vmon listen, or send samples with vmon trigger"
        )
    return Refused(f"{said} (filter: {chosen})", hint=_way_out(chosen))


def _before(sources: tuple[str | None, ...]) -> str | None:
    """The last capture that has something, where the one that was read is a new, empty one."""
    if len(sources) != 1 or sources[0] is None:
        return None
    from vmon.capture.folder import last_filled

    found = last_filled(sources[0])
    return str(found) if found else None


def _way_out(chosen: Filter) -> str:
    for one in (*chosen.session, *chosen.connection, *chosen.stream, *chosen.call):
        from vmon.events.names import is_two_words  # costs an empty file nothing

        if is_two_words(one):
            return (
                f"{one} is vmon's label for a connection without a name; use the ID that "
                "vmon sessions shows beside it"
            )
    return "run vmon stats for an overview, vmon sessions for IDs"
