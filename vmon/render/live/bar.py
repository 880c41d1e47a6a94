"""The bar on stderr that says how far a reading run is."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from vmon.humanize import count


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
