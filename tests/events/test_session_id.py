from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmon.events.session_id import session_parts

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"


def test_a_session_id_tells_its_project_and_its_creation() -> None:
    parts = session_parts(SESSION)
    assert parts is not None
    assert parts.project == "13112571"
    assert parts.location is None
    assert parts.created_at == datetime(2016, 8, 3, 20, 54, 39, 918000, tzinfo=UTC)


def test_a_session_id_may_tell_its_location() -> None:
    coded = urlsafe_b64encode(b"1~100~10.1.2.3~1470257679918~x~").decode().rstrip("=")
    parts = session_parts(f"1_{coded}")
    assert parts is not None
    assert (parts.project, parts.location) == ("100", "10.1.2.3")


@pytest.mark.parametrize("said", ["", "2_", "2_x", "1_!!", "\ud800", "2_" + "A" * 40, "SESSIONID"])
def test_a_session_id_that_does_not_decode_is_none(said: str) -> None:
    assert session_parts(said) is None


@PATIENT
@given(st.text(st.characters(exclude_categories=())))
def test_any_session_id_is_parts_or_none(said: str) -> None:
    parts = session_parts(said)
    assert parts is None or parts.created_at.tzinfo is UTC
