"""Lines that are redrawn in place at the end of a terminal; what is above them stays."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

from vmon.render.style import LineStyle, Paint, console

if TYPE_CHECKING:
    from types import TracebackType


class LiveArea:
    """A place of lines on the terminal; the last ones stay when it is left."""

    def __init__(self) -> None:
        self._console = console(sys.stdout)
        self._paint = Paint(self._console)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        """Begin."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last lines where they are."""
        self._live.stop()

    @property
    def look(self) -> LineStyle:
        """How lines look at the terminal's width now."""
        return LineStyle(self._paint, self._console.width)

    @property
    def height(self) -> int:
        """How many lines there is room for now."""
        return max(1, self._console.height - 1)

    def show(self, lines: list[str]) -> None:
        """Draw these instead of those before."""
        drawn = Text.from_ansi("\n".join(lines), no_wrap=True, end="")
        self._live.update(drawn, refresh=True)
