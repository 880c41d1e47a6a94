"""The receiver: HTTP requests → deliveries → answers. It answers at once and works later.

It stands on `web.Server`, aiohttp's server without routes, and answers what is ordinary (a POST
that arrived whole) without a task or a request object: see `Connection.data_received`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from msgspec import Struct

from vmon.errors import CannotListen
from vmon.events.delivery import Delivery
from vmon.events.payload import TooLarge
from vmon.humanize import count, size
from vmon.receive.http_server import Answer, Limits, Server
from vmon.sanitize import disarm
from vmon.urls import host_and_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

    from vmon.events.ids import Ids
    from vmon.security.access import Guard

PROBES = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods the dashboard may try the URL with: answered 200, and no delivery."""

_PARTING_S, _HURRIED_S = 0.5, 0.1
"""How long the last answers may take to leave, and in a hurry."""


class ReceiverCallbacks(Struct, frozen=True):
    """What the receiver tells its owner.

    `accept` takes a delivery and gives the status of its answer; it may raise TooLarge. `settle`,
    where there is one, is awaited before the answer goes out and may change its status. `notice`
    is told, in a sentence, of each request that became no delivery. `bug` gets what our own code
    raised; it has ended that request and nothing else.
    `stranger` gets the method, path and address of each request that the guard rejects.
    """

    accept: Callable[[Delivery], int]
    notice: Callable[[str], None]
    bug: Callable[[Exception], None]
    settle: Callable[[Delivery, int], Awaitable[int]] | None = None
    stranger: Callable[[str], None] = lambda _what: None


class Receiver:
    """Listens on one address and turns what comes into deliveries.

    `in_flight` requests are being received, or wait for an app's answer.
    """

    def __init__(self, hooks: ReceiverCallbacks, *, ids: Ids, limits: Limits | None = None) -> None:
        self.hooks = hooks
        self.limits = limits or Limits()
        self.guard: Guard | None = None
        self._ids = ids
        self._answers: dict[tuple[int, bool], Answer] = {}
        self._server: Server | None = None
        self._listener: asyncio.Server | None = None
        self._expected: tuple[str, asyncio.Event] | None = None
        self._closing = False
        self._parting_s = _PARTING_S
        self.in_flight = 0
        self._finished = asyncio.Event()

    @property
    def answers_at_once(self) -> bool:
        """Whether nothing has to be awaited before an answer."""
        return self.hooks.settle is None

    async def open(self, host: str, port: int) -> str:
        """Listen on host and port (0: any free one); the local URL, or CannotListen."""
        self._server = Server(self)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server, host, port, backlog=1024
            )
        except UnicodeError:
            raise _cannot_listen(host, port, OSError("invalid host name")) from None
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        address, bound, *_ = self._listener.sockets[0].getsockname()
        return f"http://{host_and_port(address, bound)}"

    async def close(self, grace_s: float = 10.0) -> None:
        """Stop listening, give requests in flight `grace_s` to be answered, close the rest."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._closing = True
        self._server.dismiss()
        if self.in_flight:  # aiohttp's own shutdown would read nothing more of their bodies
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._finished.wait(), grace_s)
        self._server.pre_shutdown()
        await self._server.shutdown(self._parting_s)
        await self._listener.wait_closed()

    def hurry(self) -> None:
        """Have `close` wait no longer for requests in flight."""
        self._parting_s = _HURRIED_S
        self._finished.set()

    def expect(self, nonce: str) -> asyncio.Event:
        """Look out for a probe of our own with this nonce in its path; set when it came."""
        self._expected = nonce, asyncio.Event()
        return self._expected[1]

    def status_of(self, message: RawRequestMessage, peer: Any, body: bytes) -> tuple[Delivery, int]:
        """Hand a request that is here whole to the owner; the delivery, and what to answer."""
        delivery = Delivery(
            id=self._ids.next(),
            received_at=datetime.now(UTC),
            method=message.method,
            path=message.path,
            headers=_decoded(message.raw_headers),
            remote=host_and_port(peer[0], peer[1]) if peer else None,
            body=body,
        )
        try:
            return delivery, self.hooks.accept(delivery)
        except TooLarge:
            return delivery, self._too_large(message)
        except Exception as error:  # noqa: BLE001 - a bug ends this request, and not the run
            self.hooks.bug(error)
            return delivery, 500

    def answer(self, status: int, *, keep: bool = True) -> Answer:
        """The answer with that status."""
        if (made := self._answers.get((status, keep))) is None:
            made = self._answers[status, keep] = Answer(status, keep=keep)
        return made

    def crowded(self) -> None:
        """A client was turned away because there are too many."""
        most = count(self.limits.connections, "connection")
        self.hooks.notice(f"rejected a connection: {most} already open")

    def broken(self, error: Exception) -> Answer:
        """The answer to a request that a bug of ours ended."""
        self.hooks.bug(error)
        return self.answer(500, keep=False)

    def failed(self, status: int) -> Answer:
        """The answer to what cannot be read as HTTP."""
        if self.guard:  # whoever sent it did not show that it is one of ours
            self.hooks.stranger("malformed HTTP")
            status = 404
        else:
            self.hooks.notice(f"rejected malformed HTTP with {status}")
        return self.answer(status, keep=False)

    async def respond(self, request: web.BaseRequest) -> Answer:
        """Answer any request, in aiohttp's way."""
        self.in_flight += 1
        try:
            return self._stranger(request) or await self._respond(request)
        except Exception as error:  # noqa: BLE001 - a bug ends this request, and not the run
            return self.broken(error)
        finally:
            self.in_flight -= 1
            if self._closing and not self.in_flight:
                self._finished.set()

    def _stranger(self, request: web.BaseRequest) -> Answer | None:
        """The answer to a request that is none of ours, before anything of it is looked at."""
        message: RawRequestMessage = request._message  # noqa: SLF001 - the headers as they came
        if self.guard is None or self.guard.admits(message.raw_headers, message.path):
            return None
        self.hooks.stranger(f"{_named(message)}{_whence(message)}: wrong secret path or host")
        return self.answer(404, keep=False)

    async def _respond(self, request: web.BaseRequest) -> Answer:
        message: RawRequestMessage = request._message  # noqa: SLF001 - the headers as they came
        if request.method != "POST":
            return self._respond_to_other(request, message)
        try:
            body = await self._body(request)
        except Exception as error:
            if (answer := self._without_body(request, message, error)) is None:
                raise
            return answer
        if body is None:
            return self.answer(self._too_large(message), keep=False)
        delivery, status = self.status_of(message, request.protocol.peername, body)
        if self.hooks.settle is not None:
            status = await self.hooks.settle(delivery, status)
        return self.answer(status, keep=request.keep_alive and not self._closing)

    def _without_body(
        self, request: web.BaseRequest, message: RawRequestMessage, error: Exception
    ) -> Answer | None:
        """The answer to a request whose body could not be read; None when that is a bug.

        Once the client is gone, whatever aiohttp raises says only that.
        """
        if request.transport is None or isinstance(error, ConnectionError):
            self.hooks.notice(
                f"{_named(message)} not captured: connection closed before the body was complete"
            )
            return self.answer(400, keep=False)  # nobody is there to read it
        if isinstance(error, TimeoutError):
            limit = f"{self.limits.body_timeout_s:g} s (--body-timeout)"
            return self._refuse(message, 408, f"body not received within {limit}")
        if isinstance(error, (web.RequestPayloadError, ValueError)):
            return self._refuse(message, 400, f"invalid body: {disarm(str(error))}")
        return None

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """The body as it came; None when it is too large."""
        most = self.limits.max_body
        if (request.content_length or 0) > most:
            return None
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with asyncio.timeout(self.limits.body_timeout_s):
            body = await _read(request.content, most)
        return body if len(body) <= most else None

    def _respond_to_other(self, request: web.BaseRequest, message: RawRequestMessage) -> Answer:
        if message.method not in PROBES:
            return self._refuse(message, 405, "callbacks use POST")
        if self._expected and self._expected[0] in message.path:
            self._expected[1].set()
            return self.answer(200, keep=request.keep_alive and not self._closing)
        self.hooks.notice(f"{_named(message)} not captured: responded 200 to a probe")
        return self.answer(200, keep=request.keep_alive)

    def _refuse(self, message: RawRequestMessage, status: int, why: str) -> Answer:
        self.hooks.notice(f"{_named(message)} not captured: responded {status}: {why}")
        return self.answer(status, keep=False)

    def _too_large(self, message: RawRequestMessage) -> int:
        limit = size(self.limits.max_body)
        return self._refuse(message, 413, f"body larger than {limit} (--max-body)").status


