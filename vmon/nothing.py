"""What a command says that found nothing: the one sentence, why, and the way out; exit code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.errors import Refused
from vmon.streams import source_name
from vmon.text import disarm

if TYPE_CHECKING:
    from vmon.filters import Filter


def nothing(what: str, sources: tuple[str | None, ...], chosen: Filter | None = None) -> Refused:
    """The error that nothing of a kind was found in sources, by a filter where there is one.

    `what` follows a `no`: `delivery`, `session`, `minutes`.
    """
    where = source_name(sources[0]) if len(sources) == 1 else f"{len(sources):,} files"
    said = f"nothing was found: no {what} in {disarm(where)}"
    if chosen is None or chosen.chooses_all:
        return Refused(said, hint="vmon listen captures what comes, vmon trigger sends samples")
    return Refused(f"{said}; asked for: {chosen}", hint=_way_out(chosen))


def _way_out(chosen: Filter) -> str:
    for one in (*chosen.session, *chosen.connection, *chosen.stream, *chosen.call):
        from vmon.handles import is_two_words  # costs an empty file nothing

        if is_two_words(one):
            return (
                f"{one} is what vmon calls a connection without a name: vmon sessions shows its "
                "ID beside it, which --connection takes"
            )
    return "vmon stats shows what there is, vmon sessions the IDs"
