"""`vmon listen`: receive callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli.onward import onward_options
from vmon.cli.options import Duration, Size, filter_options, form_options

if TYPE_CHECKING:
    from vmon.filters import Filter
    from vmon.forwarding import Onward


@click.command("listen", short_help="Receive callbacks: capture, answer and draw them live.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=4680, show_default=True,
    help="Port to listen on; 0 takes any free one.",
)  # fmt: skip # one thing a line
@click.option("--capture", metavar="FILE", help="Append to this capture instead of a new one.")
@click.option("--no-capture", is_flag=True, help="Keep nothing.")
@click.option("--fsync", is_flag=True, help="Answer only when the disk has it (power loss).")
@click.option("--max-body", type=Size(), default="1MiB", show_default=True, help="Larger: 413.")
@click.option(
    "--body-timeout", type=Duration(), default="10s", show_default=True,
    help="A body that takes longer: 408.",
)  # fmt: skip # one thing a line
@click.option("-q", "--quiet", is_flag=True, help="Draw no events.")
@onward_options
@form_options
@filter_options
def command(chosen: Filter, onward: Onward | None, **asked: Any) -> int:
    """Receive callbacks on any path, capture them, answer 200 at once, and draw them live.

    Filters choose what is shown; everything is captured all the same.
    """
    from datetime import UTC, datetime
    from pathlib import Path

    from vmon.capture import default_path
    from vmon.errors import WrongUse
    from vmon.listen import Options, run
    from vmon.receiver import Limits
    from vmon.render.form import Form

    if asked["no_capture"] and (asked["capture"] or asked["fsync"]):
        raise WrongUse("--no-capture keeps nothing: it goes with neither --capture nor --fsync")
    file = Path(asked["capture"]) if asked["capture"] else default_path(datetime.now(UTC))
    return run(
        Options(
            host=asked["host"],
            port=asked["port"],
            capture=None if asked["no_capture"] else file,
            fsync=asked["fsync"],
            limits=Limits(max_body=asked["max_body"], body_timeout_s=asked["body_timeout"]),
            chosen=chosen,
            form=Form(asked["kind"], asked["verbosity"]),
            quiet=asked["quiet"],
            onward=onward,
        )
    )
