"""`vmon filter`: find deliveries in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import (
    KINDS,
    dedupe_option,
    filter_options,
    form_options_of,
    name_of,
    name_option,
    redact_option,
    secrets_option,
    tell_left_out,
)

if TYPE_CHECKING:
    from collections import Counter

    from vmon.export import Writing
    from vmon.fields import Table
    from vmon.filters import Filter

_TABLES = ("csv", "tsv")
_EXPORTS = ("curl", "httpie", "har")


@click.command("filter", short_help="Find deliveries in captures, by type, id, reason, time.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option("--count", "only_count", is_flag=True, help="Print how many there are, nothing else.")
@click.option("-f", "--follow", is_flag=True, help="Go on reading what a running listen appends.")
@click.option("--explain", is_flag=True, help="Say what is chosen and how, and do nothing else.")
@redact_option
@click.option(
    "--tail", type=click.IntRange(0), metavar="N",
    help="The last N that are found, of all files; read from the end. With -f, then what comes.",
)  # fmt: skip # one thing a line
@click.option(
    "--sort", type=click.Choice(["received", "event", "none"]), default="received",
    show_default=True,
    help="Several files as one: by receipt, by the event's own time, or one after the other.",
)  # fmt: skip # one thing a line
@click.option(
    "--fields", metavar="NAMES",
    help="A table of these: session,reason,stream.name; columns on a terminal, TSV in a pipe.",
)  # fmt: skip # one thing a line
@name_option
@dedupe_option
@secrets_option
@form_options_of(
    (*KINDS, "body", *_TABLES, *_EXPORTS),
    "How events go out: auto draws lines on a terminal, and is json in a pipe.",
)
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Find deliveries in captures, or in files of event bodies.

    FILE may be a capture, lines of bare bodies, a JSON array, HAR, ngrok's list of requests, any
    of them gzipped or in zstd, a folder of captures, or - for standard input. Without FILE:
    standard input where it is a pipe or a file, else the newest capture. Into a pipe the lines go
    out unchanged, so that what was found is a capture again; with --redact it is one to share,
    without secrets. Exits with 1 when nothing was found.
    """
    from collections import Counter

    from vmon.errors import WrongUse
    from vmon.find import Options, run
    from vmon.sources import sources_of

    if asked["explain"]:
        from vmon.plan import explain

        click.echo(explain(chosen), nl=False)
        return 0
    sources = sources_of(files)
    if asked["follow"] and asked["sort"] == "event":
        raise WrongUse("--follow never comes to the end, and --sort event needs it: choose one")
    if asked["follow"] and (len(sources) > 1 or asked["only_count"] or asked["kind"] == "har"):
        raise WrongUse("--follow reads one file, and never comes to a count or the end of a HAR")
    redactor = dedupe = None
    if asked["redact"]:
        from vmon.redact import paths_of, redactor_of

        redactor = redactor_of(paths_of(asked["redact"]))
    if asked["dedupe"]:
        from vmon.dedupe import Dedupe

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
        from vmon.text import count

        click.echo(f"{count(dedupe.hidden, 'copy', 'copies')} left out", err=True)
    for name in table.unseen() if table and asked["fields"] and not code else ():
        click.echo(f"warning: nothing that was found has a field {name}", err=True)
    if code and not asked["only_count"]:
        from vmon.nothing import nothing

        raise nothing("delivery", sources, chosen)
    return code


def _table(asked: dict[str, Any]) -> Table | None:
    """The table asked for, if one is."""
    kind, names = asked["kind"], asked["fields"]
    if names is None and kind not in _TABLES:
        return None
    import sys

    from vmon.errors import WrongUse
    from vmon.fields import Table, fields_of

    if kind not in {"auto", *_TABLES}:
        raise WrongUse(f"--fields makes a table: it does not go with --format {kind}")
    if kind == "auto":
        kind = "columns" if sys.stdout.isatty() else "tsv"
    return Table(fields_of(names), kind, for_people=sys.stdout.isatty())


def _writing(asked: dict[str, Any], left_out: Counter[str]) -> Writing | None:
    """What writes in a form that is not a line's, if one was asked for."""
    match asked["kind"]:
        case "body":
            import sys

            from vmon.fields import Bodies

            return Bodies(for_people=sys.stdout.isatty())
        case "curl" | "httpie" | "har" as kind:
            from vmon.export import Sealing, writing

            return writing(kind, Sealing(left_out, keep=asked["with_secrets"]))
        case _:
            return None
