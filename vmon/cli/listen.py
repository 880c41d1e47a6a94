"""`vmon listen`: receive callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.forward_options import forward_options
from vmon.cli.options import (
    Command,
    asker,
    dedupe_option,
    filter_options,
    format_options,
    grouped,
    late_option,
    name_of,
    name_option,
    output_option,
    redact_option,
    signature_option,
)
from vmon.cli.quantities import Duration, Size
from vmon.cli.signing_options import verify_options
from vmon.config import HOST, PORT

if TYPE_CHECKING:
    from pathlib import Path

    from vmon.capture.rotation import Limit
    from vmon.commands.listen import Options
    from vmon.forward.forwarder import ForwardOptions
    from vmon.search.filter import Filter
    from vmon.security.verifier import Verifier
    from vmon.tunnel.choice import Choice, TunnelRequest


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
@verify_options
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
@_tunnel(
    "--yes",
    is_flag=True,
    help="Assume yes: install the ngrok agent, stop stale agents, forward a backlog.",
)
@_tunnel("--copy", is_flag=True, help="Copy the public URL to the clipboard (OSC 52).")
@_tunnel("--qr", is_flag=True, help="Show the public URL as a QR code.")
@forward_options
@filter_options
@name_option
@late_option
@dedupe_option
@redact_option
@format_options
@output_option("-q", "--quiet", is_flag=True, help="Don't print events.")
@output_option("--json-ready", is_flag=True, help="Print readiness as one line of JSON to stderr.")
def command(event_filter: Filter, forward: ForwardOptions | None, **options: Any) -> int:
    """Receive callbacks on any path, capture them and show them live.

    Vonage gets 200 as soon as an event is captured (see --ack). Filters only choose what is shown:
    everything is captured and forwarded.

    \b
    vmon listen --tunnel                        get a public URL from ngrok
    vmon listen --forward-to localhost:3000     forward to your app
    vmon listen --event 'stream*' -v            show stream events with all fields
    """  # noqa: D301 - \b tells click not to rewrap
    from vmon.commands.listen import run

    _check(options)
    return run(_run_options(event_filter, forward, options))


def _confirmed(forward: ForwardOptions | None, options: dict[str, Any]) -> ForwardOptions | None:
    """The options of forwarding, after a question about what an earlier run left."""
    if forward is None or options["no_capture"]:
        return forward
    from pathlib import Path

    from vmon.capture.folder import default_folder
    from vmon.commands.backlog import confirmed

    folder = Path(options["capture"]).parent if options["capture"] else default_folder()
    return confirmed(forward, folder, asker(), yes=options["yes"])


def _check(options: dict[str, Any]) -> None:
    """WrongUse for options that exclude each other."""
    from vmon.errors import WrongUse

    if options["no_capture"] and (options["capture"] or options["fsync"]):
        raise WrongUse("--no-capture cannot be used with --capture or --fsync")
    if options["rotate"] and options["no_capture"]:
        raise WrongUse("--no-capture cannot be used with --rotate")
    if options["secret_path"] and options["no_secret_path"]:
        raise WrongUse("--secret-path cannot be used with --no-secret-path")


def _run_options(
    event_filter: Filter, forward: ForwardOptions | None, options: dict[str, Any]
) -> Options:
    from vmon.commands.listen import Options
    from vmon.receive.http_server import Limits
    from vmon.render.formats.entries import Form
    from vmon.render.live.notices import Extras
    from vmon.security.pseudonyms import paths_of

    return Options(
        host=options["host"],
        port=options["port"],
        fsync=options["fsync"],
        limits=Limits(max_body=options["max_body"], body_timeout_s=options["body_timeout"]),
        event_filter=event_filter,
        form=Form(options["output_format"], options["verbosity"]),
        quiet=options["quiet"],
        verifier=_verifier(options),
        redact=paths_of(options["redact"]) if options["redact"] else None,
        name_of=name_of(options["name_from"]) if options["name_from"] else None,
        late_after_s=options["late_after_s"],
        dedupe=options["dedupe"],
        secret_path=options["secret_path"],
        open_path=options["no_secret_path"],
        tunnel=_tunnel_request(options),
        extras=Extras(copy=options["copy"], qr=options["qr"]),
        ready_as_json=options["json_ready"],
        rotate=_limit(options["rotate"]),
        forward=_confirmed(forward, options),
        capture=_capture_path(options),  # the last: what is wrong above leaves no empty capture
    )


def _verifier(options: dict[str, Any]) -> Verifier:
    from vmon.errors import WrongUse
    from vmon.security.verifier import Verifier, secrets_of

    secrets = secrets_of(options["secrets"], options["secret_files"])
    if options["require_signature"] and not secrets:
        raise WrongUse(
            "--require-signature needs a signature secret",
            hint="copy it from the Vonage dashboard; use --secret, --secret-file or "
            "VMON_SIGNATURE_SECRET",
        )
    return Verifier(secrets, options["max_age"], options["require_signature"])


def _limit(text: str | None) -> Limit | None:
    from vmon.capture.rotation import limit_of

    return limit_of(text) if text else None


def _capture_path(options: dict[str, Any]) -> Path | None:
    from datetime import UTC, datetime
    from pathlib import Path

    from vmon.capture.folder import default_path
    from vmon.errors import WrongUse

    if options["no_capture"]:
        return None
    if options["capture"] is None:
        return default_path(datetime.now(UTC))
    if not options["capture"].strip():
        raise WrongUse("--capture is empty", hint="use --capture FILE, or leave it out")
    path = Path(options["capture"])
    if not path.parent.exists():
        from vmon.sanitize import disarm

        click.echo(f"creating the folder {disarm(str(path.parent))}", err=True)
    return path


def _tunnel_request(options: dict[str, Any]) -> TunnelRequest | None:
    """The tunnel to open, with what it needs at hand; None without one."""
    from pathlib import Path

    from vmon.commands.tunnel import offer_to_stop_leftovers, provide_agent
    from vmon.tunnel.choice import NoTunnel, TunnelRequest, ViaNgrok

    choice = _tunnel_choice(options)
    if choice == NoTunnel():
        return None
    binary = Path(options["ngrok_path"]) if options["ngrok_path"] else None
    if choice == ViaNgrok():
        provide_agent(binary, yes=options["yes"], ask=asker())
    offer_to_stop_leftovers(yes=options["yes"], ask=asker())
    return TunnelRequest(
        choice, options["domain"], binary, options["ssh_url"], options["ssh_remote_port"]
    )


def _tunnel_choice(options: dict[str, Any]) -> Choice:
    from vmon.errors import WrongUse
    from vmon.tunnel.choice import NoTunnel, ViaPublicUrl, parse
    from vmon.tunnel.fixed_url import checked

    choice = parse(options["tunnel"])
    if not options["public_url"]:
        return choice
    if choice != NoTunnel():
        raise WrongUse("--public-url cannot be used with --tunnel")
    return ViaPublicUrl(checked(options["public_url"]))
