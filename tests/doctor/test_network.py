"""What doctor finds beyond this machine, on servers of the test's own."""

from __future__ import annotations

import http.server
import socket
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from tests.support.checks import found, short
from vmon.doctor import network
from vmon.doctor.results import DoctorOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(http.server.ThreadingHTTPServer):
    """Answers HEAD with a status and a Date that is `skew_s` from ours; no Date for None."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.skew_s = 200, 0.0
        self.date: str | None = "ours"
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        assert isinstance(self.server, Server)
        self.server.seen.append(f"{self.command} {self.path}")
        self.send_response_only(self.server.status)
        ours = formatdate(time.time() + self.server.skew_s, usegmt=True)
        if self.server.date is not None:
            self.send_header("Date", ours if self.server.date == "ours" else self.server.date)
        self.end_headers()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    serving = threading.Thread(target=one.serve_forever, args=(0.02,))
    serving.start()
    yield one
    one.shutdown()
    one.server_close()
    serving.join()


def test_a_clock_that_agrees_and_one_that_does_not(server: Server) -> None:
    def process_info() -> tuple[str, str]:
        return short(found("clock", DoctorOptions(clocks=(server.url,))))

    assert process_info() == ("pass", f"in sync with {server.url}")
    server.skew_s = -30
    verdict, said = process_info()
    assert verdict == "warn"
    assert said.endswith(f"s ahead of {server.url}")
    server.skew_s = 3600
    verdict, said = process_info()
    assert verdict == "fail"
    assert said.endswith(f" behind {server.url}")
    absurd = f"Fri, 31 Dec 1999 23:59:59 +{'9' * 20}"
    for date in ("yesterday", "Mon, 01 Jan 0001 00:00:00 GMT", absurd, None):
        server.date = date
        assert process_info()[0] in {"skip", "fail"}
    assert set(server.seen) == {"HEAD /"}


def test_the_clock_of_the_public_url_is_the_one_that_counts(server: Server) -> None:
    server.skew_s = 3600
    asked = DoctorOptions(public_url=f"{server.url}/secret-path", clocks=("http://127.0.0.1:9",))
    result = found("clock", asked)
    assert result.verdict == "fail"
    assert "secret-path" not in result.message


def test_the_next_clock_is_used_if_one_does_not_respond(server: Server) -> None:
    asked = DoctorOptions(clocks=("http://127.0.0.1:9", server.url))
    assert found("clock", asked).verdict == "pass"


def test_offline_the_clock_is_skipped_and_is_no_failure() -> None:
    asked = DoctorOptions(clocks=("http://127.0.0.1:9", "https://no-such-host.invalid"))
    verdict, said = short(found("clock", asked))
    assert verdict == "skip"
    assert said.startswith("no server to compare it with (http://127.0.0.1:9: Connection refused; ")


def test_with_offline_nothing_leaves_the_machine(server: Server) -> None:
    asked = DoctorOptions(
        offline=True, clocks=(server.url,), public_url=server.url, apps=("http://203.0.113.1",)
    )
    for name in ("clock", "public URL", "app"):
        assert found(name, asked).verdict == "skip"
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "pass"), (204, "warn"), (404, "warn"), (301, "warn"), (502, "warn")],
)
def test_a_public_url_is_checked_by_its_response(status: int, verdict: str, server: Server) -> None:
    server.status = status
    result = found("public URL", DoctorOptions(public_url=f"{server.url}/token?a=b"))
    assert short(result) == (verdict, f"{server.url} responds with {status}")
    assert server.seen == ["HEAD /token"]


def test_the_check_of_a_public_url_says_what_the_dashboard_and_vonage_do(server: Server) -> None:
    server.status = 200
    options = DoctorOptions(public_url=server.url)
    assert "the dashboard calls it when you save it" in (found("public URL", options).fix or "")
    server.status = 204
    assert "anything but 200 is a failure: it retries after 5.0 s" in (
        found("public URL", options).fix or ""
    )
    assert "the dashboard calls yours" in found("public URL", DoctorOptions()).message


def test_a_public_url_without_a_response_fails(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    said = f"cannot reach {url}: Connection refused"
    assert short(found("public URL", DoctorOptions(public_url=f"{url}/x"))) == ("fail", said)
    assert found("public URL", DoctorOptions()).verdict == "skip"


def test_a_server_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as drained:
        url = f"http://127.0.0.1:{drained.getsockname()[1]}"
        result = found("public URL", DoctorOptions(public_url=url))
    assert short(result) == ("fail", f"cannot reach {url}: no response within 200 ms")


def test_an_app_is_there_or_not(server: Server, free_port: int) -> None:
    there = (f"127.0.0.1:{server.server_port}", f"{server.url}/hooks")
    for url in there:
        assert found("app", DoctorOptions(apps=(url,), offline=True)).verdict == "pass"
    assert server.seen == []
    result = found("app", DoctorOptions(apps=(f"http://me:secret@127.0.0.1:{free_port}/",)))
    assert short(result) == (
        "fail",
        f"connection refused: nothing is listening on 127.0.0.1:{free_port}",
    )
    assert result.fix == "Start your app."


def test_an_app_is_found_by_its_port_alone_and_on_any_loopback_address(server: Server) -> None:
    port = server.server_port
    for url in (str(port), f"app.localhost:{port}"):
        result = found("app", DoctorOptions(apps=(url,), offline=True))
        host = "localhost" if url == str(port) else "app.localhost"
        assert short(result) == ("pass", f"listening on {host}:{port}")


def test_an_ipv6_address_keeps_its_brackets(free_port: int) -> None:
    result = found("app", DoctorOptions(apps=(f"http://[::1]:{free_port}/hooks",)))
    assert f"[::1]:{free_port}" in result.message
