"""Apps that callbacks are sent to: one that answers what a test says, and one of Flask."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


class Request(NamedTuple):
    """What an app got, in its very words (headers as latin-1)."""

    first: str
    headers: list[tuple[str, str]]
    body: bytes


class App:
    """A server on loopback that notes each request and answers what it is told to.

    `answer` b"" closes the connection, `reset` with a reset; `silent` never answers; `gate` holds
    answers (to requests that are `held`) back until it is set; `answers` is asked for the answer
    where there is one.
    """

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.answers: Callable[[Request], bytes] | None = None
        self.gate: asyncio.Event | None = None
        self.held: Callable[[Request], bool] = lambda _request: True
        self.reset = self.silent = False
        self.requests: list[Request] = []
        self.running = self.most_running = 0
        self.news = asyncio.Condition()
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def open(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> asyncio.Server:
        """Listen."""
        server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; looked at with each request."""
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answered(await _request(reader), writer):
                pass
        writer.close()

    async def _answered(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        async with self.news:
            self.requests.append(request)
            self.news.notify_all()
        if self.gate and self.held(request):
            await self.gate.wait()
        if self.silent:
            await asyncio.Event().wait()
        self.running -= 1
        answer = self.answers(request) if self.answers else self.answer
        writer.write(answer)
        await writer.drain()
        if self.reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        head, _, body = answer.partition(b"\r\n\r\n")
        return head.endswith(b"Content-Length: %d" % len(body)) and not self.reset

    def close(self) -> None:
        """Close the connections."""
        for writer in self._writers:
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in head[1:])]
    length = next((int(v) for name, v in headers if name.lower() == "content-length"), 0)
    return Request(head[0], headers, await reader.readexactly(length))


def is_of_an_app(task: asyncio.Task[object]) -> bool:
    """Only those: to wait for a test's own tasks would hang where it failed."""
    return getattr(task.get_coro(), "__name__", "") == "_serve"


class FlaskApp:
    """A Flask app with strict slashes: takes POST at `/hooks` and `/slashed/`, notes them."""

    def __init__(self) -> None:
        from flask import Flask, request
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log(self, *_: object) -> None:
                """Write nothing."""

        self.taken: list[str] = []
        app = Flask("hooks")

        @app.post("/hooks")
        @app.post("/slashed/")
        def take() -> str:
            self.taken.append(request.full_path.removesuffix("?"))
            return "taken"

        self.server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self.server.port}"
