"""What of a line gives way on a narrow terminal: IDs first, then names; the decisive word stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.render.style import HANDLE_COLOURS, Piece, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORT_NAME = 7
"""Columns that are left of a name that has to give way."""


def fitted(
    head: list[Piece], about: list[Piece], decisive: frozenset[str], width: int
) -> list[Piece]:
    """Join the head of a line and what it is about, so that the decisive words fit the width.

    Only what has to go goes; what stands after the decisive words may still be cut.
    """
    for pieces in _attempts(head, about, decisive):
        if _fits(pieces, decisive, width):
            break
    return pieces


def _fits(pieces: list[Piece], decisive: frozenset[str], width: int) -> bool:
    """Whether the last of the decisive words is whole, with room for an ellipsis if one follows."""
    places = [at for at, piece in enumerate(pieces) if _is_decisive(piece, decisive)]
    if not places:
        return True
    last = places[-1]
    before = sum(columns_of(text) for _, text in pieces[:last])
    needed = before + columns_of(pieces[last][1].rstrip(" :"))
    return needed + (last < len(pieces) - 1) <= width


def _attempts(
    head: list[Piece], about: list[Piece], decisive: frozenset[str]
) -> Iterator[list[Piece]]:
    """Yield the line as it is, then with less and less of what can be spared."""
    head, about = list(head), list(about)
    yield head + about
    for shorten in (_without_id, _without_title, _with_short_name):
        for at in reversed(range(len(about))):
            if not _is_decisive(about[at], decisive) and (piece := shorten(about[at])):
                about[at] = piece
                yield head + about
    about = [piece for piece in about if piece[1]]
    for shorten in (_without_clause, _without_padding, _without_id):
        head = [shorten(piece) or piece for piece in head]
        yield head + about
    about.sort(key=lambda piece: not _is_decisive(piece, decisive))
    yield head + about


def _is_decisive(piece: Piece, decisive: frozenset[str]) -> bool:
    return piece[1].rstrip(" :") in decisive


_GONE: Piece = ("", "")


def _without_id(piece: Piece) -> Piece | None:
    return _GONE if piece[0] in HANDLE_COLOURS else None


def _without_title(piece: Piece) -> Piece | None:
    """Drop the name of a stream or an archive, the kind of a video, a size."""
    return _GONE if not piece[0] and piece[1] else None


def _with_short_name(piece: Piece) -> Piece | None:
    """Shorten the name of a person."""
    style, text = piece
    if style != "name" or len(text) <= _SHORT_NAME + 2:
        return None
    return style, text[:_SHORT_NAME] + "… "


def _without_clause(piece: Piece) -> Piece | None:
    """Keep only the word of a verdict."""
    style, text = piece
    return (style, text.partition(":")[0] + " ") if style in {"failed", "warning"} else None


def _without_padding(piece: Piece) -> Piece | None:
    return piece[0], piece[1].strip() + " "
