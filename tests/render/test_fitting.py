"""What gives way on a narrow terminal, and what never does."""

import json

import pytest

from tests.support.factories import make_entry
from vmon.events.catalogue import TYPES
from vmon.render.fitting import fitted
from vmon.render.line import line
from vmon.render.style import LineStyle, Paint, Piece
from vmon.render.subject import handle_of
from vmon.sessions.tracker import Annotation

HEAD: list[Piece] = [("dim", "21:14:56.953 "), ("destroyed", "- streamDestroyed     ")]
ABOUT: list[Piece] = [
    handle_of("c053fcc8-c681"), ("name", "Annabelle Winter "), ("", '"desk" '), ("", "camera "),
    handle_of("63245362-e00e"), ("warning", "networkDisconnected: "), ("dim", "It was lost "),
]  # fmt: skip # a line's parts
DECISIVE = frozenset({"networkDisconnected"})


def text(width: int) -> str:
    return "".join(part for _, part in fitted(HEAD, ABOUT, DECISIVE, width)).rstrip()


def test_what_fits_stays_as_it_is() -> None:
    assert text(200) == "".join(part for _, part in HEAD + ABOUT).rstrip()


def test_ids_go_first_the_last_of_them_before_the_others() -> None:
    assert "c053fcc8 Annabelle" in text(95)
    assert "63245362" not in text(95)
    assert "c053fcc8" not in text(94)
    assert 'Annabelle Winter "desk" camera networkDisconnected' in text(94)


def test_then_go_titles_and_at_last_the_length_of_a_name() -> None:
    assert "Annabelle Winter networkDisconnected" in text(72)
    assert "Annabel… networkDisconnected" in text(64)


@pytest.mark.parametrize("width", [80, 72])
@pytest.mark.parametrize("badge", ["", "retry #3 +35 s"])
@pytest.mark.parametrize(
    ("name", "changed", "word"),
    [
        ("streamDestroyed", {"reason": "networkDisconnected"}, "networkDisconnected"),
        ("connectionDestroyed", {"reason": "networkDisconnected"}, "networkDisconnected"),
        ("callUpdated", {"state": "ACTIVE"}, "ACTIVE"),
        ("archive", {"status": "available"}, "available"),
    ],
)
def test_the_decisive_word_is_never_cut_at_80_columns(
    name: str, changed: dict[str, str], word: str, badge: str, width: int
) -> None:
    entry = make_entry(json.dumps(TYPES[name].sample | changed).encode())
    shown = line(entry, LineStyle(Paint(), width), Annotation("Annabelle Winter-Sommer", 1, badge))
    assert word in shown
    assert len(shown) <= width
