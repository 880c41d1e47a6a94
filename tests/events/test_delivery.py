from datetime import UTC, datetime

import pytest

from tests.support.factories import make_delivery
from vmon.events.delivery import HOP_BY_HOP, Delivery, encoding_of, header


def with_headers(*headers: tuple[str, str]) -> Delivery:
    return make_delivery(
        b"{}", id="1", received_at=datetime(2026, 11, 24, tzinfo=UTC), headers=headers, remote=None
    )


def test_a_header_is_found_in_any_case_and_the_first_counts() -> None:
    one = with_headers(("X-A", "1"), ("x-a", "2"), ("AUTHORIZATION", "Bearer x"))
    assert (header(one, "x-a"), header(one, "authorization")) == ("1", "Bearer x")
    assert header(one, "x-") == header(one, "x-ab") == ""


def test_without_a_content_encoding_it_is_empty() -> None:
    assert encoding_of(with_headers()) == ""
    assert encoding_of(with_headers(("Content-encoding", "gzip"))) == "gzip"


def test_what_is_about_one_connection_is_listed_in_lower_case() -> None:
    assert {name.lower() for name in HOP_BY_HOP} == HOP_BY_HOP
    assert {"connection", "host", "transfer-encoding"} <= HOP_BY_HOP
    assert "authorization" not in HOP_BY_HOP


def test_a_delivery_stays_as_it_was_received() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        with_headers().body = b"another"  # type: ignore[misc] # that is what is tried
