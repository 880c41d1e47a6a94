"""The options of signatures: secrets to verify with, and one to sign with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmon.cli.options import signature_option
from vmon.cli.quantities import Duration

if TYPE_CHECKING:
    from vmon.cli.options import _Command
    from vmon.security.verifier import Signer


def verify_options(command: _Command) -> _Command:
    """Add `--secret`, `--secret-file` and `--max-age`; the command receives their raw values."""
    secret = signature_option(
        "--secret", "secrets", multiple=True, metavar="SECRET", envvar="VMON_SIGNATURE_SECRET",
        help="Verify signatures with this secret; repeatable. [env: VMON_SIGNATURE_SECRET]",
    )  # fmt: skip # one thing a line
    file = signature_option(
        "--secret-file", "secret_files", multiple=True, metavar="FILE",
        help="Read secrets from a file, one per line: NAME=SECRET or SECRET.",
    )  # fmt: skip # one thing a line
    age = signature_option(
        "--max-age", type=Duration(),
        help="Treat older signatures as stale (Vonage retries for 24h). Default: no limit.",
    )  # fmt: skip # one thing a line
    return secret(file(age(command)))


def sign_options(command: _Command) -> _Command:
    """Add `--sign` and `--api-key`; the command receives their raw values."""
    sign = signature_option(
        "--sign", metavar="SECRET", help="Sign requests with SECRET, as Vonage does."
    )
    key = signature_option(
        "--api-key", metavar="KEY", help="API key to sign for. Default: the project ID."
    )
    return sign(key(command))


def signer_from(secret: str | None, api_key: str | None) -> Signer | None:
    """The signer for `--sign` and `--api-key`; None without `--sign`."""
    if secret is None:
        return None
    from vmon.security.signature import Secret
    from vmon.security.verifier import Signer

    return Signer(Secret("--sign", secret), api_key)
