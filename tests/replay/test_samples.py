import json
from typing import Any

import pytest

from tests.support.factories import T, make_entry
from vmon.analysis.oddities.rules import oddities_of
from vmon.analysis.oddities.survey import OddityAnalysis
from vmon.errors import WrongUse
from vmon.events.catalogue import TYPES
from vmon.events.parse import event_of
from vmon.events.payload import read_body
from vmon.events.session_id import session_parts
from vmon.replay.samples import ORDER, STORY, Sample, Scenario, change, parse_change
from vmon.sessions.snapshot import snapshot

NOW_MS = 1_795_512_600_000
STEP_MS = 1700


def story(*, unified: bool = False) -> list[dict[str, Any]]:
    scenario = Scenario(NOW_MS, unified=unified)
    bodies = (scenario.payload(one, NOW_MS + STEP_MS * n) for n, one in enumerate(STORY))
    return [json.loads(body) for body in bodies]


def test_the_story_has_every_type() -> None:
    assert sorted(ORDER) == sorted(TYPES)


@pytest.mark.parametrize("unified", [False, True])
def test_the_story_ends_what_it_begins_and_nothing_in_it_is_odd(*, unified: bool) -> None:
    survey = OddityAnalysis()
    for number, body in enumerate(story(unified=unified)):
        survey.note(make_entry(body, (NOW_MS - T + STEP_MS * number + 40) / 1000))
    assert survey.oddities() == []
    (session,) = survey.store.sessions()
    assert all(output.ended_ms for output in session.outputs.values())
    assert not snapshot(session).is_open
    hours_later = NOW_MS + 86_400_000
    assert list(oddities_of(session, hours_later, settle_s=0.0)) == []


def test_durations_of_the_story_fit_its_clock() -> None:
    archives = [event for event in story() if event.get("event") == "archive"]
    assert [one["status"] for one in archives] == ["started", "stopped", "available"]
    assert len({one["createdAt"] for one in archives}) == 1
    lasted_s = (archives[1]["updatedAt"] - archives[1]["createdAt"]) // 1000
    assert lasted_s > 0
    assert [one["duration"] for one in archives] == [0, lasted_s, lasted_s]


def test_a_sample_that_has_lasted_began_as_long_ago() -> None:
    body = json.loads(Scenario(NOW_MS).payload("archive", NOW_MS))
    assert body["createdAt"] + 1000 * body["duration"] == NOW_MS - 120


@pytest.mark.parametrize("unified", [False, True])
@pytest.mark.parametrize("name", TYPES)
def test_every_sample_is_read_as_its_type_without_a_warning(name: str, *, unified: bool) -> None:
    payload = read_body(Scenario(NOW_MS, unified=unified).payload(name, NOW_MS))
    assert payload.type == name
    assert event_of(payload).warnings == ()


@pytest.mark.parametrize("unified", [False, True])
def test_a_story_is_of_one_session_that_began_when_it_did(*, unified: bool) -> None:
    sessions = {payload["sessionId"] for payload in story(unified=unified)}
    assert len(sessions) == 1
    parts = session_parts(sessions.pop())
    assert parts is not None
    assert parts.created_at is not None
    assert parts.created_at.timestamp() * 1000 == NOW_MS


def test_ids_agree_within_a_story_and_differ_between_two() -> None:
    one, other = (
        {event["event"]: event for event in reversed(story()) if "event" in event} for _ in "12"
    )
    created, destroyed = one["streamCreated"]["stream"], one["streamDestroyed"]["stream"]
    assert created["id"] == destroyed["id"]
    assert created["connection"]["id"] == one["connectionCreated"]["connection"]["id"]
    assert created["id"] != other["streamCreated"]["stream"]["id"]
    assert created["id"] != TYPES["streamCreated"].sample["stream"]["id"]
    assert one["sessionCreated"]["sessionId"] != other["sessionCreated"]["sessionId"]


def test_what_was_created_keeps_its_birth_and_happens_when_it_is_sent() -> None:
    events = {event["event"]: event for event in story() if "event" in event}
    created, destroyed = events["streamCreated"], events["streamDestroyed"]
    assert created["timestamp"] == NOW_MS + STEP_MS * STORY.index(Sample("streamCreated"))
    assert destroyed["timestamp"] == NOW_MS + STEP_MS * STORY.index(Sample("streamDestroyed"))
    assert created["stream"]["createdAt"] == destroyed["stream"]["createdAt"]
    assert created["timestamp"] - created["stream"]["createdAt"] == 120


def test_the_project_stays_the_samples_own() -> None:
    body = json.loads(Scenario(NOW_MS).payload("streamCreated", NOW_MS))
    assert body["projectId"] == TYPES["streamCreated"].sample["projectId"]


def test_the_samples_of_the_catalogue_stay_as_they_are() -> None:
    before = json.dumps(TYPES["streamCreated"].sample)
    Scenario(NOW_MS).payload("streamCreated", NOW_MS, [("stream.name", "Ann")])
    assert json.dumps(TYPES["streamCreated"].sample) == before


def test_changes_are_made_last() -> None:
    changes = [("stream.name", "Änn"), ("sessionId", "1_x"), ("new.deep.key", [1])]
    body = Scenario(NOW_MS).payload("streamCreated", NOW_MS, changes)
    assert "Änn".encode() in body
    said = json.loads(body)
    assert (said["stream"]["name"], said["sessionId"]) == ("Änn", "1_x")
    assert said["new"] == {"deep": {"key": [1]}}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("stream.name=Ann", "stream.name", "Ann"),
        ("size=12", "size", 12),
        ("reason=null", "reason", None),
        ('a="12"', "a", "12"),
        ("a=", "a", ""),
        ("a=b=c", "a", "b=c"),
        ("a={", "a", "{"),
    ],
)
def test_a_change_is_json_where_it_is_json(text: str, path: str, value: object) -> None:
    assert parse_change(text) == (path, value)


@pytest.mark.parametrize("text", ["", "name", "=Ann"])
def test_a_change_that_sets_nothing_is_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="--set needs FIELD=VALUE"):
        parse_change(text)


def test_a_change_goes_through_objects_alone() -> None:
    with pytest.raises(WrongUse, match="'name' is not an object"):
        change({"name": "Ann"}, "name.first", "Ann")
