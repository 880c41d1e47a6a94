"""A run of `vmon export`: deliveries as other tools take them."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vmon.commands import filter as filter_command
from vmon.config import LISTENER
from vmon.forward.targets import target_of
from vmon.render.formats.choose import Export, FormatOptions, formatter_of
from vmon.search.not_found import nothing_found
from vmon.security.scrub import ScrubPolicy

if TYPE_CHECKING:
    from vmon.search.filter import Filter


class Options(NamedTuple):
    """The options of a run; a source of None is standard input, `to` is for commands."""

    sources: tuple[str | None, ...]
    chosen: Filter
    kind: Export
    to: str = LISTENER
    with_secrets: bool = False


def run(options: Options) -> int:
    """Export the matches to standard output; Refused when there are none."""
    removed = Counter[str]()
    policy = ScrubPolicy(removed, keep=options.with_secrets)
    format_options = FormatOptions(policy, target_of(options.to).url)
    formatter = formatter_of(options.kind, format_options)
    sources, chosen = options.sources, options.chosen
    if filter_command.run(filter_command.Options(sources, chosen, writing=formatter)):
        raise nothing_found("deliveries", sources, chosen)
    report_removed(removed)
    return 0


def report_removed(names: Counter[str]) -> None:
    """Say on standard error which secrets were left out, if any were."""
    if names:
        from vmon.humanize import count
        from vmon.sanitize import disarm

        most = ", ".join(disarm(name) for name, _ in names.most_common(8))
        what = count(names.total(), "secret")
        sys.stderr.write(f"{what} omitted ({most}); --with-secrets includes them\n")
