from __future__ import annotations

import io

import pytest
from rich.console import Console

from vmon.render.reports.help import markdown_of, show

TOPIC = """\
# Topic: what it is about
<!-- a mark -->

See [filters](filters.md). A command:

    vmon filter --event 'stream*'

| Option | Meaning |
|---|---|
| `--event` | Only these types, however long it takes to say which they are. |
"""


def printed(width: int, height: int = 40) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, markup=False, highlight=False)
    console.print(markdown_of(TOPIC))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_topic_is_formatted_without_comments_and_links() -> None:
    assert printed(90) == [
        "Topic: what it is about", "", "See filters. A command:", "",
        "  vmon filter --event 'stream*'", "",
        "--event  Only these types, however long it takes to say which they are.",
    ]  # fmt: skip # as on a screen


def test_on_a_narrow_terminal_cells_are_stacked() -> None:
    assert printed(50)[-3:] == [
        "--event",
        "    Only these types, however long it takes to say",
        "    which they are.",
    ]


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_line_is_wider_and_no_word_is_lost(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).split())
    assert "vmonfilter--event'stream*'" in text
    assert "Onlythesetypes,howeverlongittakestosaywhichtheyare." in text


def test_what_fits_is_printed_and_what_does_not_goes_through_the_pager(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paged: list[str] = []
    monkeypatch.setattr("pydoc.pager", paged.append)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    out = io.StringIO()
    show(TOPIC, out)
    assert "Only these types" in out.getvalue()
    assert paged == []
    monkeypatch.setenv("LINES", "5")
    out = io.StringIO()
    show(TOPIC, out)
    assert "Only these types" in "".join(paged)
    assert out.getvalue() == ""
