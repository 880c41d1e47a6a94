"""`vmon filter`: find deliveries in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import (
    FORMAT,
    KINDS,
    Command,
    dedupe_option,
    filter_options,
    form_options_of,
    name_of,
    name_option,
    option,
    output_option,
    redact_option,
    secrets_option,
    tell_left_out,
)

if TYPE_CHECKING:
    from collections import Counter

    from vmon.render.formats.protocol import Formatter
    from vmon.render.formats.table import Table
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
    "--fields", metavar="NAMES",
    help="Print these fields as a table: session,reason,stream.name (TSV in a pipe).",
)  # fmt: skip # one thing a line
@name_option
@dedupe_option
@redact_option
@secrets_option
@form_options_of((*KINDS, "body", *_TABLES, *_EXPORTS), FORMAT)
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Search captures for events that match a filter.

    FILE is a capture, a folder of captures, JSON Lines or a JSON array of event bodies, a HAR
    file or ngrok's request list, also compressed with gzip or zstd; - is standard input. Without
    FILE: standard input if it is a pipe or a file, else the newest capture. In a pipe, matches are
    printed unchanged, so the output is a capture too. Exits with 1 if nothing matched.

    \b
    vmon filter --event 'stream*' --since 10m       recent stream events
    vmon filter --reason networkDisconnected -v     dropped connections in full
    vmon filter FILE --session ID > one.jsonl       save a session as a capture
    """  # noqa: D301 - the escape is click's mark for lines to leave alone
    from collections import Counter

    from vmon.capture.folder import sources_of
    from vmon.commands.filter import Options, run
    from vmon.errors import WrongUse

    if asked["explain"]:
        from vmon.search.plan import explain

        click.echo(explain(chosen), nl=False)
        return 0
    sources = sources_of(files)
    if asked["follow"] and asked["sort"] == "event":
        raise WrongUse("--follow cannot be used with --sort event")
    if asked["follow"] and len(sources) > 1:
        raise WrongUse("--follow takes only one file")
    if asked["follow"] and (asked["only_count"] or asked["kind"] == "har"):
        other = "--count" if asked["only_count"] else "--format har"
        raise WrongUse(f"--follow cannot be used with {other}")
    redactor = dedupe = None
    if asked["redact"]:
        from vmon.security.pseudonyms import paths_of, redactor_of

        redactor = redactor_of(paths_of(asked["redact"]))
    if asked["dedupe"]:
        from vmon.search.dedupe import Dedupe

        dedupe = Dedupe()
    table, left_out = _table(asked), Counter[str]()
    code = run(
        Options(
            sources=sources,
            chosen=chosen,
            kind="auto" if asked["kind"] not in KINDS else asked["kind"],
            verbosity=asked["verbosity"],
            only_count=asked["only_count"],
            follow=asked["follow"],
            redact=redactor,
            tail=asked["tail"],
            dedupe=dedupe,
            name_of=name_of(asked["name_from"]) if asked["name_from"] else None,
            sort="none" if asked["follow"] else asked["sort"],
            writing=None if asked["only_count"] else table or _writing(asked, left_out),
        )
    )
    tell_left_out(left_out)
    if dedupe and dedupe.hidden:
        from vmon.humanize import count

        click.echo(f"{count(dedupe.hidden, 'duplicate')} skipped", err=True)
    for name in table.unseen() if table and asked["fields"] and not code else ():
        click.echo(f"warning: no match has a field {name}", err=True)
    if code and not asked["only_count"]:
        from vmon.search.not_found import nothing_found

        raise nothing_found("deliveries", sources, chosen)
    return code


def _table(asked: dict[str, Any]) -> Table | None:
    """The table asked for, if one is."""
    kind, names = asked["kind"], asked["fields"]
    if names is None and kind not in _TABLES:
        return None
    import sys

    from vmon.errors import WrongUse
    from vmon.render.formats.table import Table, fields_of

    if kind not in {"auto", *_TABLES}:
        raise WrongUse(f"--fields cannot be used with --format {kind}")
    if kind == "auto":
        kind = "columns" if sys.stdout.isatty() else "tsv"
    return Table(fields_of(names), kind, for_people=sys.stdout.isatty())


def _writing(asked: dict[str, Any], left_out: Counter[str]) -> Formatter | None:
    """What writes in a form that is not a line's, if one was asked for."""
    match asked["kind"]:
        case "body":
            import sys

            from vmon.render.formats.table import Bodies

            return Bodies(for_people=sys.stdout.isatty())
        case "curl" | "httpie" | "har" as kind:
            from vmon.render.formats.choose import writing
            from vmon.render.formats.protocol import ScrubPolicy

            return writing(kind, ScrubPolicy(left_out, keep=asked["with_secrets"]))
        case _:
            return None
