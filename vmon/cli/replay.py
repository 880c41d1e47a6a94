"""`vmon replay`: replay a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.forward_options import insecure_option
from vmon.cli.options import (
    Command,
    dedupe_option,
    filter_options,
    format_options,
    forward_option,
    late_option,
    name_of,
    name_option,
    option,
    output_option,
    redact_option,
    redactor_from,
)
from vmon.cli.quantities import Duration
from vmon.cli.signing_options import sign_options, signer_from

if TYPE_CHECKING:
    from vmon.commands.replay import Options
    from vmon.forward.targets import Target
    from vmon.search.filter import Filter


class Speed(click.ParamType[float]):
    """A playback speed: a factor, or `max`."""

    name = "speed"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The factor; infinite for `max`."""
        try:
            factor = float("inf") if value == "max" else float(str(value).removesuffix("x"))
        except ValueError:
            factor = 0
        if not factor > 0:
            self.fail(f"invalid speed {value!r} (use 10, 0.5 or max)", param, ctx)
        return factor


@click.command("replay", cls=Command, short_help="Replay a capture on screen or to your app.")
@click.argument("file", required=False, shell_complete=completers.files)
@option(
    "--speed", type=Speed(), default="1", show_default=True, metavar="FACTOR",
    help="Replay this many times faster, or max.",
)  # fmt: skip # one thing a line
@option(
    "--max-gap", type=Duration(), default="2s", show_default=True,
    help="Shorten longer pauses between events to this.",
)  # fmt: skip # one thing a line
@option(
    "--sort", type=click.Choice(["received", "event"]), default="received", show_default=True,
    help="Order and pace: by time received or by event time.",
)  # fmt: skip # one thing a line
@option("--loop", is_flag=True, help="Start over at the end, until Ctrl-C.")
@option("--dry-run", is_flag=True, help="Show what would be replayed, without sending anything.")
@forward_option("--to", metavar="URL", help="Send each delivery to your app and show its response.")
@forward_option(
    "--failed", is_flag=True,
    help="Resend deliveries your app rejected while listen was forwarding, to the same URLs.",
)  # fmt: skip # one thing a line
@forward_option(
    "--discard", is_flag=True,
    help="With --failed: drop these deliveries instead; they stay in the capture.",
)  # fmt: skip # one thing a line
@forward_option(
    "--exact-path", is_flag=True, help="Use the URL as it is; don't append the request path."
)
@forward_option(
    "--concurrency", type=click.IntRange(1, 512), default=16, show_default=True, metavar="N",
    help="Number of sessions to send in parallel; order within a session is kept.",
)  # fmt: skip # one thing a line
@forward_option(
    "--timeout", type=Duration(), default="10s", show_default=True,
    help="Time to wait for a response.",
)  # fmt: skip # one thing a line
@insecure_option
@sign_options
@filter_options
@name_option
@late_option
@dedupe_option
@redact_option
@format_options
@output_option("-q", "--quiet", is_flag=True, help="Print only the summary.")
def command(event_filter: Filter, file: str | None, **options: Any) -> int:
    """Replay a capture at its original pace, on screen or to your app.

    Without FILE: standard input if it is a pipe or a file, else the newest capture. With --failed
    and no FILE: every capture in the default folder. Exits with 1 if your app rejected a delivery
    or nothing matched.

    \b
    vmon replay                                    watch the newest capture again
    vmon replay FILE --to localhost:3000           send it to your app
    vmon replay FILE --speed max --event archive   archive events, without pauses
    """  # noqa: D301 - \b tells click not to rewrap
    from vmon.capture.folder import sources_of
    from vmon.errors import WrongUse

    source, *more = (None,) if options["failed"] else sources_of((file,) if file else ())
    if more:
        raise WrongUse(
            f"{file} has more than one capture", hint=f"run vmon filter {file} | vmon replay -"
        )
    _check(options, source)
    run_options = _run_options(source, event_filter, options)
    if options["failed"]:
        from vmon.commands import replay_failed

        again = replay_failed.Settings(options["timeout"], options["insecure"], options["discard"])
        return replay_failed.run(run_options, file, again)
    from vmon.commands.replay import run

    return run(run_options)


def _check(options: dict[str, Any], source: str | None) -> None:
    """WrongUse for options that exclude or need each other."""
    from vmon.errors import WrongUse

    for other in ("loop", "dedupe"):
        if options["failed"] and options[other]:
            raise WrongUse(f"--failed cannot be used with --{other}")
    if options["discard"]:
        _check_discard(options)
    if options["loop"] and source is None:
        raise WrongUse("--loop cannot be used with standard input", hint="pass a file")
    if options["sign"] is not None and options["to"] is None:
        raise WrongUse("--sign needs --to", hint="add --to http://localhost:3000")


def _check_discard(options: dict[str, Any]) -> None:
    from vmon.errors import WrongUse

    if not options["failed"]:
        raise WrongUse("--discard needs --failed", hint="run vmon replay --failed --discard")
    if options["to"]:
        raise WrongUse("--discard cannot be used with --to")


def _run_options(source: str | None, event_filter: Filter, options: dict[str, Any]) -> Options:
    from vmon.commands.replay import Options
    from vmon.render.formats.entries import Form
    from vmon.replay.schedule import PlaybackSpeed

    speed = PlaybackSpeed(options["speed"], options["max_gap"], options["sort"] == "event")
    return Options(
        source=source,
        event_filter=event_filter,
        speed=speed,
        form=Form(options["output_format"], options["verbosity"]),
        signer=signer_from(options["sign"], options["api_key"]),
        redact=redactor_from(options["redact"]),
        target=_target(options),
        concurrency=options["concurrency"],
        loop=options["loop"],
        dry_run=options["dry_run"],
        quiet=options["quiet"],
        dedupe=options["dedupe"],
        name_of=name_of(options["name_from"]) if options["name_from"] else None,
        late_after_s=options["late_after_s"],
    )


def _target(options: dict[str, Any]) -> Target | None:
    if options["to"] is None:
        return None
    from vmon.forward.targets import target_of

    return target_of(
        options["to"],
        exact_path=options["exact_path"],
        timeout_s=options["timeout"],
        insecure=options["insecure"],
    )
