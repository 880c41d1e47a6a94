import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support.certificates import server_context
from tests.support.factories import make_delivery
from vmon.forward.client import Client
from vmon.forward.problems import expects_tls, kind_of, problem_of
from vmon.forward.targets import target_of

if TYPE_CHECKING:
    from tests.support.app_server import App, FlaskApp

Apps = Callable[..., Awaitable["App"]]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(connections=4) as one:
        yield one


@pytest.fixture
async def tls_app(apps: Apps, tmp_path: Path) -> "App":
    """An app behind a certificate that nobody trusts."""
    return await apps(tls=server_context(tmp_path))


async def test_https_to_a_plain_app_says_so_and_how_to_reach_it(
    flask_app: "FlaskApp", client: Client
) -> None:
    where = flask_app.url.removeprefix("http://")
    outcome = await client.send(make_delivery(b"{}"), target_of(f"https://{where}"))
    assert str(outcome) == f"{where} does not speak TLS: use http://{where}"
    assert outcome.kind == "unreachable"


async def test_plain_http_to_a_tls_app_says_so_and_how_to_reach_it(
    tls_app: "App", client: Client
) -> None:
    where = f"127.0.0.1:{tls_app.port}"
    for _ in range(2):
        outcome = await client.send(make_delivery(b"{}", path="/"), target_of(where))
        assert outcome.problem == f"{where} expects TLS: use https://{where}"
        assert outcome.kind == "broken"


async def test_an_untrusted_certificate_is_told_with_its_reason_and_the_option(
    tls_app: "App", client: Client
) -> None:
    url = f"https://localhost:{tls_app.port}"
    outcome = await client.send(make_delivery(b"{}"), target_of(url))
    assert outcome.problem is not None
    begin, _, option = outcome.problem.partition(": ")
    assert begin == f"certificate of localhost:{tls_app.port} not trusted"
    assert option in {
        "self-signed certificate (--insecure skips the check)",
        "self signed certificate (--insecure skips the check)",  # OpenSSL 1.1
    }
    outcome = await client.send(make_delivery(b"{}"), target_of(url, insecure=True))
    assert outcome.ok


async def test_an_app_that_closes_connections_is_tried_with_tls_only_once(
    app: "App", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    async def counted(target: object) -> bool:
        tried.append(target)
        return False

    monkeypatch.setattr("vmon.forward.client.expects_tls", counted)
    app.answer = b""
    for _ in range(3):
        outcome = await client.send(make_delivery(b"{}"), target_of(app.url))
        assert outcome.problem == f"127.0.0.1:{app.port} closed the connection without a response"
    assert len(tried) == 1


async def test_an_app_that_has_answered_is_never_tried_with_tls(
    app: "App", client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client.send(make_delivery(b"{}"), target_of(app.url))).ok
    monkeypatch.setattr("vmon.forward.client.expects_tls", None)
    app.answer = b""
    assert (await client.send(make_delivery(b"{}"), target_of(app.url))).kind == "broken"


async def test_only_a_plain_target_that_answers_a_handshake_expects_tls(
    app: "App", tls_app: "App", free_port: int
) -> None:
    assert await expects_tls(target_of(tls_app.url))
    assert not await expects_tls(target_of(f"https://127.0.0.1:{tls_app.port}"))
    assert not await expects_tls(target_of(app.url))
    assert not await expects_tls(target_of(f"127.0.0.1:{free_port}"))


def test_another_tls_failure_keeps_openssl_s_reason() -> None:
    reason = ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert (_ssl.c:1000)")
    reason.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
    key = aiohttp.client_reqrep.ConnectionKey("a.test", 443, True, True, None, None, None)
    error = aiohttp.ClientConnectorSSLError(key, reason)
    assert kind_of(error, answered=False) == "unreachable"
    text = problem_of(error, "unreachable", target_of("https://a.test"))
    assert text == "TLS handshake with a.test:443 failed: tlsv1 alert protocol version"
