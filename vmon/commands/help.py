"""`vmon help TOPIC`: the reference, a Markdown file per topic in `vmon/docs`."""

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
    """Each topic and what it is about, as its first line says: `# Forwarding: send …`."""
    names = (path.name for path in _folder().iterdir())
    found = sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
    return {name: _about(text_of(name)) for name in found}


def text_of(topic: str) -> str:
    """The Markdown of a topic that exists."""
    return _folder().joinpath(topic + _SUFFIX).read_text("utf-8")


def show(topic: str, out: TextIO) -> None:
    """Write a topic: as Markdown into a pipe, laid out and paged on a terminal."""
    text = text_of(topic)
    if not out.isatty():
        out.write(text)
        return
    from vmon.render.reports import help as report

    report.show(text, out)


def unknown(name: str, commands: Iterable[str]) -> WrongUse:
    """The error for what is neither a topic nor a command, with what comes close to it."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), [*topics(), *commands])
    way_out = f"did you mean {' or '.join(near)}?" if near else "see vmon help"
    return WrongUse(f"no help topic or command {name!r}", hint=way_out)


def _folder() -> Traversable:
    return files("vmon") / "docs"


def _about(text: str) -> str:
    return text.partition("\n")[0].partition(": ")[2]
