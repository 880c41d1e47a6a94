from __future__ import annotations

from collections import Counter

import pytest

from tests.support.exports import SECRETS
from tests.support.factories import make_entry
from vmon.security.scrub import ScrubPolicy, scrub, scrub_url


def test_what_is_left_out_is_counted_and_the_rest_stays_as_it_is() -> None:
    left_out = Counter[str]()
    seal = ScrubPolicy(left_out, keep=False)
    body = b'{"event":"archive" ,"password" : "x","size":1e400, "url":null}'
    shown = seal(make_entry(body, headers=SECRETS))
    assert shown.body == b'{"event":"archive" ,"password" : "left-out","size":1e400, "url":null}'
    assert shown.headers == SECRETS[1:]
    assert left_out == {"Authorization": 1, "password": 1}
    plain = make_entry(b'{"event":"archive" ,"password":null}')
    assert seal(plain) == plain.delivery


def test_a_password_in_a_torn_body_is_left_out_too() -> None:
    shown = ScrubPolicy(Counter(), keep=False)(
        make_entry(b'{"event":"archive","password":"hunter2')
    )
    assert shown.body == b'{"event":"archive","password":"left-out'


def test_with_secrets_kept_a_delivery_stays_as_it_is() -> None:
    left_out = Counter[str]()
    entry = make_entry(b'{"event":"archive","password":"x"}', headers=SECRETS, path="/?token=x")
    assert ScrubPolicy(left_out, keep=True)(entry) is entry.delivery
    assert not left_out


@pytest.mark.parametrize(
    "name", ["Authorization", "Cookie", "X-Api-Key", "X-Auth", "X-Hub-Signature", "My-Secret"]
)
def test_a_header_with_credentials_is_removed(name: str) -> None:
    delivery, names = scrub(make_entry(b"{}", headers=((name, "s3cret"), ("X-Other", "kept"))))
    assert delivery.headers == (("X-Other", "kept"),)
    assert names == (name,)


@pytest.mark.parametrize("key", ["password", "streamName", "stream_key", "api-secret", "SECRET"])
def test_a_secret_is_removed_wherever_it_is_in_a_body(key: str) -> None:
    body = f'{{"event":"archive","deep":[{{"{key}":"s3cret"}}],"size":1}}'.encode()
    delivery, names = scrub(make_entry(body))
    assert delivery.body.replace(b" ", b"") == body.replace(b"s3cret", b"left-out")
    assert names == (key,)


def test_what_was_scrubbed_stays_as_it_is() -> None:
    entry = make_entry(b'{"event":"archive","password":"x"}', headers=SECRETS, path="/?token=x")
    once, _ = scrub(entry)
    again, names = scrub(make_entry(once.body, headers=once.headers, path=once.path))
    assert (again, names) == (once, ())


def test_a_url_is_shown_without_the_secrets_in_its_query() -> None:
    assert scrub_url("http://x/y?a=b&token=s3cret&api_key=k#f") == (
        "http://x/y?a=b&token=left-out&api_key=left-out#f"
    )
    assert scrub_url("http://x/token?token=") == "http://x/token?token="
