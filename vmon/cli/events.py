"""`vmon events`: what Vonage Video sends, type by type."""

import click

from vmon.cli import complete


@click.command("events", short_help="Explain the event types: fields, reasons, samples.")
@click.argument("types", nargs=-1, metavar="[TYPE]...", shell_complete=complete.event_types)
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="auto and text: for people; json: one document for machines.",
)
def command(types: tuple[str, ...], form: str) -> None:
    """List the event types, or explain each TYPE: fields, reasons, states, a sample."""
    import sys

    from vmon.catalogue import ALL, EventType, suggest
    from vmon.errors import WrongUse
    from vmon.render import catalogue as drawn

    by_lower = {name.lower(): entry for name, entry in ALL.items()}

    def entry_of(name: str) -> EventType:
        if (entry := by_lower.get(name.lower())) is not None:
            return entry
        near = suggest(name)
        known = f"the types are {', '.join(ALL)}"
        hint = f"did you mean {near}? {known}" if near else known
        raise WrongUse(f"{name!r} is not an event type", hint=hint)

    entries = [entry_of(name) for name in types]
    if form == "json":
        sys.stdout.write(drawn.as_json(entries or list(ALL.values())))
    elif entries:
        drawn.show(drawn.explanations(entries), sys.stdout)
    else:
        drawn.show(drawn.overview(list(ALL.values())), sys.stdout)
