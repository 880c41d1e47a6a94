"""`vmon listen --tunnel` as a program, with the stand-in for the agent."""

import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.waiting import wait_until

TOKEN = "2abcdefghijklmnopqrst_0123456789"
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="agents are looked for in /proc"
)


@pytest.fixture
def tunnelled(start: Any, fake_ngrok: Path) -> Callable[..., Any]:
    """Start `vmon listen` with a tunnel through the stand-in, and do not wait for it."""

    def starting(*args: str, **env: str) -> Any:
        told = {"NGROK_AUTHTOKEN": TOKEN} | env
        tunnel = ("--tunnel", "ngrok", "--ngrok-path", fake_ngrok)
        return start("listen", "--port", "0", *tunnel, *args, **told)

    return starting


def public_url(run: Any, after: str = "\n") -> str:
    found = run.err.match(after.encode() + rb"ready public=(\S+) local=\S+ capture=\S+\n")
    return str(found[1].decode())


def post(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    client = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    client.request("POST", (parts.path or "") + "/hook", body)
    status = client.getresponse().status
    client.close()
    return status


def agents(folder: Path) -> list[int]:
    """The processes whose command line has this folder in it: agents of runs under test."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line and b"start" in line and b"vmon\0listen" not in line:
            found.append(int(entry.name))
    return found


def lines_of(run: Any) -> list[dict[str, Any]]:
    said = run.err.match(rb" capture=(\S+)\n")[1].decode()
    return [json.loads(line) for line in Path(said).read_text().splitlines()]


def test_a_request_from_outside_is_captured_and_answered(tunnelled: Any, tmp_path: Path) -> None:
    run = tunnelled()
    url = public_url(run)
    assert post(url, b'{"event":"sessionCreated"}') == 200
    code, out, err = _stopped(run)
    assert code == 0
    assert json.loads(out)["type"] == "sessionCreated"
    assert f"public   {url}  paste it into Vonage's dashboard" in err
    assert agents(tmp_path) == []


def _stopped(run: Any, number: int = signal.SIGINT) -> tuple[int, str, str]:
    run.signal(number)
    result: tuple[int, str, str] = run.result()
    return result


@needs_proc
def test_the_agent_never_sees_the_token_in_its_arguments(tunnelled: Any, tmp_path: Path) -> None:
    run = tunnelled()
    public_url(run)
    assert all(
        TOKEN.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in agents(tmp_path)
    )
    _stopped(run)


@needs_proc
def test_a_drop_is_told_once_with_its_end_and_kept_in_the_capture(
    tunnelled: Any, tmp_path: Path
) -> None:
    run = tunnelled(FAKE_NGROK_DROP="0.5")
    url = public_url(run)
    os.kill(wait_until(lambda: agents(tmp_path))[-1], signal.SIGUSR1)
    run.err.until(b"tunnel back up after")
    assert post(url, b'{"event":"sessionCreated"}') == 200
    outages = [line for line in lines_of(run) if line["type"] == "tunnel"]
    base = url.rpartition("/")[0]
    assert [(one["url"], one["up_at"] > one["down_at"]) for one in outages] == [(base, True)]
    code, _, err = _stopped(run)
    assert (code, err.count("tunnel down: ")) == (0, 1)
    assert "URL has changed" not in err
    assert "down 1 time" in err


@needs_proc
def test_a_dead_agent_is_started_again_and_a_changed_url_is_told_loudly(
    tunnelled: Any, tmp_path: Path
) -> None:
    run = tunnelled()
    first = public_url(run)
    os.kill(wait_until(lambda: agents(tmp_path))[-1], signal.SIGUSR2)
    run.err.until(b"warning: the public URL has changed")
    run.err.until(f"old      {first}".encode())
    second = public_url(run, after="no longer works\n")
    assert second != first
    assert post(second, b"{}") == 200
    assert _stopped(run)[0] == 0


@pytest.mark.parametrize(
    ("env", "said", "way_out"),
    [
        ({"NGROK_AUTHTOKEN": ""}, "ERR_NGROK_4018", "NGROK_AUTHTOKEN"),
        ({"FAKE_NGROK": "auth:108"}, "ERR_NGROK_108", "dashboard.ngrok.com/agents"),
        ({"FAKE_NGROK": "old"}, "3.30 or newer", "update"),
    ],
)
def test_what_trying_again_cannot_cure_ends_the_run_with_4(
    tunnelled: Any, env: dict[str, str], said: str, way_out: str
) -> None:
    code, _, err = tunnelled(**env).result()
    assert code == 4
    assert "Traceback" not in err
    error, hint = err.split("error: ")[1].split("hint: ")
    assert said in error
    assert way_out in hint


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_agent_behind(tunnelled: Any, tmp_path: Path, number: int) -> None:
    run = tunnelled()
    public_url(run)
    assert agents(tmp_path)
    assert _stopped(run, number)[0] == 0
    assert agents(tmp_path) == []


@needs_proc
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_kill_9_leaves_no_agent_behind(tunnelled: Any, tmp_path: Path) -> None:
    run = tunnelled()
    public_url(run)
    run.process.kill()
    run.process.wait()
    wait_until(lambda: not agents(tmp_path))


def test_ready_as_json_names_both_urls(tunnelled: Any) -> None:
    run = tunnelled("--json-ready", "--no-capture")
    said = json.loads(run.err.match(rb'\n(\{"ready".*\})\n')[1])
    assert said["ready"] is True
    assert said["capture"] is None
    assert said["public"].startswith("http://127.0.0.1:")
    assert said["local"].startswith("http://127.0.0.1:")
    _stopped(run)


class Proxy(ThreadingHTTPServer):
    """A proxy of the user's own: answers 502 until it is told where to send requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Proxied)
        self.local: str | None = None
        self.asked = 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Proxied(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        proxy = self.server
        assert isinstance(proxy, Proxy)
        proxy.asked += 1
        status = 502
        if proxy.local:
            with urllib.request.urlopen(proxy.local + self.path.removeprefix("/in")) as answer:
                status = answer.status
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def test_a_public_url_of_the_users_own_is_told_only_when_it_reaches_us(start: Any) -> None:
    proxy = Proxy()
    run = start(
        "listen", "--port", "0", "--public-url", f"http://127.0.0.1:{proxy.server_port}/in/"
    )
    local = run.err.match(rb"local +(http://[^/]+)/")[1].decode()
    wait_until(lambda: proxy.asked >= 2)
    proxy.local = local
    secret = public_url(run).removeprefix(f"http://127.0.0.1:{proxy.server_port}/in/")
    assert len(secret) > 20
    assert [post(local, b"{}"), post(f"{local}/{secret}", b"{}")] == [404, 200]
    code, _, err = _stopped(run)
    proxy.shutdown()
    proxy.server_close()
    assert (code, err.count("ready ")) == (0, 1)


class App(ThreadingHTTPServer):
    """An app whose next answers are told: a status, `slow`, or `closes` without one."""

    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Answering)
        self.mood: int | str = 200
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        app = self.server
        assert isinstance(app, App)
        app.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        if app.mood == "closes":
            self.close_connection = True
            return
        if app.mood == "slow":
            time.sleep(1.5)  # longer than its --forward-timeout
        self.send_response(app.mood if isinstance(app.mood, int) else 200)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def test_from_the_public_port_to_the_app_and_back_whatever_the_app_does(tunnelled: Any) -> None:
    app = App()
    to = f"http://127.0.0.1:{app.server_port}/app"
    run = tunnelled("--forward-to", to, "--ack", "app", "--forward-timeout", "0.5s")
    url = public_url(run)
    seen = []
    for mood in (200, 500, 301, "slow", "closes"):
        app.mood = mood
        seen.append(post(url, f'{{"event":"archive","status":"{mood}"}}'.encode()))
    app.stop()
    seen.append(post(url, b'{"event":"archive","status":"down"}'))
    again = App(app.server_port)
    seen.append(post(url, b'{"event":"archive","status":"back"}'))
    again.stop()
    assert seen == [200, 500, 301, 504, 502, 502, 200]
    assert [line["body"]["status"] for line in lines_of(run)] == [
        *("200", "500", "301", "slow", "closes", "down", "back")
    ]
    assert again.bodies == [b'{"event":"archive","status":"back"}']
    assert _stopped(run)[0] == 0


def test_from_the_public_port_nothing_is_lost_while_the_app_is_away(tunnelled: Any) -> None:
    away = App()
    away.stop()
    run = tunnelled("--forward-to", f"http://127.0.0.1:{away.server_port}")
    url = public_url(run)
    bodies = [f'{{"event":"archive","id":"{n}"}}'.encode() for n in range(20)]
    assert [post(url, body) for body in bodies] == [200] * len(bodies)
    back = App(away.server_port)
    wait_until(lambda: len(back.bodies) >= len(bodies), 20)
    back.stop()
    assert sorted(back.bodies) == sorted(bodies)
    assert _stopped(run)[0] == 0


@needs_proc
def test_kill_9_of_the_agent_under_load_loses_nothing_that_was_acknowledged(
    tunnelled: Any, tmp_path: Path
) -> None:
    app = App()
    run = tunnelled("--forward-to", f"http://127.0.0.1:{app.server_port}")
    url = public_url(run)
    acknowledged: list[bytes] = []
    for number in range(120):
        if number == 40:
            os.kill(wait_until(lambda: agents(tmp_path))[-1], signal.SIGKILL)
        body = f'{{"event":"archive","id":"{number}"}}'.encode()
        try:
            status = post(url, body)
        except OSError:
            url = public_url(run, after="no longer works\n")
            continue
        if status == 200:
            acknowledged.append(body)
    assert len(acknowledged) > 100
    wait_until(lambda: set(acknowledged) <= set(app.bodies), 20)
    captured = {
        json.dumps(line["body"]).replace(" ", "").encode() for line in lines_of_deliveries(run)
    }
    assert set(acknowledged) <= captured
    assert _stopped(run)[0] == 0
    app.stop()


def lines_of_deliveries(run: Any) -> list[dict[str, Any]]:
    return [line for line in lines_of(run) if line["type"] != "tunnel"]


def test_a_stranger_gets_404_and_is_told_but_not_captured(tunnelled: Any) -> None:
    run = tunnelled()
    url = public_url(run)
    base = url.rpartition("/")[0]
    body = b'{"event":"archive","id":"forged"}'
    assert [post(base, body), post(base + "/admin", body), post(url, b"{}")] == [404, 404, 200]
    assert [line["body"] for line in lines_of(run)] == [{}]
    code, _, err = _stopped(run)
    assert (code, "blocked: POST /hook" in err) == (0, True)


def test_the_secret_path_is_remembered_and_can_be_left_out(tunnelled: Any) -> None:
    first, second = tunnelled("--no-capture"), None
    token = public_json(first)["public"].rpartition("/")[2]
    _stopped(first)
    second = tunnelled("--no-capture")
    assert public_json(second)["public"].rpartition("/")[2] == token
    _stopped(second)
    open_ = tunnelled("--no-capture", "--no-secret-path")
    assert urlsplit(public_json(open_)["public"]).path == ""
    _stopped(open_)


def public_json(run: Any) -> dict[str, str]:
    found = run.err.match(rb"\nready public=(\S+) local=(\S+)")
    return {"public": found[1].decode(), "local": found[2].decode()}


def test_a_silent_engine_does_not_keep_ctrl_c_waiting(tunnelled: Any) -> None:
    run = tunnelled(FAKE_NGROK="silent")
    run.err.until(b"opening a tunnel")
    begun = time.monotonic()
    code, _, err = _stopped(run)
    assert (code, "Traceback" in err) == (0, False)
    assert time.monotonic() - begun < 12


def test_outages_are_no_deliveries(vmon_run: Any, tmp_path: Path) -> None:
    capture = tmp_path / "c.jsonl"
    capture.write_text(
        '{"vmon":1,"type":"tunnel","session":null,"id":"1","received_at":"2026-11-24T10:00:00.000000Z"'
        ',"down_at":"2026-11-24T09:59:00.000000Z","up_at":"2026-11-24T10:00:00.000000Z"'
        ',"url":"https://x","detail":"gone"}\n'
    )
    assert vmon_run("filter", capture, "--count") == (1, "0\n", "")
    code, out, err = vmon_run("filter", capture, "--session", "x", "--format", "line")
    assert (code, out, err.count("\n")) == (1, "", 2)
    assert err.startswith(f"error: no deliveries found in {capture} (filter: ")
    code, out, err = vmon_run("filter", capture, "--invert", "--event", "archive")
    assert (code, out, err.count("\n"), "skipped" in err) == (1, "", 2, False)
    code, out, err = vmon_run("replay", capture, "--speed", "max")
    assert (code, out, "skipped" in err) == (1, "", False)
