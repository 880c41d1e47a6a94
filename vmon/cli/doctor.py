"""`vmon doctor`: why something does not work, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli.options import Command, option
from vmon.config import HOST, PORT

if TYPE_CHECKING:
    from vmon.config import Setting
    from vmon.doctor.results import DoctorOptions


@click.command("doctor", cls=Command, short_help="Diagnose problems and suggest fixes.")
@option(
    "--app", "apps", multiple=True, metavar="URL", help="Check that your app accepts connections."
)
@option("--public-url", metavar="URL", help="Check that this URL reaches vmon.")
@option(
    "--tunnel", type=click.Choice(["ngrok", "cloudflared", "ssh"]),
    help="Fail if something this tunnel needs is missing.",
)  # fmt: skip # one thing a line
@option("--offline", is_flag=True, help="Don't use the network.")
@option("--json", "as_json", is_flag=True, help="Print one JSON document for scripts.")
@click.pass_context
def command(ctx: click.Context, /, *, as_json: bool, **given: Any) -> int:
    """Check everything vmon needs and suggest fixes.

    Options default to the settings of vmon listen. The clock is compared with
    video.api.vonage.com and api.ngrok.com, unless --offline. Exits with 1 if a check fails.
    """
    from vmon.commands.doctor import run

    return run(_options(ctx, given), as_json=as_json)


def _options(ctx: click.Context, given: dict[str, Any]) -> DoctorOptions:
    from pathlib import Path

    from vmon.config import files_read
    from vmon.doctor.results import DoctorOptions
    from vmon.errors import WrongUse
    from vmon.state import state_dir

    listen = _set_for_listen(ctx.obj)
    tunnel, _, _ = (given["tunnel"] or _value(listen, "tunnel") or "").partition(":")
    capture, agent = _value(listen, "capture"), _value(listen, "ngrok-path")
    if isinstance(ctx.obj, WrongUse):
        settings: str | WrongUse = ctx.obj
    elif ctx.obj is None:
        settings = "no config file; defaults in use"
    else:
        settings = ", ".join(files_read(Path())) or "no config file; environment variables only"
    token = listen.get("authtoken")
    return DoctorOptions(
        host=_value(listen, "host") or HOST,
        port=PORT if (port := _value(listen, "port")) is None else port,
        captures=Path(capture).parent if capture else None,
        state_dir=state_dir(),
        tunnel=tunnel or None,
        ngrok=Path(agent) if agent else None,
        token=(str(token.value), token.source) if token else None,
        public_url=given["public_url"] or _value(listen, "public-url"),
        apps=given["apps"] or _value(listen, "forward-to") or (),
        settings=settings,
        offline=given["offline"],
    )


def _set_for_listen(found: object) -> dict[str, Setting]:
    """What was set for listen, by the long names of its options."""
    from vmon.config import MAIN, Settings

    if not isinstance(found, Settings):
        return {}
    return {one.key.name: one for one in found.those_set().all if one.key.command == MAIN}


def _value(found: dict[str, Setting], name: str) -> Any:
    return found[name].value if name in found else None
