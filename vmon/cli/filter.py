"""`vmon filter`: search captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import (
    FORMAT,
    FORMATS,
    Command,
    dedupe_option,
    filter_options,
    format_options_of,
    late_option,
    name_of,
    name_option,
    option,
    output_option,
    redact_option,
    redactor_from,
    secrets_option,
)

if TYPE_CHECKING:
    from collections import Counter

    from vmon.commands.filter import Options
    from vmon.render.formats.choose import Format
    from vmon.render.formats.protocol import Formatter
    from vmon.render.formats.table import TableKind
    from vmon.search.dedupe import Dedupe
    from vmon.search.filter import Filter

_TABLES = ("csv", "tsv")
_EXPORTS = ("curl", "httpie", "har")


@click.command("filter", cls=Command, short_help="Search captures by type, ID, reason or time.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option("--count", "only_count", is_flag=True, help="Print only the number of matching events.")
@option("-f", "--follow", is_flag=True, help="Keep reading as the capture grows, like tail -f.")
@option(
    "--tail", type=click.IntRange(0), metavar="N",
    help="Show only the last N matches, read from the end of the files.",
)  # fmt: skip # one thing a line
@option(
    "--sort", type=click.Choice(["received", "event", "none"]), default="received",
    show_default=True,
    help="Order of several files: by time received, by event time, or file by file.",
)  # fmt: skip # one thing a line
@option("--explain", is_flag=True, help="Show how the filter would run, without reading anything.")
@filter_options
@output_option(
    "--fields", metavar="NAMES", shell_complete=completers.fields,
    help="Print these fields as a table: session,reason,stream.name (TSV in a pipe).",
)  # fmt: skip # one thing a line
@name_option
@late_option
@dedupe_option
@redact_option
@secrets_option
@format_options_of((*FORMATS, "body", *_TABLES, *_EXPORTS), FORMAT)
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Search captures for events that match a filter.

    FILE is a capture, a folder of captures, JSON Lines or a JSON array of event bodies, a HAR
    file or ngrok's request list, also compressed with gzip or zstd; - is standard input. Without
    FILE: standard input if it is a pipe or a file, else the newest capture. In a pipe, matches are
    printed unchanged, so the output is a capture too. Exits with 1 if nothing matched.

    \b
    vmon filter --event 'stream*' --since 10m       recent stream events
    vmon filter --reason networkDisconnected -v     dropped connections in full
    vmon filter FILE --session ID > one.jsonl       save a session as a capture
    """  # noqa: D301 - \b tells click not to rewrap
    from vmon.capture.folder import sources_of

    if options["explain"]:
        from vmon.search.plan import explain

        click.echo(explain(event_filter), nl=False)
        return 0
    sources = sources_of(files)
    _check(options, sources)
    return _filtered(event_filter, sources, options)


def _check(options: dict[str, Any], sources: tuple[str | None, ...]) -> None:
    """WrongUse for options that exclude each other."""
    from vmon.errors import WrongUse

    if not options["follow"]:
        return
    if options["sort"] == "event":
        raise WrongUse("--follow cannot be used with --sort event")
    if len(sources) > 1:
        raise WrongUse("--follow takes only one file")
    if options["only_count"] or options["output_format"] == "har":
        other = "--count" if options["only_count"] else "--format har"
        raise WrongUse(f"--follow cannot be used with {other}")


def _filtered(
    event_filter: Filter, sources: tuple[str | None, ...], options: dict[str, Any]
) -> int:
    """Run the filter; report omitted secrets, duplicates and missing fields on standard error."""
    from collections import Counter

    from vmon.commands.filter import run

    removed = Counter[str]()
    formatter = _formatter(options, removed)
    run_options = _run_options(event_filter, sources, formatter, options)
    code = run(run_options)
    if removed:
        from vmon.commands.export import report_removed

        report_removed(removed)
    _report_duplicates(run_options)
    if options["fields"] and not (code or options["only_count"]):
        _report_missing_fields(formatter)
    if code and not options["only_count"]:
        from vmon.search.not_found import nothing_found

        raise nothing_found("deliveries", sources, event_filter)
    return code


def _run_options(
    event_filter: Filter,
    sources: tuple[str | None, ...],
    formatter: Formatter | None,
    options: dict[str, Any],
) -> Options:
    from vmon.commands.filter import Options

    return Options(
        sources=sources,
        event_filter=event_filter,
        output_format="auto"
        if options["output_format"] not in FORMATS
        else options["output_format"],
        verbosity=options["verbosity"],
        only_count=options["only_count"],
        follow=options["follow"],
        redact=redactor_from(options["redact"]),
        tail=options["tail"],
        dedupe=_dedupe(options["dedupe"]) if options["dedupe"] else None,
        name_of=name_of(options["name_from"]) if options["name_from"] else None,
        late_after_s=options["late_after_s"],
        sort="none" if options["follow"] else options["sort"],
        formatter=None if options["only_count"] else formatter,
    )


def _dedupe(by: str) -> Dedupe:
    from vmon.search.dedupe import Dedupe

    return Dedupe(any_path=by == "any-path")


def _formatter(options: dict[str, Any], removed: Counter[str]) -> Formatter | None:
    """The formatter of `--format` and `--fields`; None for lines, details and JSON."""
    output_format: Format = options["output_format"]
    name = _table(options) or output_format
    if name in FORMATS:
        return None
    from vmon.render.formats.choose import FormatOptions, formatter_of
    from vmon.render.formats.table import fields_of
    from vmon.security.scrub import ScrubPolicy

    scrub = ScrubPolicy(removed, keep=options["with_secrets"])
    return formatter_of(name, FormatOptions(scrub, names=fields_of(options["fields"])))


def _table(options: dict[str, Any]) -> TableKind | None:
    """The table format of `--format` or `--fields`, or None; WrongUse if the two disagree."""
    output_format = options["output_format"]
    if options["fields"] is None or output_format in _TABLES:
        return output_format if output_format in _TABLES else None
    if output_format != "auto":
        from vmon.errors import WrongUse

        raise WrongUse(f"--fields cannot be used with --format {output_format}")
    import sys

    return "columns" if sys.stdout.isatty() else "tsv"


def _report_duplicates(options: Options) -> None:
    if options.dedupe and options.dedupe.hidden:
        from vmon.humanize import count

        click.echo(f"{count(options.dedupe.hidden, 'duplicate')} skipped", err=True)


def _report_missing_fields(formatter: Formatter | None) -> None:
    from vmon.render.formats.table import TableFormatter

    if isinstance(formatter, TableFormatter):
        for name in formatter.unseen():
            click.echo(f"warning: no match has a field {name}", err=True)
