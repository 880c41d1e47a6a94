"""Completers: what a shell completes for the word at the cursor; they must be fast."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import click
    from click.shell_completion import CompletionItem

MAX_CAPTURES = 20
_NOT = "!"


def event_types(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the last event type of a comma list; `!` before it is kept."""
    from vmon.events.catalogue import ALL

    before, comma, word = incomplete.rpartition(",")
    excluded = _NOT if word.startswith(_NOT) else ""
    prefix = word.removeprefix(_NOT).lower()
    already_listed = {part.strip().removeprefix(_NOT) for part in before.split(",")}
    return [
        _item(f"{before}{comma}{excluded}{name}", help=entry.meaning)
        for name, entry in ALL.items()
        if name.lower().startswith(prefix) and name not in already_listed
    ]


def reasons(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the known reasons."""
    from vmon.events.catalogue import reasons as known

    return _beginning(known(), incomplete)


def statuses(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the known statuses, and the states of calls."""
    from vmon.events.catalogue import statuses as known

    return _beginning(known(), incomplete)


def _beginning(known: dict[str, str], incomplete: str) -> list[CompletionItem[str]]:
    prefix = incomplete.lower()
    return [
        _item(word, help=text) for word, text in known.items() if word.lower().startswith(prefix)
    ]


def fields(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the last field of a comma list."""
    from vmon.render.formats.table import OWN
    from vmon.search.expression_names import field_paths

    before, comma, word = incomplete.rpartition(",")
    listed = set(before.split(","))
    names = (*OWN, *(path for path in field_paths() if path not in OWN))
    return [
        _item(f"{before}{comma}{name}")
        for name in names
        if name.lower().startswith(word.lower()) and name not in listed
    ]


def codes(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete the codes of oddities."""
    from vmon.analysis.oddities.codes import CODES

    matches = (code for code in CODES.values() if code.name.startswith(incomplete.lower()))
    return [_item(code.name, help=code.meaning) for code in matches]


def files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Complete captures of this folder, then of the default folder, newest first; or any file."""
    is_path = bool({"/", "~"} & set(incomplete))
    names = [] if is_path else [*_in_current_folder(incomplete), *_in_default_folder(incomplete)]
    return [_item(name) for name in names] or any_file(_ctx, _param, incomplete)


def any_file(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Leave the completion of files to the shell."""
    return [_item(incomplete, type="file")]


def join_words(environ: MutableMapping[str, str]) -> None:
    """Rejoin words that bash splits at = and : (`--event=str`, `http://localhost`)."""
    words, at = environ["COMP_WORDS"].split("\n"), int(environ["COMP_CWORD"])
    joined: list[str] = []
    joins_next = False
    for index, word in enumerate(words):
        is_break = word in {"=", ":"} and bool(joined) and index != int(environ["COMP_CWORD"])
        if is_break or joins_next:
            joined[-1] += word
            at -= index <= int(environ["COMP_CWORD"])
        else:
            joined.append(word)
        joins_next = is_break
    environ["COMP_WORDS"], environ["COMP_CWORD"] = "\n".join(joined), str(at)


def _item(value: str, **details: str) -> CompletionItem[str]:
    from click.shell_completion import CompletionItem  # slow: only when completing

    return CompletionItem(value, **details)


def _in_current_folder(prefix: str) -> list[str]:
    from vmon.capture.format import CAPTURE_SUFFIXES

    suffixes = (*CAPTURE_SUFFIXES, ".json", ".ndjson")
    with suppress(OSError):
        return sorted(
            name
            for name in os.listdir()  # noqa: PTH208 - pathlib costs 5 ms
            if name.startswith(prefix) and name.endswith(suffixes) and name.isprintable()
        )
    return []


def _in_default_folder(prefix: str) -> list[str]:
    from vmon.capture.folder import default_folder
    from vmon.capture.format import CAPTURE_SUFFIXES

    # A capture's name is its start time: sorting by name sorts by time.
    paths = sorted(default_folder().glob("*.jsonl*"), reverse=True)
    captures = [path for path in paths if path.name.endswith(CAPTURE_SUFFIXES)]
    names = [str(p) for p in captures if p.name.startswith(prefix) and str(p).isprintable()]
    return names[:MAX_CAPTURES]
