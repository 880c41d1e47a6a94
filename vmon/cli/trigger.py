"""`vmon trigger`: send sample events."""

from __future__ import annotations

from typing import Any

import click

from vmon.cli import complete
from vmon.cli.options import Duration, sign_options

LISTENER = "http://127.0.0.1:4680"


@click.command("trigger", short_help="Send sample events, as Vonage would.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=complete.event_types)
@click.option("--story", is_flag=True, help="Every type once: a session from its start to its end.")
@click.option(
    "--to", default=LISTENER, show_default=True, metavar="URL", help="Where to send them."
)
@click.option(
    "--set", "changes", multiple=True, metavar="PATH=VALUE",
    help="Change a field of each sample: stream.name=Ann; VALUE may be JSON.",
)  # fmt: skip # one thing a line
@click.option("--unified", is_flag=True, help="Samples of a Unified application, not of OpenTok.")
@click.option("--times", type=click.IntRange(1), default=1, show_default=True, help="How often.")
@click.option("--pace", type=Duration(), default="0", help="Pause between two of them: 200ms.")
@click.option("--wait", type=Duration(), default="0", help="Wait so long for a listener to be up.")
@sign_options
@click.option("--dry-run", is_flag=True, help="Print the samples, one per line, and send nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing when all goes well.")
def command(types: tuple[str, ...], **asked: Any) -> int:
    """Send samples of event TYPEs, with fresh ids and times that fit together.

    TYPE may be a comma list or a glob, such as 'stream*'. See vmon events for the types.
    """
    from vmon.catalogue import TYPES
    from vmon.errors import WrongUse
    from vmon.filters import types_of
    from vmon.forward import Outcome, target_of
    from vmon.scenario import STORY, parse_change
    from vmon.text import disarm
    from vmon.trigger import Options, run

    if bool(types) == asked["story"]:
        raise WrongUse("name the types to send, or --story", hint="vmon events lists the types")
    names = STORY if asked["story"] else [
        name
        for given in types
        for name in STORY
        if name in types_of([given])
    ]  # fmt: skip # as given, and within a glob as things happen
    if not names:
        raise WrongUse("there are samples of Vonage's own types only", hint=", ".join(TYPES))

    signer = None
    if asked["sign"] is not None:
        from vmon.signature import Secret
        from vmon.trust import Signer

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
            pace_s=asked["pace"],
            wait_s=asked["wait"],
            dry_run=asked["dry_run"],
            signer=signer,
            told=told,
        )
    )
