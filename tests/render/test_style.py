from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style

from vmon.analysis.oddities.severity import SEVERITIES
from vmon.events.catalogue import ALL
from vmon.render.style import (
    GROUP_STYLES,
    HANDLE_COLOURS,
    SEVERITY_STYLES,
    STYLES,
    LineStyle,
    Paint,
    colour_of,
    console,
    format_line,
)

TEXTS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20)


@pytest.mark.parametrize("system", ["standard", "256", "truecolor", None])
def test_styles_begin_and_end_where_there_are_colours(system: Any) -> None:
    paint = Paint(Console(force_terminal=system is not None, color_system=system))
    for style in (*STYLES, *HANDLE_COLOURS):
        text = paint(style, "text")
        assert re.sub(r"\x1b\[[0-9;]*m", "", text) == "text"
        assert text.endswith("text\x1b[0m" if system else "text")
    assert (paint("created", "a") != paint("", "a")) == (system is not None)


def test_an_id_has_one_colour_and_ids_have_several() -> None:
    assert colour_of("c053fcc8") == "62"
    assert {colour_of(str(number)) for number in range(200)} == set(HANDLE_COLOURS)
    assert colour_of("\ud800") in HANDLE_COLOURS


def test_where_colours_are_not_wanted_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    paint = Paint(Console(force_terminal=True, color_system="256"))
    assert (paint("failed", "a"), paint["created"], paint.end) == ("a", "", "")


def test_a_style_is_this_escape_sequence() -> None:
    Style.parse.cache_clear()  # rich keeps the sequence of the first console it was rendered for
    paint = Paint(Console(force_terminal=True, color_system="256"))
    assert paint("created", "a") == "\x1b[0m\x1b[38;5;34ma\x1b[0m"
    assert paint("168", "a") == "\x1b[0m\x1b[38;5;168ma\x1b[0m"


@given(st.lists(st.tuples(st.sampled_from(["", "dim", "failed"]), TEXTS), max_size=6))
def test_a_line_is_cut_to_its_width_with_a_mark(pieces: list[tuple[str, str]]) -> None:
    plain = "".join(text for _, text in pieces).rstrip()
    whole = format_line(pieces, LineStyle(Paint()))
    assert whole == plain
    cut = format_line(pieces, LineStyle(Paint(), 10))
    assert cell_len(cut) <= 10
    assert cut.endswith("…") or cut == plain or cell_len(plain) > 10


def test_a_cut_line_is_this() -> None:
    pieces = [("dim", "12:00 "), ("name", "streamCreated "), ("", "Ann")]
    assert format_line(pieces, LineStyle(Paint(), 23)) == "12:00 streamCreated Ann"
    assert format_line(pieces, LineStyle(Paint(), 12)) == "12:00 strea…"
    assert format_line([("", "视频 视频")], LineStyle(Paint(), 6)) == "视频 …"


def test_every_severity_and_every_group_of_the_catalogue_has_a_style() -> None:
    assert tuple(SEVERITY_STYLES) == SEVERITIES
    assert {entry.group for entry in ALL.values()} - {"other"} <= set(GROUP_STYLES)


def test_a_console_reads_no_meaning_into_text() -> None:
    from io import StringIO

    out = StringIO()
    console(out).print("[bold]:smile: http://x 1", end="")
    assert out.getvalue() == "[bold]:smile: http://x 1"
