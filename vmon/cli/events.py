"""`vmon events`: what Vonage Video sends, type by type."""

import click

from vmon.cli import completers
from vmon.cli.options import REPORT, Command, option


@click.command("events", cls=Command, short_help="Explain event types: fields, reasons, samples.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=completers.event_types)
@option(
    "--format",
    "form",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help=REPORT,
)
def command(types: tuple[str, ...], form: str) -> None:
    """List the event types, or explain each TYPE: fields, reasons, states and a sample."""
    import sys

    from vmon.errors import WrongUse
    from vmon.events.catalogue import ALL, EventType, suggest
    from vmon.render.reports import events as drawn

    by_lower = {name.lower(): entry for name, entry in ALL.items()}

    def entry_of(name: str) -> EventType:
        if (entry := by_lower.get(name.lower())) is not None:
            return entry
        near = suggest(name)
        known = f"known types: {', '.join(ALL)}"
        hint = f"did you mean {near}? {known}" if near else known
        raise WrongUse(f"unknown event type {name!r}", hint=hint)

    entries = [entry_of(name) for name in types]
    if form == "json":
        sys.stdout.write(drawn.as_json(entries or list(ALL.values())))
    elif entries:
        drawn.show(drawn.explanations(entries), sys.stdout)
    else:
        drawn.show(drawn.overview(list(ALL.values())), sys.stdout)
