"""`vmon oddities`: what does not add up in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import complete
from vmon.cli.options import Duration, filter_options

if TYPE_CHECKING:
    from vmon.codes import Code
    from vmon.filters import Filter

_SEVERITIES = ("info", "warning", "error")


@click.command("oddities", short_help="Tell what does not add up in captures.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=complete.files)
@click.option(
    "--explain", metavar="CODE", shell_complete=complete.codes,
    help="Say what a code means, what causes it, and what to do; reads nothing.",
)  # fmt: skip # one thing a line
@click.option("--list", "list_codes", is_flag=True, help="List the codes; reads nothing.")
@click.option(
    "--least", type=click.Choice(_SEVERITIES), default="info", show_default=True,
    help="Tell those of at least that severity.",
)  # fmt: skip # one thing a line
@click.option(
    "--fail-on", type=click.Choice(_SEVERITIES),
    help="Exit with 1 when there is one of at least that severity.",
)  # fmt: skip # one thing a line
@click.option(
    "--ghost-after", "ghost_after_s", type=Duration(), default="12h", show_default=True,
    help="What nothing destroyed for so long is a ghost.",
)  # fmt: skip # one thing a line
@click.option(
    "--format", "form", type=click.Choice(["auto", "line", "json"]), default="auto",
    show_default=True, help="auto and line: for people; json: a line of JSON for each.",
)  # fmt: skip # one thing a line
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Tell what does not add up in captures: what is missing, failed, or not as documented.

    Sessions are understood as a whole, whatever the filter: it chooses whose oddities are told,
    those of sessions that have a chosen delivery. What misses something from before the capture
    began is an info. Exits with 0, or with 1 as --fail-on says and when there is no delivery.
    """
    if asked["explain"] is not None or asked["list_codes"]:
        return _tell(asked["explain"], as_json=asked["form"] == "json")
    from vmon.sources import sources_of
    from vmon.survey import Options, run

    return run(
        Options(
            sources=sources_of(files),
            chosen=chosen,
            ghost_after_s=asked["ghost_after_s"],
            least=asked["least"],
            fail_on=asked["fail_on"],
            as_json=asked["form"] == "json",
        )
    )


def _tell(name: str | None, *, as_json: bool) -> int:
    """One code with all that is known of it, or all codes."""
    import sys

    from vmon.codes import CODES
    from vmon.render.oddities import Drawn, codes_as_json

    codes = list(CODES.values()) if name is None else [_code(name)]
    if as_json:
        sys.stdout.write(codes_as_json(codes))
        return 0
    drawn = Drawn()
    draw = drawn.listed if name is None else drawn.explained
    sys.stdout.write("".join(map(draw, codes)))
    return 0


def _code(name: str) -> Code:
    from difflib import get_close_matches

    from vmon.codes import CODES
    from vmon.errors import WrongUse

    found = CODES.get(name.lower())
    if found is None:
        near = get_close_matches(name.lower(), CODES, n=1)
        hint = f"did you mean {near[0]}?" if near else "vmon oddities --list lists them"
        raise WrongUse(f"{name!r} is no code of an oddity", hint=hint)
    return found
