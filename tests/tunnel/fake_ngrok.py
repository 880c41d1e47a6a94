"""A stand-in for the ngrok agent: the command line, the log and the local API that pyngrok needs.

Every endpoint is a loopback port that really proxies HTTP to the receiver. Log format and answers
were copied from a real agent; TLS and the enforcement of traffic policies were not. A real agent
serves its API on the first free port from 4040 on, this one on any: runs side by side share none.

FAKE_NGROK is a comma list of: slow:SECONDS, silent, hang, offline, flood, old, stubborn, quiet
(no line after an answer, which would end an orphan by SIGPIPE), auth:CODE, start:CODE.
FAKE_NGROK_DROP: how many seconds a drop lasts.
Signals: USR1 drops the session and reconnects, USR2 crashes.
"""

import http.client
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

MODE = {
    mode.partition(":")[0]: mode.partition(":")[2]
    for mode in os.environ.get("FAKE_NGROK", "").split(",")
    if mode
}
ERRORS = {
    "4018": "Usage of ngrok requires a verified account and authtoken.",
    "105": "The authtoken you specified does not look like a proper ngrok authtoken.",
    "108": "Your account is limited to 1 simultaneous ngrok agent sessions.",
    "334": "The endpoint is already online.",
}
FIELDS = {"name", "url", "metadata", "traffic_policy", "upstream", "inspect"}
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host"}
FOREVER = 3600.0

online = threading.Event()
log_lock = threading.Lock()
endpoints: dict[str, "Endpoint"] = {}


def log(level: str, message: str, **fields: object) -> None:
    words = {"lvl": level, "msg": message, **fields}
    line = " ".join(f"{name}={quoted(str(value))}" for name, value in words.items())
    with log_lock:
        print(time.strftime("t=%Y-%m-%dT%H:%M:%S%z"), line, flush=True)  # noqa: T201 - an agent speaks so


def quoted(value: str) -> str:
    return value if re.fullmatch(r"[^\s\"=]+", value) else json.dumps(value)


def die(error: str, *messages: str) -> NoReturn:
    for message in messages:
        log("eror", message, obj="tunnels.session", err=error)
    print("ERROR:  " + error.strip(), file=sys.stderr, flush=True)  # noqa: T201 - an agent speaks so
    os._exit(1)


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Endpoint(ThreadingHTTPServer):
    """The public side of a tunnel."""

    daemon_threads = True

    def __init__(self, asked: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Public)
        self.url = asked.get("url") or f"http://127.0.0.1:{self.server_port}"
        self.told = {**asked, "url": self.url, "proto": "https"}
        self.upstream = urlsplit(asked["upstream"]["url"])
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Public(Server):
    def proxy(self) -> None:
        assert isinstance(self.server, Endpoint)
        body = self.body()
        if not online.is_set():
            self.answer(404, b"ERR_NGROK_3200", [("Ngrok-Error-Code", "ERR_NGROK_3200")])
            return
        to = self.server.upstream
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        public = self.headers["Host"]
        headers |= {"Host": public, "X-Forwarded-Host": public, "X-Forwarded-Proto": "https"}
        headers["X-Forwarded-For"] = self.client_address[0]
        connection = http.client.HTTPConnection(to.hostname or "", to.port or 80, timeout=10)
        try:
            connection.request(self.command, self.path, body or None, headers)
            got = connection.getresponse()
            self.answer(got.status, got.read())
        except OSError:
            self.answer(502, b"ERR_NGROK_8012", [("Ngrok-Error-Code", "ERR_NGROK_8012")])
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = proxy  # noqa: N815 - http.server's names


