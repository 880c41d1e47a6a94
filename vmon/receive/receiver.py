"""The receiver: HTTP requests → deliveries → answers. It answers at once and works later.

It stands on `web.Server`, aiohttp's server without routes, and answers what is ordinary (a POST
that arrived whole) without a task or a request object: see `_Connection.data_received`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web
from aiohttp.http import HttpRequestParser
from msgspec import Struct

from vmon.errors import CannotListen
from vmon.events.models import Delivery
from vmon.events.parse import TooLarge
from vmon.humanize import count, disarm, size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.http import RawRequestMessage
    from aiohttp.streams import StreamReader

    from vmon.capture.writer import Ids
    from vmon.security.access import Guard

PROBES = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods the dashboard may try the URL with: answered 200, and no delivery."""

_LINGER_S = 2.0
"""How long a client that was refused may go on sending, so that it reads the answer."""
_WITHOUT_LENGTH = frozenset({204, 304})
"""Answers that an app may give, and that have no length to tell (RFC 9110, 8.6)."""
_PARTING_S = 0.5
"""How long the last answers may take to leave."""


class Limits(Struct, frozen=True):
    """What a client may take: bytes of a body, seconds for it and for headers, connections."""

    max_body: int = 1 << 20
    body_timeout_s: float = 10.0
    header_timeout_s: float = 30.0
    connections: int = 512


class Hooks(Struct, frozen=True):
    """What the receiver tells its owner.

    `accept` takes a delivery and gives the status of its answer; it may raise TooLarge. `settle`,
    where there is one, is awaited before the answer goes out and may change its status. `notice`
    is told, in a sentence, of each request that became no delivery. `bug` gets what our own code
    raised; it has ended that request and nothing else.
    `stranger` is told of what the guard does not admit: method, path and whence.
    """

    accept: Callable[[Delivery], int]
    notice: Callable[[str], None]
    bug: Callable[[Exception], None]
    settle: Callable[[Delivery, int], Awaitable[int]] | None = None
    stranger: Callable[[str], None] = lambda _what: None


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


class Receiver:
    """Listens on one address and turns what comes into deliveries."""

    def __init__(self, hooks: Hooks, *, ids: Ids, limits: Limits | None = None) -> None:
        self.hooks = hooks
        self.limits = limits or Limits()
        self.guard: Guard | None = None
        self._ids = ids
        self._answers: dict[tuple[int, bool], Answer] = {}
        self._server: _Server | None = None
        self._listener: asyncio.Server | None = None
        self._expected: tuple[str, asyncio.Event] | None = None
        self._closing = False
        self._in_flight = 0
        self._finished = asyncio.Event()

    async def open(self, host: str, port: int) -> str:
        """Listen on host and port (0: any free one); the local URL, or CannotListen."""
        self._server = _Server(self)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server, host, port, backlog=1024
            )
        except UnicodeError:
            raise _cannot_listen(host, port, OSError("invalid host name")) from None
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        address, bound, *_ = self._listener.sockets[0].getsockname()
        return f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"

    async def close(self, grace_s: float = 10.0) -> None:
        """Stop listening, give requests in flight `grace_s` to be answered, close the rest."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._closing = True
        self._server.dismiss()
        if self._in_flight:  # aiohttp's own shutdown would read nothing more of their bodies
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._finished.wait(), grace_s)
        self._server.pre_shutdown()
        await self._server.shutdown(_PARTING_S)
        await self._listener.wait_closed()

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
            remote=f"{peer[0]}:{peer[1]}" if peer else None,
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
        self._in_flight += 1
        try:
            return self._stranger(request) or await self._respond(request)
        except Exception as error:  # noqa: BLE001 - a bug ends this request, and not the run
            return self.broken(error)
        finally:
            self._in_flight -= 1
            if self._closing and not self._in_flight:
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


class _Server(web.Server):
    """web.Server, its connections made and bounded by us."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(receiver.respond)
        self.receiver = receiver
        self.most = receiver.limits.connections

    def __call__(self) -> web.RequestHandler:
        return _Connection(self)

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
"""Whether aiohttp's connection has the inner names that `_Connection.data_received` uses."""


class _Connection(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_server",)

    def __init__(self, server: _Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is how aiohttp is told to keep none
            logger=_silent(),
            auto_decompress=False,  # a body is kept as it came
            keepalive_timeout=server.receiver.limits.header_timeout_s,
            lingering_time=_LINGER_S,
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client, or turn it away when there are too many."""
        super().connection_made(transport)
        if len(self._server.connections) > self._server.most:
            self._server.receiver.crowded()
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
        answer = self._server.receiver.broken(error)
        if self.transport is not None and not self._request_in_progress:
            self.transport.write(answer.wire)
        self.force_close()

    @property
    def _may_be_short(self) -> bool:
        return _SHORTCUT and self._server.receiver.hooks.settle is None

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's signature
        """Go on where flow control stopped; aiohttp does so after every read, stopped or not."""
        if not _SHORTCUT or self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def _is_ordinary(self, message: Any, payload: StreamReader) -> bool:
        guard = self._server.receiver.guard
        return (
            payload.is_eof()
            and payload.total_bytes <= self._server.receiver.limits.max_body
            and getattr(message, "method", "") == "POST"
            and not (message.should_close or message.upgrade or self.transport is None)
            and (guard is None or guard.admits(message.raw_headers, message.path))
        )

    def _answer(self, message: Any, payload: StreamReader) -> None:
        receiver = self._server.receiver
        _, status = receiver.status_of(message, self.peername, payload.read_nowait())
        if self.transport is not None:
            self.transport.write(receiver.answer(status).wire)
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
            return self._server.receiver.failed(status)
        except Exception as error:  # noqa: BLE001 - a bug ends this request, and not the run
            return self._server.receiver.broken(error)


def _silent() -> logging.Logger:
    """A logger that does not reach the terminal: we say things ourselves."""
    logger = logging.getLogger("vmon.receive.receiver")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger


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
                f"cannot listen on {host}:{port}: {_reason(error)}",
                hint="--host must be an address of this machine, e.g. 127.0.0.1",
            )
