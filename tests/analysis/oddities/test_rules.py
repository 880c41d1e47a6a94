"""What does not add up: every code by real bodies that make it and bodies that do not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.odd_bodies import (
    ANN,
    GONE,
    HOUR,
    STORIES,
    came,
    codes,
    opened,
    sample,
    survey,
)
from vmon.analysis.oddities.codes import CODES
from vmon.events.catalogue import TYPES

if TYPE_CHECKING:
    Body = dict[str, Any]


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_reported_where_it_applies_and_nowhere_else(code: str) -> None:
    odd, even = STORIES[code]
    assert codes(odd).get(code) == CODES[code].severity
    assert code not in codes(even)


def test_the_samples_of_the_documentation_as_one_story_are_not_odd() -> None:
    names = ("connectionCreated", "streamCreated", "streamDestroyed", "connectionDestroyed")
    assert survey([sample(name) for name in names]) == []


def test_the_whole_story_is_odd_in_its_call_alone() -> None:
    found = survey([sample(name) for name in TYPES])
    assert [(odd.code, odd.severity) for odd in found] == [("call-without-connection", "info")]


# What cannot be known is an info.


def test_untrusted_names_are_disarmed_and_cut() -> None:
    named = came("bob", 5)
    named["connection"]["data"] = json.dumps({"name": "\x1b[31m\u202e" + "x" * 100})
    found = survey([*ANN, named, *GONE, opened(HOUR)])
    assert "␛[31m‹U+202E›xxx" in found[0].text
    assert max(len(odd.text) for odd in found) < 200
