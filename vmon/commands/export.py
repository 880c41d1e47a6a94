"""`vmon export`: export deliveries for other tools."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vmon.commands import filter as filter_command
from vmon.config import LISTENER
from vmon.forward.targets import target_of
from vmon.render.formats.choose import Export, FormatOptions, formatter_of
from vmon.search.not_found import nothing_found
from vmon.security.scrub import ScrubPolicy
from vmon.stderr import say

if TYPE_CHECKING:
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """Options of `vmon export`; a source of None is standard input, `to` is the URL of commands."""

    sources: tuple[str | None, ...]
    event_filter: Filter
    export_format: Export
    to: str = LISTENER
    with_secrets: bool = False


def run(options: Options) -> int:
    """Export the matches to standard output; Refused if there are none."""
    removed = Counter[str]()
    policy = ScrubPolicy(removed, keep=options.with_secrets)
    format_options = FormatOptions(policy, target_of(options.to).url)
    formatter = formatter_of(options.export_format, format_options)
    sources, event_filter = options.sources, options.event_filter
    if filter_command.run(filter_command.Options(sources, event_filter, formatter=formatter)):
        raise nothing_found("deliveries", sources, event_filter)
    report_removed(removed)
    return 0


def report_removed(names: Counter[str]) -> None:
    """Print on standard error which secrets were omitted, if any."""
    if names:
        from vmon.humanize import count
        from vmon.sanitize import disarm

        most_common = ", ".join(disarm(name) for name, _ in names.most_common(8))
        what = count(names.total(), "secret")
        say(f"{what} omitted ({most_common}); --with-secrets includes them")
