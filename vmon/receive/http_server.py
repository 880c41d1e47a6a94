"""The HTTP server: aiohttp's inner names stand here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from aiohttp import web
from aiohttp.http import HttpRequestParser
from msgspec import Struct

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

    from vmon.events.delivery import Delivery
    from vmon.security.access import Guard

_LINGER_S = 2.0
"""How long a client that was refused may go on sending, so that it reads the answer."""


_WITHOUT_LENGTH = frozenset({204, 304})
"""Answers that an app may give, and that have no length to tell (RFC 9110, 8.6)."""


class Answer(web.StreamResponse):
    """An answer with an empty body, its bytes made beforehand; it holds nothing of a request."""

    _extra: ClassVar = {
        401: "WWW-Authenticate: Bearer\r\n",
        405: "Allow: POST, GET, HEAD, OPTIONS\r\n",
        503: "Retry-After: 5\r\n",
    }

    def __init__(self, status: int, *, keep: bool) -> None:
        super().__init__(status=status)
        self._keep = keep
        more = self._extra.get(status, "") + ("" if keep else "Connection: close\r\n")
        if status not in _WITHOUT_LENGTH:
            more = f"Content-Length: 0\r\n{more}"
        self.wire = f"HTTP/1.1 {status} {self.reason}\r\n{more}\r\n".encode()

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open after this answer."""
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send the whole answer."""
        if (transport := request.transport) is None:
            raise ConnectionResetError("the client is gone")
        transport.write(self.wire)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


class Limits(Struct, frozen=True):
    """What a client may take: bytes of a body, seconds for it and for headers, connections."""

    max_body: int = 1 << 20
    body_timeout_s: float = 10.0
    header_timeout_s: float = 30.0
    connections: int = 512


class Handler(Protocol):
    """What the server asks of whoever takes its requests."""

    limits: Limits
    guard: Guard | None

    @property
    def answers_at_once(self) -> bool:
        """Whether nothing has to be awaited before an answer."""

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take a request on aiohttp's own road."""

    def status_of(self, message: RawRequestMessage, peer: Any, body: bytes) -> tuple[Delivery, int]:
        """Take a request that is here whole; the delivery, and what to answer."""

    def answer(self, status: int) -> Answer:
        """The answer with this status."""

    def crowded(self) -> None:
        """A client was turned away: there are too many."""

    def failed(self, status: int) -> Answer:
        """The answer to what cannot be read as HTTP."""

    def broken(self, error: Exception) -> Answer:
        """The answer to a request that a bug of ours ended."""


class Server(web.Server):
    """web.Server, its connections made and bounded by us."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler.respond)
        self.handler = handler
        self.most = handler.limits.connections

    def __call__(self) -> web.RequestHandler:
        """Make a connection for a client."""
        return Connection(self)

    def dismiss(self) -> None:
        """Close the connections on which no request has begun."""
        for connection in self.connections:
            if not connection._request_in_progress and not connection._messages:  # noqa: SLF001 - aiohttp has no other name for it
                connection.force_close()


_SHORTCUT = all(
    hasattr(web.RequestHandler, name)
    for name in (
        "_waiter",
        "_messages",
        "_next_keepalive_close_time",
        "_keepalive_timeout",
        "_reading_paused",
        "_buffer_paused",
        "_resume_reading_if_drained",
    )
) and hasattr(HttpRequestParser, "message_consumed")
"""Whether aiohttp's connection has the inner names that `Connection.data_received` uses."""


class Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_server",)

    def __init__(self, server: Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is how aiohttp is told to keep none
            logger=_silent(),
            auto_decompress=False,  # a body is kept as it came
            keepalive_timeout=server.handler.limits.header_timeout_s,
            lingering_time=_LINGER_S,
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client, or turn it away when there are too many."""
        super().connection_made(transport)
        if len(self._server.connections) > self._server.most:
            self._server.handler.crowded()
            self.force_close()

    async def start(self) -> None:
        """Take up requests, one after the other, until the connection ends.

        aiohttp fails by itself on a request whose client left just before its turn.
        """
        try:
            await super().start()
        except Exception as error:  # noqa: BLE001 - a bug ends this connection, and not the run
            if self.transport is not None:
                self._break(error, None)

    def data_received(self, data: bytes) -> None:
        """Answer whole, ordinary POSTs right here; leave everything else to aiohttp.

        aiohttp gives each request a task, a request object and a writer: half of what a request
        costs. A callback that is here whole needs none of them. Parsing, flow control and every
        other kind of request stay aiohttp's; where its inner names have changed, it does it all.
        """
        waiter = self._waiter
        try:
            if waiter is None or waiter.done() or not self._may_be_short:
                super().data_received(data)
            else:
                self._take(data, waiter)
        except Exception as error:  # noqa: BLE001 - a bug ends this connection, and not the run
            self._break(error, waiter)

    def _take(self, data: bytes, waiter: asyncio.Future[None]) -> None:
        self._waiter = None  # aiohttp is not woken for what is answered here; it may call us again
        super().data_received(data)
        while self._messages and self._is_ordinary(*self._messages[0]):
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            self._answer(message, payload)
            if self._buffer_paused and not self._messages:
                self._resume_reading_if_drained()
        self._waiter = waiter
        if self._messages and not waiter.done():
            waiter.set_result(None)

    def _break(self, error: Exception, waiter: asyncio.Future[None] | None) -> None:
        """Answer 500 and close, after a bug of ours."""
        self._waiter = waiter
        answer = self._server.handler.broken(error)
        if self.transport is not None and not self._request_in_progress:
            self.transport.write(answer.wire)
        self.force_close()

    @property
    def _may_be_short(self) -> bool:
        return _SHORTCUT and self._server.handler.answers_at_once

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's signature
        """Go on where flow control stopped; aiohttp does so after every read, stopped or not."""
        if not _SHORTCUT or self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def _is_ordinary(self, message: Any, payload: StreamReader) -> bool:
        guard = self._server.handler.guard
        return (
            payload.is_eof()
            and payload.total_bytes <= self._server.handler.limits.max_body
            and getattr(message, "method", "") == "POST"
            and not (message.should_close or message.upgrade or self.transport is None)
            and (guard is None or guard.admits(message.raw_headers, message.path))
        )

    def _answer(self, message: Any, payload: StreamReader) -> None:
        handler = self._server.handler
        _, status = handler.status_of(message, self.peername, payload.read_nowait())
        if self.transport is not None:
            self.transport.write(handler.answer(status).wire)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002 - aiohttp's signature
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> web.StreamResponse:
        """The answer to what aiohttp could not read; our own exceptions do not come here."""
        try:
            return self._server.handler.failed(status)
        except Exception as error:  # noqa: BLE001 - a bug ends this request, and not the run
            return self._server.handler.broken(error)


def _silent() -> logging.Logger:
    """A logger that does not reach the terminal: we say things ourselves."""
    logger = logging.getLogger("vmon.receive.receiver")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
