import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.render.columns import OutputPage, folded, folded_line, hanging, wide


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


def test_a_text_hangs_beside_its_head_and_an_id_is_broken_only_where_it_must() -> None:
    rows = hanging("    stream.id  ", "63245362-e00e-4834-8371-9397deb3e452 is it", 40, 15)
    assert rows == [
        "    stream.id  63245362-e00e-4834-8371-9",
        " " * 15 + "397deb3e452 is it",
    ]
    assert hanging("a ", "b c", None, 2) == ["a b c"]
    assert (
        hanging("    connection.createdAt ", "1470257688143", 30, 25)[1] == "        1470257688143"
    )


def test_a_line_folds_at_words_below_its_own_text() -> None:
    line = "12:00:00 ⚠ ghost kxOH45: the connection of Ann was created and never destroyed again"
    rows = folded_line(line, 60)
    assert rows[1].startswith(" " * 11)
    assert " ".join(" ".join(rows).split()) == line
    assert all(len(row) <= 40 for row in folded_line(line, 40))
