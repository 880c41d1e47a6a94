"""`vmon replay`: play a capture back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import (
    Duration,
    dedupe_option,
    filter_options,
    form_options,
    name_of,
    name_option,
    redact_option,
    sign_options,
)

if TYPE_CHECKING:
    from vmon.filters import Filter


class Speed(click.ParamType[float]):
    """So many times as fast, or `max`."""

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
            self.fail(f"{value!r} is not a speed: write 10, 0.5 or max", param, ctx)
        return factor


@click.command("replay", short_help="Play a capture back, on screen or to your app.")
@click.argument("file", required=False, shell_complete=complete.files)
@click.option("--to", metavar="URL", help="Send each delivery there, and draw what is answered.")
@click.option(
    "--exact-path", is_flag=True, help="Use URL's path, not that of the delivery after it."
)
@click.option(
    "--speed", type=Speed(), default="1", show_default=True, help="So many times as fast, or max."
)
@click.option(
    "--max-gap",
    type=Duration(),
    default="2s",
    show_default=True,
    help="No pause is longer than that.",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 512), default=16, show_default=True,
    help="Sessions sent side by side; within a session one follows the other.",
)  # fmt: skip # one thing a line
@click.option("--timeout", type=Duration(), default="10s", show_default=True, help="For an answer.")
@sign_options
@click.option(
    "--failed", is_flag=True,
    help="Send what your app did not take while listen forwarded, to where it was meant for.",
)  # fmt: skip # one thing a line
@click.option("--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
@click.option("--dry-run", is_flag=True, help="Say what it would be, and do nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Draw no events; the summary comes all the same.")
@click.option(
    "--sort", type=click.Choice(["received", "event"]), default="received", show_default=True,
    help="Play by the time of receipt, or by the time that events tell, in its order.",
)  # fmt: skip # one thing a line
@name_option
@dedupe_option
@redact_option
@form_options
@filter_options
def command(chosen: Filter, file: str | None, **asked: Any) -> int:
    """Play a capture on the same road as live events, in its original time.

    Without FILE: standard input where it is a pipe or a file, else the newest capture. Exits with
    1 when an app answered anything but 2xx, or there was nothing to play. --failed sends what is
    left of what listen forwarded: of FILE, or of every capture in the default folder.
    """
    from vmon.errors import WrongUse
    from vmon.pace import Pace
    from vmon.render.form import Form
    from vmon.replay import Options, run
    from vmon.sources import sources_of

    source, *more = (None,) if asked["failed"] else sources_of((file,) if file else ())
    if more:
        raise WrongUse(f"{file} has several captures", hint=f"vmon filter {file} | vmon replay -")
    if asked["failed"] and asked["loop"]:
        raise WrongUse("--failed sends what is left once: it does not go with --loop")
    if asked["failed"] and asked["dedupe"]:
        raise WrongUse("--failed sends what is left, and --dedupe leaves out: choose one")
    if asked["loop"] and source is None:
        raise WrongUse("--loop cannot read standard input twice", hint="name a file")
    target = signer = redactor = None
    if asked["sign"] is not None and not asked["to"]:
        raise WrongUse("--sign signs what is sent, and nothing is", hint="name your app with --to")
    if asked["sign"] is not None:
        from vmon.signature import Secret
        from vmon.trust import Signer

        signer = Signer(Secret("--sign", asked["sign"]), asked["api_key"])
    if asked["redact"]:
        from vmon.redact import paths_of, redactor_of

        redactor = redactor_of(paths_of(asked["redact"]))
    if asked["to"]:
        from vmon.forward import target_of

        target = target_of(asked["to"], exact_path=asked["exact_path"], timeout_s=asked["timeout"])
    options = Options(
        source=source,
        chosen=chosen,
        pace=Pace(asked["speed"], asked["max_gap"], asked["sort"] == "event"),
        form=Form(asked["kind"], asked["verbosity"]),
        target=target,
        width=asked["concurrency"],
        loop=asked["loop"],
        dry_run=asked["dry_run"],
        quiet=asked["quiet"],
        signer=signer,
        redact=redactor,
        dedupe=asked["dedupe"],
        name_of=name_of(asked["name_from"]) if asked["name_from"] else None,
    )
    if asked["failed"]:
        from vmon import resend

        return resend.run(options, file, asked["timeout"])
    return run(options)
