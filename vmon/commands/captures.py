"""`vmon captures`: list captures and remove old ones."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from vmon.commands.confirmation import Ask, confirm
from vmon.stderr import say

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.analysis.captures import Gone, Held, Kept


class Options(NamedTuple):
    """Options of `vmon captures`: `prune_after_s` removes captures older than that (in seconds).

    `yes` removes without asking; `ask` is None without a terminal to ask on.
    """

    only_path: bool = False
    prune_after_s: float | None = None
    yes: bool = False
    as_json: bool = False
    ask: Ask | None = None


def run(options: Options) -> int:
    """List the captures, print their folder, or remove old ones."""
    from vmon.capture.folder import default_folder

    folder = default_folder()
    if options.only_path:
        sys.stdout.write(f"{folder}\n")
    elif options.prune_after_s is not None:
        _prune(folder, options.prune_after_s, options)
    else:
        _list(folder, as_json=options.as_json)
    return 0


def _list(folder: Path, *, as_json: bool) -> None:
    from vmon.analysis.captures import kept
    from vmon.render.reports import captures as report

    captures = kept(folder)
    if as_json:
        sys.stdout.write(
            report.as_json([(capture, _contents(capture)) for capture in captures], folder)
        )
        return
    if not captures:
        say(f"no captures in {folder}")
    rows = report.CapturesReport().rows
    for capture in captures:  # each as soon as it is counted
        sys.stdout.write(rows(capture, _contents(capture)))
        sys.stdout.flush()


def _contents(capture: Kept) -> Held | None:
    """Read what a capture contains; None, and a warning, if it cannot be read."""
    from vmon.analysis.captures import held
    from vmon.errors import VmonError

    try:
        return held(capture.path)
    except VmonError as error:
        say(f"warning: {error.message}")
        return None


def _prune(folder: Path, prune_after_s: float, options: Options) -> None:
    """Remove captures older than `prune_after_s`, after asking."""
    from vmon.analysis.captures import old
    from vmon.humanize import count, size
    from vmon.render.reports.captures import removal_line

    captures = old(folder, prune_after_s)
    if not captures:
        say("nothing to remove: no unused capture is that old")
        return
    for capture in captures:
        sys.stdout.write(f"{removal_line(capture)}\n")
    sys.stdout.flush()
    if not options.yes:
        total = size(sum(gone.capture.size for gone in captures))
        question = f"Remove {count(len(captures), 'capture')}, {total}?"
        confirm(question, options.ask, otherwise="nothing removed", hint="add --yes")
    _remove(captures)


def _remove(captures: list[Gone]) -> None:
    from vmon.analysis.captures import remove
    from vmon.humanize import count

    removed = 0
    for gone in captures:
        if remove(gone):
            removed += 1
        else:
            say(f"warning: {gone.capture.path} is in use: not removed")
    sys.stderr.write(f"removed {count(removed, 'capture')}\n")
