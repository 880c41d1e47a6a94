"""Tunnels through ngrok's agent."""

import asyncio
import json
import os
import re
import secrets
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from vmon.tunnel import orphans
from vmon.tunnel.changes import Changes
from vmon.tunnel.model import CannotTunnel, Change, State, TunnelOptions
from vmon.tunnel.ngrok import config
from vmon.tunnel.ngrok.agent import Agent
from vmon.tunnel.ngrok.errors import ENDED, NO_TOKEN, explain, of_code
from vmon.tunnel.ngrok.locate import find_agent

MIN_AGENT_VERSION = (3, 30)
"""The first with /api/endpoints, which pyngrok 9 needs; with an older one it can hang."""
VERSION = re.compile(r"version (\d+)\.(\d+)\S*")
LOST = "session closed, starting reconnect loop"
FOUND = "client session established"


class NgrokTunnel:
    """A tunnel through an ngrok agent of its own."""

    name = "ngrok"

    def __init__(self, options: TunnelOptions) -> None:
        self._options = options
        self._changes = Changes()
        self._agent: Agent | None = None
        self._folder: Path | None = None
        self._token = ""
        self._url: str | None = None
        self._down = False
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The agent's process ID, once it is running."""
        return self._agent.pid if self._agent else None

    async def start(self) -> str:
        """Start an agent and open an endpoint."""
        try:
            async with asyncio.timeout(self._options.start_timeout_s):
                outcome = await self._open()
        except TimeoutError:
            await self.close()
            raise self._timeout_error() from None
        except BaseException:
            await self.close()
            raise
        if isinstance(outcome, Exception):
            error = self._explain(outcome)
            await self.close()
            raise error from None  # its text may contain the token
        self._url = outcome.rstrip("/")
        if self._agent and self._agent.ended.done():  # it has exited already
            self._ended(self._agent.ended)
        return self._url

    def changes(self) -> AsyncIterator[Change]:
        """The state changes after the start."""
        return self._changes.read()

    async def close(self) -> None:
        """Stop the agent, so that ngrok frees the URL at once."""
        self._closing = True
        try:
            if self._agent:
                await self._agent.end()
        finally:
            self._release_folder()
            self._changes.publish(State.CLOSED)

    async def _open(self) -> str | Exception:
        binary = find_agent(self._options.binary)
        token = config.find_authtoken(self._options.authtoken)
        if token is None:
            raise of_code(NO_TOKEN)
        await check_version(binary)
        self._token = token
        self._folder = orphans.claim_folder(self._options.state_dir, self.name)
        config.write_config(self._folder, token, self._options)
        launcher = config.write_launcher(self._folder, binary)
        _bypass_proxy_for_loopback()
        self._agent = Agent(self._folder, launcher, self._options.start_timeout_s, self._on_log)
        self._agent.ended.add_done_callback(self._ended)
        self._agent.run(self._options.local_url, self._endpoint())
        await asyncio.wait({self._agent.started})
        return self._agent.started.result()

    def _endpoint(self) -> dict[str, Any]:
        # The name pyngrok generates has slashes, which the agent cannot route.
        endpoint = {"name": f"vmon-{secrets.token_hex(4)}", "metadata": "vmon"}
        url = {"url": f"https://{_bare(self._options.domain)}"} if self._options.domain else {}
        policy = {"traffic_policy": _policy(self._options.methods)} if self._options.methods else {}
        return {**endpoint, **url, **policy, "inspect": self._options.inspect}

    def _on_log(self, message: str, error: str) -> None:
        if self._url is None:
            return
        if LOST in message and not self._down:
            self._down = True
            self._changes.publish(State.RECONNECTING, detail=error or message)
        elif FOUND in message and self._down and self._agent:
            self._agent.errors.clear()  # of the outage that is over
            self._down = False
            self._changes.publish(State.ONLINE, url=self._url)

    def _ended(self, ended: asyncio.Future[int | None]) -> None:
        if self._closing:
            self._release_folder()
        elif self._url is not None:
            error = self._known_error() or CannotTunnel(
                f"the ngrok agent exited with code {ended.result()}", code=ENDED
            )
            self._changes.publish(State.FAILED, detail=error.message, code=error.code)

    def _release_folder(self) -> None:
        # An agent that did not stop keeps its record, for the next start to find.
        if self._folder and (self._agent is None or self._agent.ended.done()):
            orphans.release_folder(self._folder)

    def _explain(self, error: Exception) -> CannotTunnel:
        body = getattr(error, "body", None)
        message = getattr(error, "ngrok_error", None)
        parts = (_error_in(body), message, *self._output(), str(error))
        return explain([self._without_token(part) for part in parts if part])

    def _output(self) -> list[str]:
        # pyngrok loses the last log lines of an agent that exits at once: stderr has them.
        if self._agent is None or self._folder is None:
            return []
        stderr = config.read_stderr(self._folder)
        return [
            self._without_token(text) for text in (stderr, *reversed(self._agent.errors)) if text
        ]

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "…") if self._token else text

    def _known_error(self) -> CannotTunnel | None:
        error = explain(self._output())
        return None if error.code == ENDED else error

    def _timeout_error(self) -> CannotTunnel:
        return self._known_error() or CannotTunnel(
            f"no public URL from ngrok within {self._options.start_timeout_s:g} s",
            code="TIMEOUT",
            hint="check the network; a firewall may block connect.ngrok-agent.com:443",
        )


async def check_version(binary: Path) -> tuple[int, int]:
    """Get the agent's version, (major, minor); CannotTunnel if it is too old or unknown."""
    text = await _version_output(binary)
    match = VERSION.search(text)
    if not match:
        raise CannotTunnel(
            f"{binary} is not an ngrok agent",
            code="NOT_RUNNABLE",
            hint="run vmon tunnel install",
            fatal=True,
        )
    version = (int(match[1]), int(match[2]))
    if version < MIN_AGENT_VERSION:
        raise CannotTunnel(
            f"the ngrok agent {binary} is too old ({match[0]}; vmon needs 3.30 or newer)",
            code="AGENT_TOO_OLD",
            hint="run ngrok update or vmon tunnel install",
            fatal=True,
        )
    return version


async def _version_output(binary: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            str(binary), "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError as error:
        raise CannotTunnel(
            f"cannot run {binary}: {error.strerror or error}",
            code="NOT_RUNNABLE",
            hint="run vmon tunnel install",
            fatal=True,
        ) from None
    try:
        output, _ = await process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return output.decode(errors="replace")


def _error_in(body: str | None) -> str | None:
    # If an endpoint was refused, the agent's response has the code, pyngrok's exception has not.
    if not body:
        return None
    try:
        return str(json.loads(body)["details"]["err"])
    except (ValueError, KeyError, TypeError):
        return body


def _policy(methods: tuple[str, ...]) -> str:
    allowed = ", ".join(f"'{method}'" for method in methods)
    deny = {"type": "deny", "config": {"status_code": 405}}
    rule = {"expressions": [f"!(req.method in [{allowed}])"], "actions": [deny]}
    return json.dumps({"on_http_request": [rule]})


def _bare(domain: str) -> str:
    return domain.removeprefix("https://").rstrip("/")


def _bypass_proxy_for_loopback() -> None:
    # pyngrok calls the agent's API by urllib, which would use HTTP_PROXY even for that.
    for name in ("no_proxy", "NO_PROXY"):
        hosts = os.environ.get(name, "")
        if "127.0.0.1" not in hosts:
            os.environ[name] = f"{hosts},127.0.0.1".lstrip(",")
