"""`vmon oddities`: what does not add up in captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vmon.cli import completers
from vmon.cli.options import LINES, Command, Duration, filter_options, option

if TYPE_CHECKING:
    from vmon.analysis.oddities.codes import Code
    from vmon.search.filter import Filter

_SEVERITIES = ("info", "warning", "error")


@click.command("oddities", cls=Command, short_help="Report anomalies in captures.")
@click.argument("files", nargs=-1, metavar="[FILE]...", shell_complete=completers.files)
@option(
    "--min-severity", type=click.Choice(_SEVERITIES), default="info", show_default=True,
    help="Minimum severity to report.",
)  # fmt: skip # one thing a line
@option(
    "--fail-on", type=click.Choice(_SEVERITIES),
    help="Exit with 1 if any anomaly has at least this severity.",
)  # fmt: skip # one thing a line
@option(
    "--ghost-after", "ghost_after_s", type=Duration(), default="12h", show_default=True,
    help="Report connections and streams still open after this time as ghosts.",
)  # fmt: skip # one thing a line
@option("--list", "list_codes", is_flag=True, help="List all anomaly codes and exit.")
@option(
    "--explain", metavar="CODE", shell_complete=completers.codes,
    help="Explain a code (meaning, causes, what to do) and exit.",
)  # fmt: skip # one thing a line
@option(
    "--format", "form", type=click.Choice(["auto", "line", "json"]), default="auto",
    show_default=True, help=LINES,
)  # fmt: skip # one thing a line
@filter_options
def command(chosen: Filter, files: tuple[str, ...], **asked: Any) -> int:
    """Report anomalies in captures: missing events, failures, undocumented fields.

    A filter selects sessions: the anomalies of every session with a matching event are reported.
    Events missing because the capture started later are reported as info. Exits with 1 if
    --fail-on applies or there are no deliveries, else 0.
    """
    if asked["explain"] is not None or asked["list_codes"]:
        return _tell(asked["explain"], as_json=asked["form"] == "json")
    from vmon.capture.folder import sources_of
    from vmon.commands.oddities import Options, run

    return run(
        Options(
            sources=sources_of(files),
            chosen=chosen,
            ghost_after_s=asked["ghost_after_s"],
            least=asked["min_severity"],
            fail_on=asked["fail_on"],
            as_json=asked["form"] == "json",
        )
    )


def _tell(name: str | None, *, as_json: bool) -> int:
    """One code with all that is known of it, or all codes."""
    import sys

    from vmon.analysis.oddities.codes import CODES
    from vmon.render.reports.oddities import Drawn, codes_as_json

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

    from vmon.analysis.oddities.codes import CODES
    from vmon.errors import WrongUse

    found = CODES.get(name.lower())
    if found is None:
        near = get_close_matches(name.lower(), CODES, n=1)
        hint = f"did you mean {near[0]}?" if near else "run vmon oddities --list for all codes"
        raise WrongUse(f"unknown code {name!r}", hint=hint)
    return found
