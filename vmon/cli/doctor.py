"""`vmon doctor`: diagnose problems and suggest fixes."""

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
def command(ctx: click.Context, /, *, as_json: bool, **options: Any) -> int:
    """Check everything vmon needs and suggest fixes.

    Options default to the settings of vmon listen. The clock is compared with
    video.api.vonage.com and api.ngrok.com, unless --offline. Exits with 1 if a check fails.
    """
    from vmon.commands.doctor import run

    return run(_doctor_options(ctx, options), as_json=as_json)


def _doctor_options(ctx: click.Context, options: dict[str, Any]) -> DoctorOptions:
    from pathlib import Path

    from vmon.config import files_read
    from vmon.doctor.results import DoctorOptions
    from vmon.errors import WrongUse
    from vmon.state import state_dir

    listen = _listen_settings(ctx.obj)
    tunnel, _, _ = (options["tunnel"] or _value(listen, "tunnel") or "").partition(":")
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
        public_url=options["public_url"] or _value(listen, "public-url"),
        apps=options["apps"] or _value(listen, "forward-to") or (),
        settings=settings,
        offline=options["offline"],
    )


def _listen_settings(settings: object) -> dict[str, Setting]:
    """The settings of `vmon listen` that are not defaults, by the long names of its options."""
    from vmon.config import MAIN, Settings

    if not isinstance(settings, Settings):
        return {}
    changed = settings.those_set().all
    return {setting.key.name: setting for setting in changed if setting.key.command == MAIN}


def _value(settings: dict[str, Setting], name: str) -> Any:
    return settings[name].value if name in settings else None
