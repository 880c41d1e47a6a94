"""`vmon verify`: check the signatures in a capture."""

from __future__ import annotations

from typing import Any

import click

from vmon.cli import complete
from vmon.cli.options import trust_options


@click.command("verify", short_help="Check the signatures in captures.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@trust_options
@click.option("-v", "--verbose", "every", is_flag=True, help="Tell the valid ones too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "line", "json"]),
    default="auto",
    show_default=True,
    help="auto and line: for people; json: a line of JSON for each.",
)
def command(files: tuple[str, ...], **asked: Any) -> int:
    """Check the signature of every delivery in captures, and tell those that are not valid.

    The age of a signature is what it was when the delivery was received. Exits with 0 when all
    are valid, 1 when one is not or there is none, 2 when a file, or a line of it, cannot be read.
    """
    from vmon.errors import WrongUse
    from vmon.sources import sources_of
    from vmon.trust import Trust, secrets_of
    from vmon.verify import Options, run

    secrets = secrets_of(asked["secrets"], asked["secret_files"])
    if not secrets:
        raise WrongUse(
            "there is no secret to check signatures with",
            hint="--secret, --secret-file or VMON_SIGNATURE_SECRET; it is in the dashboard",
        )
    return run(
        Options(
            sources=sources_of(files),
            trust=Trust(secrets, asked["max_age"]),
            every=asked["every"],
            as_json=asked["form"] == "json",
        )
    )
