"""How a run of `listen` is stopped: gently by the first signal, at once by the second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

from vmon.errors import INTERRUPTED
from vmon.humanize import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SILENT_S = 0.25
"""How long a run may take to its end before it says what it waits for."""
_HURRY_S = 2.0
"""How long it may take from the second signal on."""


class Stopper:
    """Takes the signals that stop a run.

    `in_flight` counts the requests that its end waits for, `hurry` has it wait no longer, `say`
    writes a line to standard error, and `last_words` is called before the process exits amid it.
    """

    def __init__(
        self,
        in_flight: Callable[[], int],
        hurry: Callable[[], None],
        say: Callable[[str], None],
        last_words: Callable[[], None],
    ) -> None:
        self.stopped = asyncio.Event()
        self.is_hurried = False
        self._in_flight = in_flight
        self._hurry = hurry
        self._say = say
        self._last_words = last_words

    def take_signals(self) -> None:
        """Handle Ctrl-C and its like from now on."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:  # Windows knows no SIGHUP
                self._take(number)

    def _take(self, number: int) -> None:
        running = asyncio.get_running_loop()
        try:
            running.add_signal_handler(number, self.signalled)
        except NotImplementedError:  # Windows knows no handlers in a loop
            signal.signal(number, lambda *_: running.call_soon_threadsafe(self.signalled))

    def signalled(self) -> None:
        """Stop; when that is under way already, at once."""
        if not self.stopped.is_set():
            self.stopped.set()
        elif not self.is_hurried:
            self.is_hurried = True
            self._hurry()
            asyncio.get_running_loop().call_later(_HURRY_S, self._exit)
        else:
            self._exit()

    def _exit(self) -> None:
        with contextlib.suppress(Exception):  # whatever fails, it ends
            self._last_words()
        os._exit(INTERRUPTED)

    @contextlib.contextmanager
    def finishing(self) -> Iterator[None]:
        """Say what the end of a run waits for, where it takes long."""
        timer = asyncio.get_running_loop().call_later(_SILENT_S, self._say_finishing)
        try:
            yield
        finally:
            timer.cancel()

    def _say_finishing(self) -> None:
        if (number := self._in_flight()) and not self.is_hurried:
            self._say(f"finishing {count(number, 'request')} (Ctrl-C again to stop now)")
