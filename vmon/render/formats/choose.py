"""Output formats by their names in `--format` and `--as`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from vmon.config import LISTENER
from vmon.render.formats.table import DEFAULT_FIELDS
from vmon.security.scrub import ScrubPolicy

if TYPE_CHECKING:
    from vmon.render.formats.entries import Form
    from vmon.render.formats.protocol import EntryFormatter, Formatter
    from vmon.security.pseudonyms import Redactor
    from vmon.sessions.tracker import SessionTracker

Export = Literal["curl", "httpie", "har", "pytest"]
Format = Literal["line", "detail", "json", "body", "csv", "tsv", "columns"] | Export


def _without_secrets() -> ScrubPolicy:
    return ScrubPolicy(Counter(), keep=False)


class FormatOptions(Struct, frozen=True):
    """Options of formats: a scrub policy (exports), a URL (commands), field names (tables)."""

    scrub: ScrubPolicy = field(default_factory=_without_secrets)
    to: str = LISTENER
    names: tuple[str, ...] = DEFAULT_FIELDS
    verbosity: int = 0


def formatter_of(name: Format, options: FormatOptions | None = None) -> Formatter:
    """The formatter with a name, for standard output."""
    options = options or FormatOptions()
    match name:
        case "line" | "detail" | "json":
            from vmon.render.formats.entries import Form

            return entry_formatter(Form(name, options.verbosity))
        case "body":
            from vmon.render.formats.bodies import BodyFormatter

            return BodyFormatter(for_people=sys.stdout.isatty())
        case "csv" | "tsv" | "columns":
            from vmon.render.formats.table import TableFormatter

            return TableFormatter(options.names, name, for_people=sys.stdout.isatty())
        case _:
            return _export_formatter(name, options)


def _export_formatter(name: Export, options: FormatOptions) -> Formatter:
    match name:
        case "har":
            from vmon.render.formats.har import HarFormatter

            return HarFormatter(options.scrub)
        case "pytest":
            from vmon.render.formats.pytest_module import PytestFormatter

            return PytestFormatter(options.scrub)
        case "curl" | "httpie":
            from vmon.render.formats.shell import ShellFormatter, curl, httpie

            command = {"curl": curl, "httpie": httpie}[name]
            return ShellFormatter(options.scrub, options.to, command)


def entry_formatter(
    form: Form, redact: Redactor | None = None, tracker: SessionTracker | None = None
) -> EntryFormatter:
    """The formatter of single entries: lines, details or JSON; JSON needs no tracker."""
    if form.is_json:
        from vmon.render.formats.json_lines import JsonFormatter

        return JsonFormatter(redact, for_people=sys.stdout.isatty())
    from vmon.render.formats.entries import LineFormatter  # imports rich, which JSON does not need

    return LineFormatter(form, redact, tracker)