@lru_cache(maxsize=256)
def _decoded(raw: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
    """Headers as text, one character a byte: nothing of them is lost. Senders repeat themselves."""
    return tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw])


def _named(message: RawRequestMessage) -> str:
    return disarm(f"{message.method} {message.path}"[:120])


def _whence(message: RawRequestMessage) -> str:
    """Whom a tunnel says a request is from, and whom it was sent to."""
    told = (("from", message.headers.get("X-Forwarded-For")), ("Host", message.headers.get("Host")))
    return "".join(f", {what} {disarm(said[:80])}" for what, said in told if said)


async def _read(content: StreamReader, most: int) -> bytes:
    """The body that is still arriving, at most one piece more than `most` bytes of it."""
    pieces, total = [], 0
    while total <= most and (piece := await content.readany()):
        pieces.append(piece)
        total += len(piece)
    return b"".join(pieces)


def _reason(error: OSError) -> str:
    """What the system says of an error; asyncio puts the address and its own words around it."""
    known = error.errno is not None and error.errno in errno.errorcode
    return os.strerror(error.errno or 0) if known else error.strerror or str(error)


def _cannot_listen(host: str, port: int, error: OSError) -> CannotListen:
    match error.errno:
        case errno.EADDRINUSE:
            return CannotListen(
                f"port {port} on {host} is already in use",
                hint="stop the program that uses it, or set --port (0 picks a free port)",
            )
        case errno.EACCES:
            return CannotListen(
                f"permission denied for port {port}",
                hint="ports below 1024 need root; set a higher --port",
            )
        case _:
            return CannotListen(
                f"cannot listen on {host_and_port(host, port)}: {_reason(error)}",
                hint="--host must be an address of this machine, e.g. 127.0.0.1",
            )
