"""`vmon export`: export deliveries for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import Command, filter_options, option, secrets_option
from vmon.config import LISTENER

if TYPE_CHECKING:
    from vmon.search.filter import Filter

_FORMATS = ("curl", "httpie", "har", "pytest")


@click.command(
    "export", cls=Command, short_help="Export deliveries to curl, HTTPie, HAR or pytest."
)
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--as", "export_format", type=click.Choice(_FORMATS),
    help="Export as a shell script, a HAR file or a test module (required).",
)  # fmt: skip # one thing a line
@option(
    "--to", metavar="URL", default=LISTENER, show_default=True,
    help="URL the commands send to; a request path other than / is appended.",
)  # fmt: skip # one thing a line
@filter_options
@secrets_option
def command(event_filter: Filter, files: tuple[str, ...], **options: Any) -> int:
    """Export deliveries for other tools, to standard output.

    curl and httpie: a POSIX shell script that sends each delivery again. har: a HAR file. pytest:
    a test module that posts them in order to the app in VMON_TEST_URL or VMON_TEST_APP and fails
    unless all are accepted. Secrets are omitted without --with-secrets. Exits with 1 if nothing
    matched.

    \b
    vmon export --as curl --event archive > again.sh
    vmon export FILE --as pytest > test_callbacks.py
    """  # noqa: D301 - \b tells click not to rewrap
    from vmon.capture.folder import sources_of
    from vmon.commands.export import Options, run
    from vmon.errors import WrongUse

    if options["export_format"] is None:
        raise WrongUse(
            "missing option --as",
            hint=f"add --as {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, for example: "
            "vmon export --as curl --event archive > again.sh",
        )
    sources = sources_of(files)
    return run(
        Options(
            sources, event_filter, options["export_format"], options["to"], options["with_secrets"]
        )
    )
