"""`vmon verify`: check the signatures in a capture."""

from __future__ import annotations

from typing import Any

import click

from vmon.cli import completers
from vmon.cli.options import LINES, Command, output_option
from vmon.cli.signing_options import verify_options


@click.command("verify", cls=Command, short_help="Verify the signatures in captures.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@verify_options
@output_option("-v", "--verbose", is_flag=True, help="List valid deliveries too.")
@output_option(
    "--format",
    "output_format",
    type=click.Choice(["auto", "line", "json"]),
    default="auto",
    show_default=True,
    help=LINES,
)
def command(files: tuple[str, ...], **options: Any) -> int:
    """Verify the signature of every delivery and list those that are not valid.

    The age of a signature is its age when the delivery was received. Exits with 0 if all are
    valid, 1 if any is not or there are none, 2 if a file or line cannot be read.
    """
    from vmon.capture.folder import sources_of
    from vmon.commands.verify import Options, run
    from vmon.errors import WrongUse
    from vmon.security.verifier import Verifier, secrets_of

    secrets = secrets_of(options["secrets"], options["secret_files"])
    if not secrets:
        raise WrongUse(
            "no signature secret",
            hint="copy it from the Vonage dashboard; use --secret, --secret-file or "
            "VMON_SIGNATURE_SECRET",
        )
    return run(
        Options(
            sources=sources_of(files),
            verifier=Verifier(secrets, options["max_age"]),
            verbose=options["verbose"],
            as_json=options["output_format"] == "json",
        )
    )
