"""`vmon help`: the topics of the reference, a Markdown file each in `vmon/docs`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from vmon.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.resources.abc import Traversable
    from typing import TextIO

_SUFFIX = ".md"


def topics() -> dict[str, str]:
    """Each topic and its summary, from its first line: `# Forwarding: send …`."""
    names = (path.name for path in _folder().iterdir())
    topic_names = sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
    return {name: _summary(text_of(name)) for name in topic_names}


def text_of(topic: str) -> str:
    """The Markdown of an existing topic."""
    return _folder().joinpath(topic + _SUFFIX).read_text("utf-8")


def show(topic: str, out: TextIO) -> None:
    """Write a topic: as Markdown into a pipe, formatted and paged on a terminal."""
    text = text_of(topic)
    if not out.isatty():
        out.write(text)
        return
    from vmon.render.reports import help as report

    report.show(text, out)


def unknown(name: str, commands: Iterable[str]) -> WrongUse:
    """The error for an unknown topic or command, with suggestions."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), [*topics(), *commands])
    hint = f"did you mean {' or '.join(near)}?" if near else "see vmon help"
    return WrongUse(f"no help topic or command {name!r}", hint=hint)


def _folder() -> Traversable:
    return files("vmon") / "docs"


def _summary(text: str) -> str:
    return text.partition("\n")[0].partition(": ")[2]
