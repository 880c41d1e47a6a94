import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.render.columns import OutputPage, folded, wide


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("Ann", 3), ("日本", 4), ("\x1b[0m\x1b[1mAnn\x1b[0m", 3)]
)
def test_a_width_is_in_columns_and_colours_take_none(text: str, columns: int) -> None:
    assert wide(text) == columns


def test_a_word_is_never_broken() -> None:
    assert folded("2, 0 open; 2 people", 12) == ["2, 0 open; 2", "people"]
    assert folded("in ~/data/very/long here", 8) == ["in", "~/data/very/long", "here"]


@given(st.text("ab 日", max_size=40), st.integers(1, 20))
def test_rows_have_all_the_words_and_only_one_word_may_be_too_wide(text: str, room: int) -> None:
    rows = folded(text, room)
    assert [word for row in rows for word in row.split()] == text.split()
    assert all(wide(row.strip()) <= room or " " not in row.strip() for row in rows)


def test_a_page_is_as_wide_as_its_terminal_and_a_pipe_has_no_end() -> None:
    page = OutputPage()
    assert page.width is None
    assert page.fits(10**9)
    assert page.wrapped("a sentence " * 99) == ["a sentence " * 99]
    page.width = 30
    assert (page.fits(30), page.fits(31)) == (True, False)
    assert page.wrapped("one two three four five six seven", "    ") == [
        "one two three four five six",
        "    seven",
    ]
    assert page.wrapped("one two three four five six", less=9) == ["one two three four", "five six"]
    assert page.wrapped("one two three four five six", most=21) == [
        "one two three four",
        "five six",
    ]
    assert page.wrapped("one two three four five six", less=29) == [
        "one two three four",
        "five six",
    ]
