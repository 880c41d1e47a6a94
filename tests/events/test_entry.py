import gzip
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.factories import BODIES, RECEIVED, START, T, make_entry, make_line
from vmon.capture.codec import bare, read_line
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.models import Event

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)
SAMPLES = st.sampled_from([dict(one.sample) for one in TYPES.values()])
KEYS = st.sampled_from(
    ["connection", "stream", "timestamp", "createdAt", "reason", "size", "duration", "call", "new"]
)


def stored(body: bytes, *headers: tuple[str, str]) -> Entry:
    """An entry as it is read from a capture."""
    return read_line(make_line(body, id="0", received_at=RECEIVED, headers=headers, remote=None))


def plain(event: Event) -> Event:
    return replace(event, warnings=())


def agree(body: bytes, *headers: tuple[str, str]) -> None:
    one = stored(body, *headers)
    assert plain(one.fields) == plain(one.event)


@settings(max_examples=150, deadline=None)
@given(SAMPLES | BODIES, st.dictionaries(KEYS, ANY, max_size=3))
def test_the_facts_are_those_of_the_event(body: dict[str, Any], changed: dict[str, Any]) -> None:
    agree(json.dumps(body | changed).encode())
    agree(json.dumps(body | changed, indent=1).encode())
    agree(json.dumps(body | changed, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(SAMPLES, st.integers(0, 400), st.binary(max_size=3))
def test_and_of_a_body_that_is_damaged(body: dict[str, Any], at: int, put: bytes) -> None:
    whole = json.dumps(body).encode()
    agree(whole[:at] + put + whole[at + len(put) :])
    agree(whole[:at])


@pytest.mark.parametrize("coding", ["", "gzip", "br", "deflate"])
def test_and_of_one_in_a_wrapping(coding: str) -> None:
    body = json.dumps(TYPES["streamCreated"].sample).encode()
    for wrapped in (body, gzip.compress(body), b"\xef\xbb\xbf" + body, body + b"\n", b" " + body):
        agree(wrapped, ("Content-Encoding", coding))


@pytest.mark.parametrize("put", ['"\\ud800"', "1e400", "NaN", '{"id":1,"id":"2"}', "1.0", "1.5"])
def test_and_of_json_that_readers_disagree_about(put: str) -> None:
    for key in ("connection", "timestamp", "reason", "unheardOf"):
        text = json.dumps(TYPES["connectionDestroyed"].sample)
        agree((text[:-1] + f', "{key}": {put}}}').encode())


# When.


@pytest.mark.parametrize(
    ("timestamp", "occurred_ms"),
    [
        (T + 7, T + 7),
        (T // 1000, T // 1000 * 1000),
        (None, T + 1500),
        (0, T + 1500),
        (-5, T + 1500),
        (10**18, T + 1500),
    ],
)
def test_it_occurred_when_the_payload_states_it_or_else_when_it_was_received(
    timestamp: int | None, occurred_ms: int
) -> None:
    one = make_entry({"event": "sessionCreated", "timestamp": timestamp}, 1.5)
    assert (one.occurred_ms, one.received_ms) == (occurred_ms, T + 1500)
    assert one.event.occurred_ms == timestamp
    assert one.occurred_ms == occurred_ms, "and the same once all is decoded"


def test_an_archive_occurred_when_it_was_updated_and_a_render_when_it_was_received() -> None:
    archive = {"event": "archive", "id": "a", "createdAt": T, "updatedAt": T + 60_000}
    assert make_entry(archive, 70).occurred_ms == T + 60_000
    assert (
        make_entry({"id": "r", "sessionId": "S", "status": "started"}, 70).occurred_ms == T + 70_000
    )


def test_a_body_alone_that_tells_no_time_was_never_received() -> None:
    assert (bare(b"{}").received_ms, bare(b"{}").occurred_ms) == (0, 0)
    said = bare(b'{"event":"sessionCreated","timestamp":%d}' % T)
    assert (said.received_ms, said.occurred_ms) == (T, T)


@pytest.mark.parametrize("timestamp", [T, T // 1000])
def test_the_lag_is_from_the_event_to_its_receipt_in_whatever_unit_that_was_stated(
    timestamp: int,
) -> None:
    body = json.dumps({"event": "sessionCreated", "timestamp": timestamp}).encode()
    one = make_entry(body, received_at=START + timedelta(seconds=2))
    assert one.lag_s == 2.0
    assert make_entry(body, remote=None).lag_s is None
    assert make_entry(b'{"event":"sessionCreated"}').lag_s is None
