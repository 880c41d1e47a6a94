from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tests.support.factories import BODIES, make_line
from vmon.capture.codec import Outage, outage_line, read_line
from vmon.capture.format import ASIDE, CAPTURE_SUFFIXES, FRESH, START

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@given(BODIES | st.binary())
def test_every_delivery_s_line_begins_so_and_none_as_what_stands_aside(body: object) -> None:
    line = make_line(body)
    assert line.startswith(START)
    assert not line.startswith(ASIDE)


def test_a_delivery_whose_type_is_tunnel_is_no_outage() -> None:
    line = make_line({"event": "tunnel"})
    assert not line.startswith(ASIDE)
    assert read_line(line).delivery.body == b'{"event": "tunnel"}'


def test_an_outage_stands_aside() -> None:
    line = outage_line("1-2", Outage("https://a.example", NOW, NOW, "lost"))
    assert line.startswith(ASIDE)
    assert ASIDE.startswith(START)


def test_a_file_that_is_not_in_its_place_yet_is_no_capture() -> None:
    assert not any(f"a{suffix}{FRESH}".endswith(CAPTURE_SUFFIXES) for suffix in CAPTURE_SUFFIXES)
