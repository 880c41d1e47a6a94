"""Rows of a label and a text: a line each in a pipe, folded on a terminal, no word broken."""

from collections.abc import Callable

import pytest

from tests.render.live.conftest import MakeFacts
from vmon.render.columns import wide
from vmon.render.style import Paint

ROWS = [
    ("sessions", "2 (0 open), 2 connections, 2 streams"),
    ("", "and what goes on with the row before"),
    ("hidden", ""),
    ("replay", "vmon replay /tmp/captures/a.jsonl"),
]
SHOWN = {
    40: """\
  sessions  2 (0 open), 2 connections, 2
            streams
            and what goes on with the
            row before
  replay
    vmon replay /tmp/captures/a.jsonl""",
    48: """\
  sessions  2 (0 open), 2 connections, 2 streams
            and what goes on with the row before
  replay    vmon replay /tmp/captures/a.jsonl""",
}


@pytest.mark.parametrize("width", SHOWN)
def test_a_terminal_gets_rows_as_wide_as_it_is_and_no_broken_word(
    width: int, facts_of: MakeFacts
) -> None:
    rows = facts_of(width).rows(ROWS)
    assert rows == SHOWN[width].splitlines()
    assert all(wide(row) <= width for row in rows)


def test_a_pipe_gets_a_line_a_fact_however_long(facts_of: MakeFacts) -> None:
    long = " ".join(["word"] * 100)
    assert facts_of().rows([*ROWS, ("long", long)]) == [
        f"  sessions  {ROWS[0][1]}",
        f"            {ROWS[1][1]}",
        f"  replay    {ROWS[3][1]}",
        f"  long      {long}",
    ]


def test_a_fact_without_a_text_leaves_no_trace(facts_of: MakeFacts) -> None:
    assert facts_of(80).rows([("a label that would make the others wider", "")]) == []
    assert facts_of(80).rows([("a label that would", ""), ("a", "b")]) == ["  a  b"]


def test_a_word_wider_than_the_room_beside_its_label_stands_below_it(facts_of: MakeFacts) -> None:
    url = "https://example.com/hooks"
    assert facts_of(30).rows([("forward", url), (" ", "x" * 25)]) == [
        "  forward",
        f"    {url}",
        "    " + "x" * 25,
    ]


def test_labels_are_dim_where_there_are_colours(
    facts_of: MakeFacts, named_styles: Callable[[str, Paint], str]
) -> None:
    facts = facts_of(80, coloured=True)
    (row,) = facts.rows([("capture", "off")])
    assert "\x1b[" in row
    assert named_styles(row, facts.paint) == "  <dim>capture</>  off"


def test_a_sentence_that_goes_on_with_vmon_is_folded_and_no_command(facts_of: MakeFacts) -> None:
    facts = [("response", "200 at once;"), (" ", "vmon retries deliveries that your app rejects")]
    assert facts_of(40).rows(facts) == [
        "  response  200 at once;",
        "            vmon retries deliveries that",
        "            your app rejects",
    ]
