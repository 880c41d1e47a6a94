"""What an installation of the agent is going to do, and how far it is."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from vmon.humanize import disarm, size
from vmon.render.formats.entries import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.tunnel.ngrok.install import InstallPlan


def plan_of(plan: InstallPlan) -> str:
    """What, whence, whereto, how big."""
    told = size(plan.size) if plan.size is not None else "unknown"
    replaced = "  (replaces the existing one)" if plan.replaces else ""
    return "\n".join(
        (
            "ngrok agent, for vmon listen --tunnel",
            f"  from  {disarm(plan.url)}",
            f"  to    {disarm(str(plan.target))}{replaced}",
            f"  size  {told}",
        )
    )


@contextmanager
def shown(total: int | None) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on standard error where that is a terminal, which goes when all is there."""
    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=console(sys.stderr), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, size: bar.update(task, completed=done, total=size or total)
