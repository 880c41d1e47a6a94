"""What the tests of the live terminal share: standard error as a terminal, or as a pipe."""

from collections.abc import Callable
from typing import Protocol

import pytest

from vmon.render.live.facts import Facts
from vmon.render.style import Paint


class MakeFacts(Protocol):
    """Makes the facts of a terminal of so many columns; of a pipe without a width."""

    def __call__(self, width: int | None = None, *, coloured: bool = False) -> Facts:
        """Make them."""


@pytest.fixture
def facts_of(monkeypatch: pytest.MonkeyPatch) -> MakeFacts:
    """Make the facts of a standard error."""

    def make(width: int | None = None, *, coloured: bool = False) -> Facts:
        monkeypatch.setenv("TERM", "xterm-256color")
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("FORCE_COLOR" if coloured else "NO_COLOR", "1")
        made = Facts()
        if width is not None:
            made.is_terminal, made.width = True, width
        return made

    return make


@pytest.fixture
def named_styles() -> Callable[[str, Paint], str]:
    """Put the names of styles where our own escape sequences are; any other stays as it is."""

    def name(text: str, paint: Paint) -> str:
        for style in ("failed", "warning", "dim", "name", "created"):
            text = text.replace(paint[style], f"<{style}>")
        return text.replace(paint.end, "</>")

    return name
