"""`vmon listen`: receive callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.onward import onward_options
from vmon.cli.options import (
    Duration,
    Size,
    can_ask,
    dedupe_option,
    filter_options,
    form_options,
    name_of,
    name_option,
    redact_option,
    trust_options,
)

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.filters import Filter
    from vmon.forwarding import Onward
    from vmon.listen import Opening


@click.command("listen", short_help="Receive callbacks: capture, answer and draw them live.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=4680, show_default=True,
    help="Port to listen on; 0 takes any free one.",
)  # fmt: skip # one thing a line
@click.option(
    "--capture", metavar="FILE", shell_complete=complete.files,
    help="Append to this capture instead of a new one.",
)  # fmt: skip # one thing a line
@click.option("--no-capture", is_flag=True, help="Keep nothing.")
@click.option("--fsync", is_flag=True, help="Answer only when the disk has it (power loss).")
@click.option(
    "--rotate", metavar="SIZE|TIME",
    help="Begin the capture anew when it is so big or old (100MB, 1d); compress the full one.",
)  # fmt: skip # one thing a line
@click.option("--max-body", type=Size(), default="1MiB", show_default=True, help="Larger: 413.")
@click.option(
    "--body-timeout", type=Duration(), default="10s", show_default=True,
    help="A body that takes longer: 408.",
)  # fmt: skip # one thing a line
@trust_options
@click.option(
    "--require-signature", is_flag=True, help="Answer 401 to what is not valid; capture it still."
)
@click.option(
    "--secret-path", metavar="TOKEN",
    help="First part of the public URL's path. Default: one of its own, remembered.",
)  # fmt: skip # one thing a line
@click.option("--no-secret-path", is_flag=True, help="Let in who knows the public host's name.")
@click.option("-q", "--quiet", is_flag=True, help="Draw no events.")
@name_option
@dedupe_option
@redact_option
@click.option(
    "--tunnel", is_flag=False, flag_value="ngrok", default="none", metavar="[ENGINE]",
    help="Open a public URL: ngrok (when no ENGINE is named), cloudflared, ssh:[USER@]HOST[:PORT].",
)  # fmt: skip # one thing a line
@click.option("--public-url", metavar="URL", help="A tunnel or proxy of your own leads here.")
@click.option("--domain", metavar="NAME", help="A domain reserved at ngrok.")
@click.option("--ngrok-path", metavar="FILE", help="The ngrok agent to run.")
@click.option(
    "--ssh-url", metavar="TEMPLATE",
    help="Of an ssh server of your own: https://hooks.example.com:{port}.",
)  # fmt: skip # one thing a line
@click.option("--ssh-port", type=click.IntRange(1, 65535), help="Port to ask of the ssh server.")
@click.option("--yes", is_flag=True, help="Install what the tunnel needs, end leftovers: unasked.")
@click.option("--copy", is_flag=True, help="Put the public URL on the clipboard (OSC 52).")
@click.option("--qr", is_flag=True, help="Draw the public URL as a QR code.")
@click.option("--json-ready", is_flag=True, help="Say ready as one line of JSON (standard error).")
@onward_options
@form_options
@filter_options
def command(chosen: Filter, onward: Onward | None, **asked: Any) -> int:
    """Receive callbacks on any path, capture them, answer 200 at once, and draw them live.

    Filters choose what is shown; everything is captured all the same.
    """
    from datetime import UTC, datetime
    from pathlib import Path

    from vmon.capture import default_path
    from vmon.errors import WrongUse
    from vmon.listen import Options, run
    from vmon.receiver import Limits
    from vmon.redact import paths_of
    from vmon.render.form import Form
    from vmon.render.report import Extras
    from vmon.rotate import limit_of
    from vmon.trust import Trust, secrets_of

    if asked["no_capture"] and (asked["capture"] or asked["fsync"]):
        raise WrongUse("--no-capture keeps nothing: it goes with neither --capture nor --fsync")
    if asked["rotate"] and asked["no_capture"]:
        raise WrongUse("--no-capture keeps nothing: there is nothing to --rotate")
    if asked["secret_path"] and asked["no_secret_path"]:
        raise WrongUse("either --secret-path or --no-secret-path")
    secrets = secrets_of(asked["secrets"], asked["secret_files"])
    trust = Trust(secrets, asked["max_age"], asked["require_signature"])
    if trust.required and not secrets:
        raise WrongUse(
            "--require-signature needs a secret to check with",
            hint="--secret, --secret-file or VMON_SIGNATURE_SECRET; it is in the dashboard",
        )
    file = Path(asked["capture"]) if asked["capture"] else None
    return run(
        Options(
            host=asked["host"],
            port=asked["port"],
            fsync=asked["fsync"],
            limits=Limits(max_body=asked["max_body"], body_timeout_s=asked["body_timeout"]),
            chosen=chosen,
            form=Form(asked["kind"], asked["verbosity"]),
            quiet=asked["quiet"],
            trust=trust,
            redact=paths_of(asked["redact"]) if asked["redact"] else None,
            name_of=name_of(asked["name_from"]) if asked["name_from"] else None,
            dedupe=asked["dedupe"],
            secret_path=asked["secret_path"],
            open_path=asked["no_secret_path"],
            tunnel=_opening(asked),
            extras=Extras(copy=asked["copy"], qr=asked["qr"]),
            ready_as_json=asked["json_ready"],
            onward=onward,
            rotate=limit_of(asked["rotate"]) if asked["rotate"] else None,
            # The last one: what is wrong with another leaves no empty capture.
            capture=None if asked["no_capture"] else file or default_path(datetime.now(UTC)),
        )
    )


def _opening(asked: dict[str, Any]) -> Opening | None:
    """The tunnel asked for, with what it needs at hand; None when none is."""
    from pathlib import Path

    from vmon.errors import WrongUse
    from vmon.listen import Opening
    from vmon.tunnel.choice import NoTunnel, ViaNgrok, ViaPublicUrl, parse
    from vmon.tunnel.public import checked

    choice = parse(asked["tunnel"])
    if asked["public_url"]:
        if choice != NoTunnel():
            raise WrongUse("--public-url is instead of --tunnel: name one of the two")
        choice = ViaPublicUrl(checked(asked["public_url"]))
    if choice == NoTunnel():
        return None
    binary = Path(asked["ngrok_path"]) if asked["ngrok_path"] else None
    if choice == ViaNgrok():
        _have_agent(binary, yes=asked["yes"])
    _end_leftovers(yes=asked["yes"])
    return Opening(choice, asked["domain"], binary, asked["ssh_url"], asked["ssh_port"])


def _have_agent(binary: Path | None, *, yes: bool) -> None:
    """See that there is an ngrok agent, or have it installed after asking."""
    from vmon.cli.tunnel import install
    from vmon.tunnel.agent import find_agent
    from vmon.tunnel.model import CannotTunnel

    try:
        find_agent(binary)
    except CannotTunnel:
        if binary or not (yes or can_ask()):
            raise
        install(yes=yes)


def _end_leftovers(*, yes: bool) -> None:
    """Offer to end agents that outlived a vmon which was killed: they hold the URL."""
    import asyncio

    from vmon.tunnel.leftover import end, leftovers
    from vmon.tunnel.place import state_dir

    for left in leftovers(state_dir()):
        what = f"the {left.provider} agent of an earlier vmon still runs (process {left.pid})"
        if yes or (can_ask() and click.confirm(f"{what}. End it?", True, err=True)):
            asyncio.run(end(left))
        else:
            click.echo(f"warning: {what}: vmon tunnel leftovers --end ends it", err=True)
