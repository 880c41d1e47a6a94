from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmon.events.payload import read_body
from vmon.security.masking import (
    MASK,
    SECRETS,
    masked,
    masked_body,
    masked_header,
    masked_layout,
    masked_text,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", '"', *sorted(SECRETS)]), inner, max_size=3)
    ),
    max_leaves=12,
)


def test_a_secret_is_masked_wherever_it_is() -> None:
    shown = masked(
        {"password": {"deep": ["x"]}, "a": [{"streamName": ["x"], "b": 1}], "name": "Ann"}
    )
    assert shown == {"password": MASK, "a": [{"streamName": MASK, "b": 1}], "name": "Ann"}


def test_an_empty_secret_is_not_masked() -> None:
    nothing: dict[str, object] = {"password": None, "streamName": "", "a": {"password": []}}
    assert masked(nothing) == nothing


def test_what_is_nested_too_deep_is_masked_as_a_whole() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert masked(value) == MASK


@given(VALUES)
def test_a_layout_is_masked_as_its_value_is(value: object) -> None:
    text = masked_layout(json.dumps(value, indent=2))
    assert json.loads(text) == masked(value)


def test_a_masked_layout_is_this() -> None:
    value = {"password": {"a": 1}, "b": [{"streamName": "x", "c": 2}], "size": 3}
    assert (
        masked_layout(json.dumps(value, indent=2))
        == """\
{
  "password": "••••",
  "b": [
    {
      "streamName": "••••",
      "c": 2
    }
  ],
  "size": 3
}"""
    )


def test_a_body_without_secrets_stays_byte_for_byte() -> None:
    body = b'{ "event" : "archive" }'
    assert masked_body(body, read_body(body)) is body


def test_a_body_with_secrets_is_its_json_without_them() -> None:
    body = b'{ "p\\u0061ssword" : "x", "size":1 }'
    assert json.loads(masked_body(body, read_body(body))) == {"password": MASK, "size": 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"password":"hunter2","a":1', '{"password":"••••","a":1'),
        ('{"password" : "hun\\"ter2', '{"password" : "••••"'),
        ('{"streamName":{"a":"x"},"b":1', '{"streamName":"••••"'),
        ('{"password":12345,"b":1', '{"password":"••••","b":1'),
        ("password: x", "password: x"),
    ],
)
def test_a_torn_text_is_shown_without_the_secrets_that_can_be_made_out(
    text: str, shown: str
) -> None:
    assert masked_text(text) == shown


def test_formatted_json_keeps_everything_else_unchanged() -> None:
    text = '{\n  "a\\u00e9": -2.5e3,\n  "password": null,\n  "q": "\\"password\\": \\"x\\""\n}'
    assert masked_layout(text) == text
    assert masked_layout(text.replace("null", "1")) == text.replace("null", f'"{MASK}"')


@pytest.mark.parametrize("text", ['{"password":"abc', '"password" : "a\\"bc"', '"streamName":12,'])
def test_recognizable_secrets_of_text_that_is_not_json_are_masked(text: str) -> None:
    assert MASK in masked_text(text)
    assert not re.search("abc|bc|12", masked_text(text))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", "Bearer abc.def", f"Bearer {MASK}"),
        ("AUTHORIZATION", "abc", MASK),
        ("Proxy-Authorization", "Basic x", f"Basic {MASK}"),
        ("Cookie", "a=b; c=d", MASK),
        ("Content-Type", "application/json", "application/json"),
    ],
)
def test_of_credentials_the_scheme_alone_is_shown(name: str, value: str, shown: str) -> None:
    assert masked_header(name, value) == shown
