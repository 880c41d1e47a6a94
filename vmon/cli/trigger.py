"""`vmon trigger`: send sample events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import Command, Duration, option, sign_options
from vmon.config import LISTENER

if TYPE_CHECKING:
    from vmon.forward.client import Outcome


@click.command("trigger", cls=Command, short_help="Send sample events, as Vonage does.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=completers.event_types)
@option("--story", "every_type", is_flag=True, help="Send one of each type: a whole session.")
@option("--to", default=LISTENER, show_default=True, metavar="URL", help="URL to send to.")
@option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE",
    help="Set a field: stream.name=Ann; VALUE may be JSON; repeatable.",
)  # fmt: skip # one thing a line
@option("--unified", is_flag=True, help="Send samples of a Unified application, not OpenTok.")
@option(
    "--times", type=click.IntRange(1), default=1, show_default=True, metavar="N",
    help="Number of times to send.",
)  # fmt: skip # one thing a line
@option(
    "--interval", type=Duration(), default="0s", show_default=True,
    help="Pause between events, e.g. 200ms.",
)  # fmt: skip # one thing a line
@option(
    "--wait", type=Duration(), default="0s", show_default=True,
    help="Time to wait for a listener to start.",
)  # fmt: skip # one thing a line
@sign_options
@option("--dry-run", is_flag=True, help="Print the events, one per line, without sending them.")
@option("-q", "--quiet", is_flag=True, help="Print only errors.")
def command(types: tuple[str, ...], **asked: Any) -> int:
    """Send sample events with new, consistent IDs and times.

    TYPE is an event type, a comma list or a glob; vmon events lists the types.

    \b
    vmon trigger streamCreated
    vmon trigger 'stream*' --set stream.name=Ann
    vmon trigger --story --to localhost:3000/hook
    """  # noqa: D301 - the escape is click's mark for lines to leave alone
    from vmon.commands.trigger import Options, run
    from vmon.errors import WrongUse
    from vmon.events.catalogue import TYPES, types_of
    from vmon.forward.targets import target_of
    from vmon.replay.samples import STORY, parse_change
    from vmon.sanitize import disarm

    if bool(types) == asked["every_type"]:
        raise WrongUse("pass event types or --story", hint="run vmon events for all types")
    names = STORY if asked["every_type"] else [
        name
        for given in types
        for name in STORY
        if name in types_of([given])
    ]  # fmt: skip # as given, and within a glob as things happen
    if not names:
        raise WrongUse("no samples of these types", hint=f"known types: {', '.join(TYPES)}")

    signer = None
    if asked["sign"] is not None:
        from vmon.security.signature import Secret
        from vmon.security.verifier import Signer

        signer = Signer(Secret("--sign", asked["sign"]), asked["api_key"])

    def told(name: str, what: Outcome | bytes) -> None:
        if isinstance(what, bytes):
            click.echo(what)
        elif not what.ok:
            click.echo(f"{name}  {disarm(str(what))}", err=True)
        elif not asked["quiet"]:
            click.echo(f"{name}  {what}")

    return run(
        Options(
            types=tuple(names),
            target=target_of(asked["to"], exact_path=True),
            changes=tuple(parse_change(text) for text in asked["changes"]),
            unified=asked["unified"],
            times=asked["times"],
            pace_s=asked["interval"],
            wait_s=asked["wait"],
            dry_run=asked["dry_run"],
            signer=signer,
            told=told,
        )
    )
