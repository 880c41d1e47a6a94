"""An ngrok agent, run through pyngrok in a thread of its own."""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import Signals
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Any

from vmon.tunnel import orphans
from vmon.tunnel.ngrok import config
from vmon.tunnel.processes import END, GRACE_S, KILL, KILL_S, send

if TYPE_CHECKING:
    from pyngrok.conf import PyngrokConfig
    from pyngrok.log import NgrokLog
    from pyngrok.process import NgrokProcess

TAIL_LINES = 10
REQUEST_S = 10.0
NO_ERROR = ("nil", "<nil>")


class Agent:
    """An agent's process, from start to cleanup.

    One thread starts it, waits for its end and cleans up. The thread must outlive
    the agent: with `parent_death_command` the agent ends with the thread that started it.
    `on_message` gets each message of its log, and its error. `started` becomes the public URL, or
    the exception of the start; `ended` the exit code, after the cleanup (None: it
    never ran). Both are always set at the end.
    """

    def __init__(
        self,
        folder: Path,
        launcher: Path,
        timeout_s: float,
        on_message: Callable[[str, str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.started: asyncio.Future[str | Exception] = self._loop.create_future()
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        self.errors: deque[str] = deque(maxlen=TAIL_LINES)
        self._folder = folder
        self._on_message = on_message
        self._spawned: NgrokProcess | None = None
        self._recorded = False
        self._last_signal: Signals | None = None
        self._settings = self._configure(launcher, timeout_s)

    @property
    def pid(self) -> int | None:
        """The agent's process ID, once it is known."""
        spawned = self._find()
        return spawned.proc.pid if spawned else None

    def run(self, local_url: str, endpoint: dict[str, Any]) -> None:
        """Start the agent and open an endpoint, in ngrok's field names."""
        thread = threading.Thread(target=self._run, args=(local_url, endpoint), daemon=True)
        thread.start()

    async def end(self) -> None:
        """Stop the agent: SIGTERM, which lets it close its session, then SIGKILL; up to 4 s."""
        try:
            await self._signal(END, GRACE_S)
            await self._signal(KILL, KILL_S)
        finally:
            if not self.ended.done():
                self._send_signal(KILL)

    async def _signal(self, number: Signals, timeout_s: float) -> None:
        if not self.ended.done():
            self._send_signal(number)
            await asyncio.wait({self.ended}, timeout=timeout_s)

    def _send_signal(self, number: Signals) -> None:
        self._last_signal = number
        if (pid := self.pid) is not None:
            send(pid, number)

    def _configure(self, launcher: Path, timeout_s: float) -> "PyngrokConfig":
        from pyngrok import conf

        _silence_logging()
        settings = conf.PyngrokConfig(
            ngrok_path=str(launcher),
            config_path=str(self._folder / config.CONFIG),
            log_event_callback=self._on_log,
            request_timeout=REQUEST_S,
            start_new_session=os.name == "posix",  # Ctrl-C is vmon's, which drains first
            startup_timeout=timeout_s,  # type: ignore[arg-type] # compared with a clock only
        )
        settings.auth_token = (
            None  # else pyngrok puts it, also NGROK_AUTHTOKEN, into the command line
        )
        return settings

    def _find(self) -> "NgrokProcess | None":
        from pyngrok import process

        if self._spawned is None:
            # The public function starts a process if there is none.
            registry = process._current_processes  # noqa: SLF001 - see above
            self._spawned = registry.get(str(self._settings.ngrok_path))
        return self._spawned

    # The methods below run in the agent's thread, or in pyngrok's, which reads its log.

    def _run(self, local_url: str, endpoint: dict[str, Any]) -> None:
        from pyngrok import ngrok

        try:
            tunnel = ngrok.connect(local_url, pyngrok_config=self._settings, **endpoint)
            self._post(self.started, str(tunnel.public_url))
        except Exception as error:  # noqa: BLE001 - pyngrok lets AttributeError and more out
            self._stop()
            self._post(self.started, error)
        self._post(self.ended, self._clean_up())

    def _stop(self) -> None:
        spawned = self._find()
        if spawned and spawned.proc.poll() is None:
            send(spawned.proc.pid, END)
            try:
                spawned.proc.wait(GRACE_S)
            except TimeoutExpired:
                send(spawned.proc.pid, KILL)

    def _clean_up(self) -> int | None:
        from pyngrok import process

        spawned = self._find()
        if spawned is None:
            return None
        if self._last_signal:
            send(spawned.proc.pid, self._last_signal)
        reader = spawned._monitor_thread  # noqa: SLF001 - the pipe must not be closed under it
        returncode = spawned.proc.wait()
        send(spawned.proc.pid, KILL)  # children that a wrapper of the agent may have left
        process.kill_process(str(self._settings.ngrok_path))  # removes it from pyngrok's registry
        if reader:
            reader.join(KILL_S)
        if spawned.proc.stdout and not (reader and reader.is_alive()):
            spawned.proc.stdout.close()
        return returncode

    def _on_log(self, log: "NgrokLog") -> None:
        # An exception would end pyngrok's reader, and then the agent blocks on its full pipe.
        with suppress(Exception):
            if log.err and log.err not in NO_ERROR:
                self.errors.append(log.err)
            self._record()
            if self._last_signal and (pid := self.pid) is not None:
                send(pid, self._last_signal)
            self._loop.call_soon_threadsafe(self._on_message, log.msg or "", log.err or "")

    def _record(self) -> None:
        if not self._recorded and (pid := self.pid) is not None:
            self._recorded = True
            ending = ("--config", str(self._settings.config_path))
            orphans.record_agent(self._folder, pid, ending)

    def _post(self, future: asyncio.Future[Any], outcome: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(_set_result, future, outcome)


def _set_result(future: asyncio.Future[Any], outcome: object) -> None:
    if not future.done():
        future.set_result(outcome)


def _silence_logging() -> None:
    # Without a handler, the agent's errors are printed by logging's last resort handler.
    logger = logging.getLogger("pyngrok")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
