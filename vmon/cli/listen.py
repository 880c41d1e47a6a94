"""`vmon listen`: receive callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.forward_options import onward_options
from vmon.cli.options import (
    Command,
    Duration,
    Size,
    can_ask,
    dedupe_option,
    filter_options,
    form_options,
    grouped,
    name_of,
    name_option,
    output_option,
    redact_option,
    signature_option,
    trust_options,
)
from vmon.config import HOST, PORT

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.forward.forwarder import ForwardOptions
    from vmon.search.filter import Filter
    from vmon.tunnel.choice import TunnelRequest


_server, _capture, _tunnel = map(grouped, ("Server", "Capture", "Tunnel"))


@click.command("listen", cls=Command, short_help="Receive callbacks, capture and show them live.")
@_server(
    "--host",
    default=HOST,
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on.",
)
@_server(
    "-p", "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, metavar="PORT",
    help="Port to listen on; 0 for any free.",
)  # fmt: skip # one thing a line
@_server(
    "--max-body", type=Size(), default="1MiB", show_default=True,
    help="Reject larger bodies with 413.",
)  # fmt: skip # one thing a line
@_server(
    "--body-timeout", type=Duration(), default="10s", show_default=True,
    help="Time out slower bodies with 408.",
)  # fmt: skip # one thing a line
@_capture(
    "--capture", metavar="FILE", shell_complete=completers.files,
    help="Append to this capture file instead of creating a new one.",
)  # fmt: skip # one thing a line
@_capture("--no-capture", is_flag=True, help="Don't write a capture.")
@_capture("--fsync", is_flag=True, help="Sync each event to disk before responding.")
@_capture(
    "--rotate", metavar="SIZE|AGE",
    help="Rotate the capture at this size or age (100MB, 1d); compress full files.",
)  # fmt: skip # one thing a line
@trust_options
@signature_option(
    "--require-signature", is_flag=True,
    help="Respond 401 unless the signature is valid (still captured).",
)  # fmt: skip # one thing a line
@_tunnel(
    "--tunnel", is_flag=False, flag_value="ngrok", default="none", metavar="[PROVIDER]",
    help="Open a public URL with ngrok (the default), cloudflared or ssh:[USER@]HOST[:PORT].",
)  # fmt: skip # one thing a line
@_tunnel("--public-url", metavar="URL", help="Public URL of your own tunnel or proxy.")
@_tunnel(
    "--secret-path", metavar="TOKEN",
    help="First segment of the public URL's path. Default: random, remembered.",
)  # fmt: skip # one thing a line
@_tunnel("--no-secret-path", is_flag=True, help="Don't require the secret path.")
@_tunnel("--domain", metavar="NAME", help="ngrok: use this reserved domain.")
@_tunnel("--ngrok-path", metavar="FILE", help="ngrok: agent binary to run.")
@_tunnel(
    "--ssh-url", metavar="TEMPLATE",
    help="ssh: public URL of your own server, e.g. https://hooks.example.com:{port}.",
)  # fmt: skip # one thing a line
@_tunnel(
    "--ssh-remote-port", type=click.IntRange(1, 65535), metavar="PORT",
    help="ssh: port to forward from the server. Default: chosen by the server.",
)  # fmt: skip # one thing a line
@_tunnel("--yes", is_flag=True, help="Assume yes: install the ngrok agent, stop stale agents.")
@_tunnel("--copy", is_flag=True, help="Copy the public URL to the clipboard (OSC 52).")
@_tunnel("--qr", is_flag=True, help="Show the public URL as a QR code.")
@onward_options
@filter_options
@name_option
@dedupe_option
@redact_option
@form_options
@output_option("-q", "--quiet", is_flag=True, help="Don't print events.")
@output_option("--json-ready", is_flag=True, help="Print readiness as one line of JSON to stderr.")
def command(chosen: Filter, onward: ForwardOptions | None, **asked: Any) -> int:
    """Receive callbacks on any path, capture them and show them live.

    Vonage gets 200 as soon as an event is captured (see --ack). Filters only choose what is shown:
    everything is captured and forwarded.

    \b
    vmon listen --tunnel                        get a public URL from ngrok
    vmon listen --forward-to localhost:3000     forward to your app
    vmon listen --event 'stream*' -v            show stream events with all fields
    """  # noqa: D301 - the escape is click's mark for lines to leave alone
    from datetime import UTC, datetime
    from pathlib import Path

    from vmon.capture.folder import default_path
    from vmon.capture.rotation import limit_of
    from vmon.commands.listen import Options, run
    from vmon.errors import WrongUse
    from vmon.receive.http_server import Limits
    from vmon.render.formats.entries import Form
    from vmon.render.live.banner import Extras
    from vmon.security.pseudonyms import paths_of
    from vmon.security.verifier import Verifier, secrets_of

    if asked["no_capture"] and (asked["capture"] or asked["fsync"]):
        raise WrongUse("--no-capture cannot be used with --capture or --fsync")
    if asked["rotate"] and asked["no_capture"]:
        raise WrongUse("--no-capture cannot be used with --rotate")
    if asked["secret_path"] and asked["no_secret_path"]:
        raise WrongUse("--secret-path cannot be used with --no-secret-path")
    secrets = secrets_of(asked["secrets"], asked["secret_files"])
    trust = Verifier(secrets, asked["max_age"], asked["require_signature"])
    if trust.required and not secrets:
        raise WrongUse(
            "--require-signature needs a signature secret",
            hint="copy it from the Vonage dashboard; use --secret, --secret-file or "
            "VMON_SIGNATURE_SECRET",
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


def _opening(asked: dict[str, Any]) -> TunnelRequest | None:
    """The tunnel asked for, with what it needs at hand; None when none is."""
    from pathlib import Path

    from vmon.errors import WrongUse
    from vmon.tunnel.choice import NoTunnel, TunnelRequest, ViaNgrok, ViaPublicUrl, parse
    from vmon.tunnel.fixed_url import checked

    choice = parse(asked["tunnel"])
    if asked["public_url"]:
        if choice != NoTunnel():
            raise WrongUse("--public-url cannot be used with --tunnel")
        choice = ViaPublicUrl(checked(asked["public_url"]))
    if choice == NoTunnel():
        return None
    binary = Path(asked["ngrok_path"]) if asked["ngrok_path"] else None
    if choice == ViaNgrok():
        _have_agent(binary, yes=asked["yes"])
    _end_leftovers(yes=asked["yes"])
    return TunnelRequest(
        choice, asked["domain"], binary, asked["ssh_url"], asked["ssh_remote_port"]
    )


def _have_agent(binary: Path | None, *, yes: bool) -> None:
    """See that there is an ngrok agent, or have it installed after asking."""
    from vmon.commands.tunnel import install
    from vmon.tunnel.model import CannotTunnel
    from vmon.tunnel.ngrok.locate import find_agent

    try:
        find_agent(binary)
    except CannotTunnel:
        if binary or not (yes or can_ask()):
            raise
        install(yes=yes)


def _end_leftovers(*, yes: bool) -> None:
    """Offer to end agents that outlived a vmon which was killed: they hold the URL."""
    import asyncio

    from vmon.state import state_dir
    from vmon.tunnel.orphans import end, leftovers

    for left in leftovers(state_dir()):
        what = f"a stale {left.provider} agent is still running (pid {left.pid})"
        if yes or (can_ask() and click.confirm(f"{what}. Stop it?", True, err=True)):
            asyncio.run(end(left))
        else:
            click.echo(f"warning: {what}; stop it with vmon tunnel leftovers --stop", err=True)
