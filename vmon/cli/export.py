"""`vmon export`: deliveries as other tools take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import filter_options, secrets_option, tell_left_out

if TYPE_CHECKING:
    from vmon.filters import Filter

_FORMS = ("curl", "httpie", "har", "pytest")


@click.command("export", short_help="Write deliveries as curl, HTTPie, HAR, a pytest module.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option(
    "--as", "kind", type=click.Choice(_FORMS),
    help="A script of commands, a HAR document, or a module of tests.",
)  # fmt: skip # one thing a line
@click.option(
    "--to", metavar="URL", default="http://127.0.0.1:4680", show_default=True,
    help="Where the commands send to; a delivery's path other than / is appended.",
)  # fmt: skip # one thing a line
@secrets_option
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Write deliveries to standard output as other tools take them.

    curl and httpie make a script for any POSIX shell that sends each delivery again. pytest makes
    a module that posts them, in their order, to the app that VMON_TEST_URL or VMON_TEST_APP names,
    and fails unless it takes all. Secrets are left out unless --with-secrets. Exits with 1 when
    there was nothing to write.
    """
    from collections import Counter

    from vmon.errors import WrongUse
    from vmon.export import Sealing, writing
    from vmon.find import Options, run
    from vmon.nothing import nothing
    from vmon.sources import sources_of

    if asked["kind"] is None:
        raise WrongUse(
            "it is not said what to write the deliveries as",
            hint=f"add --as {', '.join(_FORMS[:-1])} or {_FORMS[-1]}: "
            "vmon export --as curl --event archive > again.sh",
        )
    to = asked["to"] if "://" in asked["to"] else f"http://{asked['to']}"
    left_out = Counter[str]()
    form = writing(asked["kind"], Sealing(left_out, keep=asked["with_secrets"]), to)
    sources = sources_of(files)
    if run(Options(sources=sources, chosen=chosen, writing=form)):
        raise nothing("delivery", sources, chosen)
    tell_left_out(left_out)
    return 0