class Api(Server):
    """What a real agent serves on 127.0.0.1:4040/api, at a port of its own."""

    def get(self) -> None:
        self.body()
        log("info", "start", pg=self.path)
        if self.path == "/api/endpoints" and "old" not in MODE:
            told = [endpoint.told for endpoint in endpoints.values()]
            self.say(200, {"endpoints": told, "uri": self.path})
        elif self.path == "/api/status":
            self.say(200, {"status": "online" if online.is_set() else "reconnecting"})
        else:
            self.say(404, {"status_code": 404, "msg": "Not Found"})

    def post(self) -> None:
        asked = json.loads(self.body())
        log("info", "start", pg=self.path)
        if set(asked) - FIELDS or "/" in asked["name"]:
            self.fail(400, 102, f"unknown fields {sorted(set(asked) - FIELDS)}")
        elif not online.is_set():
            self.fail(503, 104, "a successful ngrok tunnel session has not yet been established")
        elif code := MODE.get("start"):
            said = f"{ERRORS.get(code, 'refused')}\r\n\r\nERR_NGROK_{code}\r\n"
            self.fail(502, 103, f"failed to start tunnel: {said}")
        else:
            endpoint = endpoints[asked["name"]] = Endpoint(asked)
            log("info", "started tunnel", obj="tunnels", name=asked["name"], url=endpoint.url)
            self.say(201, endpoint.told)

    def fail(self, status: int, number: int, error: str) -> None:
        details = {"err": error}
        self.say(status, {"error_code": number, "msg": "failed", "details": details})

    def say(self, status: int, what: dict[str, Any]) -> None:
        self.answer(status, json.dumps(what).encode(), [("Content-Type", "application/json")])
        if "quiet" not in MODE:
            log("info", "end", pg=self.path, status=status)

    do_GET = get  # noqa: N815 - http.server's names
    do_POST = post  # noqa: N815 - http.server's names


def session(*, after_drop: bool = False) -> None:
    end = time.monotonic()
    if after_drop:
        end += float(os.environ.get("FAKE_NGROK_DROP", "1"))
        online.clear()
        lost = "session closed, starting reconnect loop"
        for message in ("heartbeat timeout, terminating session", lost):
            log("eror", message, obj="csess", err="session closed")
    while "offline" in MODE or time.monotonic() < end:
        error = (
            "failed to dial ngrok server: dial tcp: lookup connect.ngrok-agent.com: no such host"
        )
        log("eror", "failed to reconnect session", obj="tunnels.session", err=error)
        time.sleep(0.1)  # the agent, too, waits before it tries again
    online.set()
    for message in ("client session established", "tunnel session started"):
        log("info", message, obj="tunnels.session")


def obey_signals() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as Go does for a closed stdout
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    signal.signal(signal.SIGTERM, lambda *_: "stubborn" in MODE or os._exit(0))
    signal.signal(signal.SIGUSR2, lambda *_: os._exit(3))

    def drop(*_: object) -> None:
        threading.Thread(target=session, kwargs={"after_drop": True}, daemon=True).start()

    signal.signal(signal.SIGUSR1, drop)


def serve_api() -> None:
    api = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=api.serve_forever, args=(0.05,), daemon=True).start()
    log("info", "starting web service", obj="web", addr=f"127.0.0.1:{api.server_port}")


def check_token(token: str) -> None:
    if code := MODE.get("auth"):
        die_of_token(code, token)
    if not re.fullmatch(r"[\w-]{10,}", token):
        die_of_token("105" if token else "4018", token)


def die_of_token(code: str, token: str) -> NoReturn:
    told = f"{ERRORS.get(code, 'refused')}\r\nYour authtoken: {token}"
    error = f"authentication failed: {told}\r\n\r\nERR_NGROK_{code}\r\n"
    die(error, "failed to reconnect session", "session closing")


def main(arguments: list[str]) -> None:
    if "--version" in arguments:
        print("ngrok version", "3.20.0" if "old" in MODE else "3.39.10")  # noqa: T201 - an agent speaks so
        return
    if "silent" in MODE:
        time.sleep(FOREVER)  # an agent that says nothing until it is ended
    obey_signals()
    config = json.loads(Path(arguments[arguments.index("--config") + 1]).read_text())
    serve_api()
    slow_s = FOREVER if "hang" in MODE else float(MODE.get("slow") or 0)
    time.sleep(slow_s)  # as a test says
    check_token(config["agent"].get("authtoken", ""))
    session()
    while True:
        for _ in range(500 if "flood" in MODE else 0):
            log("info", "join connections", obj="join", l="127.0.0.1:8000", r="203.0.113.9:1")
        time.sleep(0.05 if "flood" in MODE else FOREVER)  # nothing more to do until it is ended


if __name__ == "__main__":
    main(sys.argv[1:])
