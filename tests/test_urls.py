import socket

import pytest

from vmon import urls
from vmon.urls import addresses, host_and_port, is_local, loopback_addresses, typed_url


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("3000", "http://localhost:3000"),
        (":3000", "http://localhost:3000"),
        ("3000/hooks?a=1", "http://localhost:3000/hooks?a=1"),
        ("localhost:3000", "http://localhost:3000"),
        ("app.test", "http://app.test"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("https://app.test/3000", "https://app.test/3000"),
    ],
)
def test_a_bare_port_is_one_of_localhost_and_http_the_scheme(typed: str, url: str) -> None:
    assert typed_url(typed) == url


@pytest.mark.parametrize("host", ["localhost", "App.LocalHost", "localhost.", "::1", "127.0.0.1"])
def test_loopback_has_several_names(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["localhost.test", "notlocalhost", "192.0.2.1", "", None])
def test_other_hosts_are_not_loopback(host: str | None) -> None:
    assert not is_local(host)


def test_localhost_is_every_loopback_address_that_this_machine_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loopback_addresses.cache_clear()
    monkeypatch.setattr(urls, "_can_bind", lambda _address, _family: True)
    assert addresses("app.localhost") == ("::1", "127.0.0.1")
    loopback_addresses.cache_clear()
    monkeypatch.setattr(urls, "_can_bind", lambda _at, family: family == socket.AF_INET)
    assert addresses("localhost") == ("127.0.0.1",)
    loopback_addresses.cache_clear()
    assert addresses("app.test") == ("app.test",)


def test_an_ipv6_address_stands_in_brackets_before_its_port() -> None:
    assert host_and_port("::1", 3000) == "[::1]:3000"
    assert host_and_port("app.test", 80) == "app.test:80"
