import json
import subprocess
import sys

import pytest

from vmon.events.catalogue import (
    ALL,
    NAMES,
    PSEUDO,
    TYPES,
    EventType,
    meant,
    suggest,
    suggest_pattern,
    verb,
)
from vmon.events.parse import event_of
from vmon.events.payload import read_body
from vmon.events.session_id import session_parts

ENTRIES = list(TYPES.values())
BOTH = [(entry, sample) for entry in ENTRIES for sample in (entry.sample, entry.sample_unified)]


def test_there_are_fifteen_types_and_two_pseudo_types() -> None:
    assert len(TYPES) == 15
    assert (*TYPES, "unknown", "undecodable") == NAMES
    assert tuple(ALL) == NAMES
    assert set(PSEUDO) == {"unknown", "undecodable"}


@pytest.mark.parametrize(("entry", "sample"), BOTH, ids=lambda one: getattr(one, "name", ""))
def test_every_sample_is_read_as_its_type_without_a_warning(
    entry: EventType, sample: dict[str, object]
) -> None:
    event = event_of(read_body(json.dumps(sample).encode()))
    assert (event.type, event.warnings) == (entry.name, ())


@pytest.mark.parametrize(("entry", "sample"), BOTH, ids=lambda one: getattr(one, "name", ""))
def test_reasons_and_statuses_of_samples_are_in_the_catalogue(
    entry: EventType, sample: dict[str, object]
) -> None:
    event = event_of(read_body(json.dumps(sample).encode()))
    assert event.status is None or event.status in entry.statuses
    assert (
        event.reason is None
        or event.reason in {*entry.reasons, *entry.codes.values()}
        or (event.reason in entry.ordinary_reasons)
    )


def test_ordinary_reasons_of_a_closed_list_are_in_it() -> None:
    for entry in ENTRIES:
        assert not entry.closed_reasons or entry.ordinary_reasons <= set(entry.reasons)


def test_the_samples_tell_one_story() -> None:
    events = [event_of(read_body(json.dumps(entry.sample).encode())) for entry in ENTRIES]
    assert len({event.session_id for event in events}) == 1
    assert {event.project_id for event in events} == {"13112571"}
    assert len({event.stream_id for event in events} - {None}) == 1
    assert len({event.connection_id for event in events} - {None}) == 2  # Ann's, and the call's


def test_the_unified_samples_name_one_application_in_fields_and_in_the_session_id() -> None:
    for entry in ENTRIES:
        assert entry.sample_unified is not None
        event = event_of(read_body(json.dumps(entry.sample_unified).encode()))
        parts = session_parts(event.session_id or "")
        assert parts is not None
        assert event.project_id == parts.project == "78d335fa-323d-0114-9c3d-d6f0d48968cf"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("streamCraeted", "streamCreated"),
        ("ARCHIV", "archive"),
        ("connectiondestroyed", "connectionDestroyed"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_a_mistyped_name_gets_a_suggestion(typed: str, wanted: str | None) -> None:
    assert suggest(typed) == wanted


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        ("ConnectionCreated", "connectionCreated"),
        ("stream.destroyed", "streamDestroyed"),
        ("session_notification", "sessionNotification"),
        ("archives", "archive"),
        ("roomOpened", None),
        ("payment.succeeded", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_an_event_that_is_nearly_a_type_is_known_for_it(event: str, type_: str | None) -> None:
    assert meant(event) == type_


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("streamCreated", None, "created"),
        ("callDestroyed", None, "destroyed"),
        ("sessionNotification", None, "changed"),
        ("callUpdated", "ACTIVE", "changed"),
        ("archive", "started", "created"),
        ("archive", "paused", "changed"),
        ("archive", "stopped", "destroyed"),
        ("archive", "available", "changed"),
        ("archive", "failed", "failed"),
        ("archive", None, "changed"),
        ("render", "starting", "changed"),
        ("render", "started", "created"),
        ("unknown", "started", "changed"),
        ("undecodable", None, "failed"),
    ],
)
def test_the_verb_of_a_type_and_status(name: str, status: str | None, expected: str) -> None:
    assert verb(name, status) == expected


def test_importing_the_catalogue_brings_nothing_heavy() -> None:
    code = "import vmon.events.catalogue, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "vmon.events.catalogue" in loaded
    assert not loaded & {"msgspec", "asyncio", "rich", "click", "json", "difflib", "datetime"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("stream", "'stream*'"),
        ("strm", "'stream*'"),
        ("streamCreate", "streamCreated"),
        ("mute", "muteForced"),
        ("quux", None),
        ("stream*x", None),
    ],
)
def test_what_is_like_types_gets_a_name_or_a_glob_to_try(word: str, meant: str | None) -> None:
    assert suggest_pattern(word) == meant
