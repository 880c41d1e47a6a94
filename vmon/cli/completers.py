"""What a shell is offered for the word at the cursor; nothing here may cost time."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import click
    from click.shell_completion import CompletionItem

MOST_CAPTURES = 20
_NOT = "!"


def event_types(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The event types that the last word of a comma list begins; `!` before it stays."""
    from vmon.events.catalogue import ALL

    before, comma, word = incomplete.rpartition(",")
    excluded = _NOT if word.startswith(_NOT) else ""
    begun = word.removeprefix(_NOT).lower()
    named = {part.strip().removeprefix(_NOT) for part in before.split(",")}
    return [
        _item(f"{before}{comma}{excluded}{name}", help=entry.meaning)
        for name, entry in ALL.items()
        if name.lower().startswith(begun) and name not in named
    ]


def codes(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The codes of oddities that begin so."""
    from vmon.analysis.oddities.codes import CODES

    begun = (one for one in CODES.values() if one.name.startswith(incomplete.lower()))
    return [_item(one.name, help=one.meaning) for one in begun]


def files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Captures: those kept in their folder, the newest first, and those here; else any file."""
    offered = [] if {"/", "~"} & set(incomplete) else [*_here(incomplete), *_kept(incomplete)]
    return [_item(name) for name in offered] or any_file(_ctx, _param, incomplete)


def any_file(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """What the shell itself knows of files."""
    return [_item(incomplete, type="file")]


def mend_words(environ: MutableMapping[str, str]) -> None:
    """Put together again what bash takes apart at = and : (`--event=str`, `http://localhost`)."""
    words, at = environ["COMP_WORDS"].split("\n"), int(environ["COMP_CWORD"])
    whole: list[str] = []
    glued = False
    for index, word in enumerate(words):
        breaks = word in {"=", ":"} and bool(whole) and index != int(environ["COMP_CWORD"])
        if breaks or glued:
            whole[-1] += word
            at -= index <= int(environ["COMP_CWORD"])
        else:
            whole.append(word)
        glued = breaks
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(whole), str(at)


def _item(value: str, **said: str) -> CompletionItem[str]:
    from click.shell_completion import CompletionItem  # not for a run that completes nothing

    return CompletionItem(value, **said)


def _here(begun: str) -> list[str]:
    from vmon.capture.format import CAPTURE_SUFFIXES

    suffixes = (*CAPTURE_SUFFIXES, ".json", ".ndjson")
    with suppress(OSError):
        return sorted(
            name
            for name in os.listdir()  # noqa: PTH208 - pathlib costs 5 ms
            if name.startswith(begun) and name.endswith(suffixes) and name.isprintable()
        )
    return []


def _kept(begun: str) -> list[str]:
    from vmon.capture.folder import default_folder
    from vmon.capture.format import CAPTURE_SUFFIXES

    # A capture's name is the time it was begun at: by name is by time.
    found = sorted(default_folder().glob("*.jsonl*"), reverse=True)
    captures = [path for path in found if path.name.endswith(CAPTURE_SUFFIXES)]
    named = [str(one) for one in captures if one.name.startswith(begun) and str(one).isprintable()]
    return named[:MOST_CAPTURES]
