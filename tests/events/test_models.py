from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from vmon.events.catalogue import TYPES
from vmon.events.models import (
    ArchiveEvent,
    CallEvent,
    CaptionsEvent,
    ConnectionEvent,
    Event,
    Undecodable,
    UnknownEvent,
)
from vmon.events.parse import SHAPES

# Drawing any character makes Hypothesis read its table of them once, which takes it a second.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SESSION = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"


def sample(name: str, **changed: Any) -> Event:
    return msgspec.convert(TYPES[name].sample | changed, SHAPES[name])


def test_a_stream_event_knows_its_stream_its_publisher_and_its_times() -> None:
    event = sample("streamCreated")
    assert event.stream_id == "63245362-e00e-4834-8371-9397deb3e452"
    assert event.connection_id == "c053fcc8-c681-41d5-8ec2-7a9e1434a21e"
    assert event.timestamp_at == datetime(2016, 8, 3, 21, 14, 20, 571000, tzinfo=UTC)
    assert event.created_ms == 1470258845416
    assert event.platform_lag_s == 15.155
    assert event.lasted_s is None


def test_a_destroyed_event_has_a_duration() -> None:
    event = sample("streamDestroyed")
    assert (event.lasted_s, event.platform_lag_s) == (51.537, None)
    assert event.reason == "clientDisconnected"


def test_a_call_is_about_the_connection_it_has_in_the_session() -> None:
    event = sample("callDestroyed")
    assert event.connection_id == "e9f8c166-6c67-440d-994a-04fb6dfed007"
    assert event.call_id == "b0a5a8c7-dc38-459f-a48d-a7f2008da853"
    assert event.reason == "Normal call clearing"
    assert isinstance(event, CallEvent)
    assert event.reason_code == "700"


def test_a_call_without_a_message_gives_its_code_as_reason() -> None:
    assert CallEvent(event="callDestroyed", reason_code="486").reason == "486"


def test_a_state_is_found_beside_the_call_or_inside_it() -> None:
    assert sample("callUpdated").status == "ACTIVE"
    call = TYPES["callUpdated"].sample["call"] | {"state": "RINGING"}
    assert sample("callUpdated", state=None, call=call).status == "RINGING"


def test_an_archive_happened_when_it_was_updated() -> None:
    event = sample("archive")
    assert event.timestamp_at == datetime(2016, 8, 3, 21, 15, 2, 417000, tzinfo=UTC)
    assert event.archive_id == "832641bf-5dbf-41a1-ad94-fea213e59a92"
    undated = sample("archive", updatedAt=None)
    assert (undated.timestamp_at, undated.earliest_ms) == (None, 1470258851000 + 45_000)


@pytest.mark.parametrize(
    ("status", "duration", "lived"),
    [("stopped", 45, 45.0), ("available", 45, 45.0), ("started", 3, None), ("uploaded", 0, None)],
)
def test_an_archive_lived_as_long_as_it_recorded(
    status: str, duration: int, lived: float | None
) -> None:
    assert ArchiveEvent(status=status, duration=duration).lasted_s == lived


def test_the_project_comes_from_any_of_its_names_and_else_from_the_session_id() -> None:
    assert ArchiveEvent(partner=100).project_id == "100"
    assert ConnectionEvent(application="abc").project_id == "abc"
    assert sample("render").project_id == "13112571"
    assert ConnectionEvent().project_id is None


def test_captions_may_say_when_they_began_in_seconds() -> None:
    assert CaptionsEvent(created_at=1470258852).created_ms == 1470258852000
    assert CaptionsEvent(created_at=1470258852000).created_ms == 1470258852000


def test_every_shape_without_any_field_answers_every_question() -> None:
    for shape in (*SHAPES.values(), UnknownEvent, Undecodable):
        event = shape()
        asked = [getattr(event, name) for name in ASKED]
        assert asked == [None] * len(ASKED), shape


ASKED = [
    *("session_id", "project_id", "timestamp_at", "connection_id", "stream_id", "archive_id"),
    *("call_id", "reason", "status", "created_ms", "lasted_s", "platform_lag_s"),
]


def test_every_field_of_every_known_shape_is_described() -> None:
    for shape in set(SHAPES.values()):
        for name, wire in get_type_hints(shape, include_extras=True).items():
            if name != "warnings":
                metas = [one for one in get_args(wire) if isinstance(one, msgspec.Meta)]
                assert metas, (shape, name)
                assert metas[0].description, (shape, name)
