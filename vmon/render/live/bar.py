"""The bar on stderr that says how far a reading run is."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from vmon.humanize import count, size
from vmon.render.style import console
from vmon.sanitize import disarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmon.tunnel.ngrok.install import InstallPlan


class Bar:
    """How much is read of how much, what was found, and how long it will take."""

    def __init__(self, total: int | None) -> None:
        self._progress = Progress(
            BarColumn(),
            DownloadColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stderr),
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("", total=total)
        self._progress.start()

    def draw(self, done: int, found: int) -> None:
        """So many bytes are read, so many deliveries are found."""
        told = f"{count(found, 'delivery', 'deliveries')} found"
        self._progress.update(self._task, completed=done, description=told)
        self._progress.refresh()

    def close(self) -> None:
        """Take the bar from the terminal."""
        self._progress.stop()


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


@contextmanager
def counted(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error that each call moves on by one of `total`; it goes at the end."""
    with Progress(console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda: bar.advance(task)
