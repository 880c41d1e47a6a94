from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.analysis.oddities.codes import CODES, Oddity, order
from vmon.analysis.oddities.severity import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., tuple[int, str, str]]


def test_every_code_is_complete_and_in_sentences() -> None:
    for name, code in CODES.items():
        assert name == code.name == name.lower()
        assert code.severity in SEVERITIES
        for text in (code.meaning, code.cause, code.remedy):
            assert text[0].isupper()
            assert text.endswith(".")


def odd(at_ms: int, session: str | None = "S", *ids: str) -> Oddity:
    return Oddity("failed", "error", at_ms, session, ids, "it failed")


def test_oddities_are_ordered_by_time_and_then_by_what_they_are_about() -> None:
    ordered = [odd(1), odd(2, None), odd(2, "A"), odd(2, "A", "x"), odd(2, "B"), odd(3)]
    mixed = [ordered[place] for place in (5, 0, 3, 1, 4, 2)]
    assert sorted(mixed, key=order) == ordered


def test_severities_are_ordered_from_the_least() -> None:
    assert SEVERITIES == ("info", "warning", "error")
