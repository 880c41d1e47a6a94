"""The report of `vmon help`: a topic formatted for a terminal, in the pager if it is long."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, TextIO

from rich.console import Console
from rich.markdown import CodeBlock, Heading, Markdown, TableElement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderResult
    from rich.markdown import MarkdownElement

_COMMENT = re.compile(r"^<!--.*-->\n+", re.MULTILINE)
_TOPIC_LINK = re.compile(r"\[([^\]]+)\]\([a-z-]+\.md\)")
_STYLES = Theme(
    {"markdown.code": "bold", "markdown.link": "none", "markdown.link_url": "underline"}
    | {f"markdown.h{level}": "bold" for level in range(1, 7)}
)
_NARROW = 70
"""Below this many columns the cells of a table are stacked."""


class _Heading(Heading):
    """A heading at the left, in bold."""

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        yield self.text.copy()


class _CodeBlock(CodeBlock):
    """A code block on the terminal's background, indented if it fits."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Text(str(self.text).rstrip(), style="cyan", overflow="fold")
        room = options.max_width - console.measure(code).maximum
        yield Padding(code, (0, 0, 0, min(max(room, 0), 2)))


class _Table(TableElement):
    """A table in which nothing is truncated at any width."""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [[cell.content for cell in row.cells] for row in self.body.rows] if self.body else []
        if options.max_width < _NARROW:
            yield from (line for row in rows for line in _stacked(row))
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for _ in rows[0] if rows else ():
            table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*row)
        yield table


def _stacked(row: list[Text]) -> list[Padding]:
    for cell in row:
        cell.overflow = "fold"
    return [Padding(cell, (0, 0, 0, 4 if index else 0)) for index, cell in enumerate(row)]


class _Topic(Markdown):
    """The Markdown of the reference."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "fence": _CodeBlock,
        "code_block": _CodeBlock,
        "table_open": _Table,
    }


def show(text: str, out: TextIO) -> None:
    """Print a topic to a terminal; in the pager if it has more lines than the terminal."""
    console = Console(file=out, markup=False, highlight=False, emoji=False, theme=_STYLES)
    topic = markdown_of(text)
    if len(console.render_lines(topic, pad=False)) < console.height:
        console.print(topic)
        return
    with console.pager(styles=not console.no_color):
        console.print(topic)


def markdown_of(text: str) -> Markdown:
    """Parse a topic, without comments; links to other topics become plain text."""
    return _Topic(_TOPIC_LINK.sub(r"\1", _COMMENT.sub("", text)), hyperlinks=False)
