"""`vmon trigger`: send sample events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.forward_options import insecure_option
from vmon.cli.options import Command, option
from vmon.cli.quantities import Duration
from vmon.cli.signing_options import sign_options, signer_from

if TYPE_CHECKING:
    from vmon.replay.samples import Sample
from vmon.config import LISTENER


@click.command("trigger", cls=Command, short_help="Send sample events, as Vonage does.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=completers.event_types)
@option("--story", is_flag=True, help="Send a whole session, with every type in it.")
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
@insecure_option
@sign_options
@option("--dry-run", is_flag=True, help="Print the events, one per line, without sending them.")
@option("-q", "--quiet", is_flag=True, help="Print only errors.")
@option("-v", "--verbose", "in_full", is_flag=True, help="Show each response: headers and body.")
def command(types: tuple[str, ...], **options: Any) -> int:
    """Send sample events with new, consistent IDs and times.

    TYPE is an event type, a comma list or a glob; vmon events lists the types.

    \b
    vmon trigger streamCreated
    vmon trigger 'stream*' --set stream.name=Ann
    vmon trigger --story --to localhost:3000/hook
    """  # noqa: D301 - \b tells click not to rewrap
    from vmon.commands.trigger import Options, run
    from vmon.forward.targets import target_of
    from vmon.replay.samples import parse_change

    samples = _samples(types, whole_story=options["story"])
    return run(
        Options(
            samples=samples,
            signer=signer_from(options["sign"], options["api_key"]),
            target=target_of(options["to"], exact_path=True, insecure=options["insecure"]),
            changes=tuple(parse_change(text) for text in options["changes"]),
            unified=options["unified"],
            times=options["times"],
            interval_s=options["interval"],
            wait_s=options["wait"],
            dry_run=options["dry_run"],
            quiet=options["quiet"],
            in_full=options["in_full"],
        )
    )


def _samples(types: tuple[str, ...], *, whole_story: bool) -> tuple[Sample, ...]:
    """What to send: types as given, within a glob in a session's order; WrongUse without any."""
    from vmon.errors import WrongUse
    from vmon.events.catalogue import TYPES, types_of
    from vmon.replay.samples import ORDER, STORY, Sample

    if bool(types) == whole_story:
        raise WrongUse("pass event types or --story", hint="run vmon events for all types")
    if whole_story:
        return STORY
    names = [name for given in types for name in ORDER if name in types_of([given])]
    if not names:
        raise WrongUse("no samples of the given types", hint=f"known types: {', '.join(TYPES)}")
    return tuple(Sample(name) for name in names)
