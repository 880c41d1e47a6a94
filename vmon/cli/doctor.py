"""`vmon doctor`: why something does not work, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from vmon.doctor import Asked


@click.command("doctor", short_help="Find out why something does not work, and the way out.")
@click.option("--app", "apps", multiple=True, metavar="URL", help="Is your app there?")
@click.option("--public-url", metavar="URL", help="Is it reached from outside?")
@click.option("--tunnel", metavar="NAME", help="Fail where this needs what is missing: ngrok, …")
@click.option("--offline", is_flag=True, help="Ask nothing that is not on this machine.")
@click.option("--json", "as_json", is_flag=True, help="One document for machines.")
@click.pass_context
def command(ctx: click.Context, /, *, as_json: bool, **given: Any) -> int:
    """Look at everything vmon needs, and say what to do about what is wrong.

    Where a flag is not given, the settings of listen are looked at. Exits with 1 when a check
    fails. Asks two servers for the time (video.api.vonage.com, api.ngrok.com), unless --offline.
    """
    from vmon.doctor import checks, examine
    from vmon.render import doctor as drawn

    results = []
    look = drawn.Drawn()
    for result in examine(checks(_asked(ctx, given))):
        results.append(result)
        if not as_json:
            click.echo(look.line(result), nl=False)
    click.echo(drawn.as_json(results) if as_json else look.summary(results), nl=False)
    return int(any(result.verdict == "fail" for result in results))


def _asked(ctx: click.Context, given: dict[str, Any]) -> Asked:
    from pathlib import Path

    from vmon.config import Settings, files_read
    from vmon.doctor import Asked
    from vmon.errors import WrongUse
    from vmon.tunnel.place import state_dir

    found = ctx.obj
    parent = ctx.parent
    of_listen = (parent.default_map if parent else None) or {}
    set_: dict[str, Any] = of_listen.get("listen", {})
    apps = given["apps"] or set_.get("forward_to") or ()
    tunnel = given["tunnel"] or set_.get("tunnel")
    capture = set_.get("capture")
    told: str | WrongUse = "none: everything is as it comes"
    if isinstance(found, WrongUse):
        told = found
    elif isinstance(found, Settings):
        told = ", ".join(files_read(Path())) or "variables only"
    return Asked(
        host=set_.get("host", "127.0.0.1"),
        port=set_.get("port", 4680),
        captures=Path(capture).parent if capture else None,
        state_dir=state_dir(),
        tunnel=tunnel.partition(":")[0] if tunnel else None,
        token=_token(found),
        public_url=given["public_url"] or set_.get("public_url"),
        apps=tuple(apps),
        settings=told,
        offline=given["offline"],
    )


def _token(found: object) -> tuple[str, str] | None:
    from vmon.config import Settings

    if not isinstance(found, Settings):
        return None
    for one in found.all:
        if one.key.name == "authtoken" and isinstance(one.value, str):
            return one.value, one.source
    return None
