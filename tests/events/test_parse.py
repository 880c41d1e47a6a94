import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmon.events.catalogue import NAMES, TYPES
from vmon.events.models import (
    CaptionsEvent,
    Event,
    RenderEvent,
    StreamEvent,
    Undecodable,
    UnknownEvent,
)
from vmon.events.parse import SHAPES, event_of
from vmon.events.payload import Payload, read_body

DATA = Path(__file__).parents[1] / "data"
WELL_FORMED = sorted(
    path for folder in ("seed", "opentok", "unified") for path in (DATA / folder).glob("*.json")
)
NASTY = sorted((DATA / "nasty").glob("*.body"))
REPEATED = ('"projectId" appears twice (the last counts)',)
SAMPLE = json.dumps(TYPES["streamCreated"].sample, separators=(",", ":")).encode()


def read(value: Any) -> Event:
    return event_of(read_body(json.dumps(value).encode()))


def nasty(name: str) -> Payload:
    return read_body((DATA / "nasty" / f"{name}.body").read_bytes())


@pytest.mark.parametrize("path", WELL_FORMED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_well_formed_payload_is_read_as_its_type_without_a_warning(path: Path) -> None:
    payload = read_body(path.read_bytes())
    event = event_of(payload)
    assert payload.type == event.type == path.stem.split("-")[0]
    assert payload.session == event.session_id
    assert event.warnings == (REPEATED if path.stem == "archive-old-no-event" else ())


def test_every_type_has_a_payload_in_each_dialect() -> None:
    for dialect in ("opentok", "unified"):
        assert {path.stem for path in (DATA / dialect).glob("*.json")} >= set(TYPES)


@pytest.mark.parametrize("path", NASTY, ids=lambda path: path.stem)
def test_a_nasty_body_is_a_payload_and_an_event(path: Path) -> None:
    holds(path.read_bytes())


def holds(body: bytes) -> None:
    """Assert what is true of every body."""
    payload = read_body(body)
    event = event_of(payload)
    assert payload.type in NAMES
    assert event.type == payload.type
    assert (payload.problem is None) == (payload.type != "undecodable")
    if payload.json is not None:
        assert json.loads(payload.json) == payload.value
        assert not set(payload.json) & set(b"\n\r")
    for name in ("project_id", "timestamp_at", "lasted_s", "platform_lag_s", "reason", "status"):
        getattr(event, name)


QUOTE = b'"'
PROBLEMS = {
    "empty": "empty body",
    "blank": "empty body",
    "torn": f"not JSON: unterminated string starting at byte {SAMPLE.rindex(QUOTE, 0, 137)}",
    "trailing": f"not JSON: extra data at byte {len(SAMPLE)}",
    "invalid-utf8": f"not UTF-8 at byte {SAMPLE.index(b'Ann')}",
    "surrogate-in-utf8": f"not UTF-8 at byte {SAMPLE.index(b'Ann')}",
    "raw-nul": f"not JSON: invalid control character at byte {SAMPLE.index(b'Ann') + 1}",
    "utf16": "not UTF-8 at byte 0",
    "nan": "not JSON: NaN is not a JSON number",
    "deep-100000": "nested too deeply",
    "form": "not JSON: expecting value at byte 0",
    "html": "not JSON: expecting value at byte 0",
}


@pytest.mark.parametrize(("name", "problem"), PROBLEMS.items())
def test_what_is_not_json_says_why_and_where(name: str, problem: str) -> None:
    payload = nasty(name)
    assert (payload.type, payload.value, payload.json) == ("undecodable", None, None)
    assert payload.problem == problem
    event = event_of(payload)
    assert isinstance(event, Undecodable)
    assert event.problem == problem


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("array", "a list, not an object"),
        ("number", "a number, not an object"),
        ("null", "null, not an object"),
        ("string", "a string, not an object"),
    ],
)
def test_json_that_is_no_object_is_unknown_and_noted(name: str, note: str) -> None:
    payload = nasty(name)
    assert (payload.type, payload.session, payload.notes) == ("unknown", None, (note,))
    assert event_of(payload).warnings == (note,)


def test_a_bom_is_taken_off_and_noted_and_counts_in_positions() -> None:
    payload = nasty("bom")
    assert (payload.type, payload.json) == ("streamCreated", SAMPLE)
    assert event_of(payload).warnings == ("starts with a BOM",)
    torn = read_body(b"\xef\xbb\xbf{")
    assert torn.problem is not None
    assert torn.problem.endswith("at byte 4")


def test_a_lone_surrogate_is_decoded() -> None:
    payload = nasty("lone-surrogate-session")
    assert (payload.type, payload.session, payload.json) == ("sessionCreated", None, None)
    assert payload.notes == ("a lone surrogate in a string",)
    event = event_of(payload)
    assert (event.session_id, event.project_id) == ("\udcff", None)
    assert event_of(nasty("lone-surrogate-key")).type == "sessionCreated"


def test_numbers_beyond_64_bits_are_kept_and_warned() -> None:
    event = event_of(nasty("2-to-the-64"))
    assert isinstance(event, StreamEvent)
    assert (event.timestamp, event.timestamp_at) == (2**64, None)
    assert event.warnings == ("timestamp is not in milliseconds since the epoch",)


def test_a_number_that_is_too_large_for_a_float_is_left_out_and_the_rest_survives() -> None:
    event = event_of(nasty("1e400"))
    assert event.warnings == ("timestamp should be a whole number, not a fraction",)
    assert event.timestamp_at is None
    assert event.stream_id == TYPES["streamCreated"].sample["stream"]["id"]


def test_keys_that_appear_twice_are_named() -> None:
    assert event_of(nasty("duplicate-keys")).warnings == (
        '"y" appears 3 times (the last counts)',
        '"sessionId" appears twice (the last counts)',
    )
    colons = b'{"event":"sessionCreated","data":"{\\"a\\":1}","a":"http://x","a":2}'
    assert event_of(read_body(colons)).warnings == ('"a" appears twice (the last counts)',)


def test_colons_in_strings_are_no_keys() -> None:
    body = b'{"event":"sessionCreated","a":"{\\"a\\":1}","b" : "x\\\\\\":\\"", "c\\\\":"::"}'
    assert event_of(read_body(body)).warnings == ()


# Recognition.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"event": "archive"}, "archive"),
        ({"event": "archive", "broadcastUrls": None}, "archive"),
        ({"event": "fooBar", "broadcastUrls": None, "captionsId": "c"}, "broadcast"),
        ({"captionsId": "c"}, "captions"),
        ({"captionId": "c", "status": "started", "outputMode": "composed"}, "captions"),
        ({"status": "stopped", "outputMode": "composed"}, "archive"),
        ({"status": "stopped", "partnerId": 1}, "archive"),
        ({"status": "stopped", "duration": 1, "size": 1}, "archive"),
        ({"status": "stopped", "duration": 1, "id": "r", "sessionId": "s"}, "render"),
        ({"outputMode": "composed"}, "unknown"),
        ({"id": "r", "sessionId": "s"}, "unknown"),
        ({"event": "fooBar"}, "unknown"),
        ({"event": "CONNECTIONCREATED"}, "unknown"),
        ({"event": ["archive"]}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_type_is_recognised_by_name_then_by_shape(value: Any, expected: str) -> None:
    assert read(value).type == expected


def test_a_shape_under_an_unknown_name_is_warned() -> None:
    event = read({"event": "fooBar", "id": "r", "sessionId": "s", "status": "started"})
    assert isinstance(event, RenderEvent)
    assert event.warnings == ('unknown event "fooBar": treated as render',)


def test_what_only_looks_like_a_render_is_doubted_in_one_warning() -> None:
    value = {"id": "o1", "sessionId": "abc", "status": "paid", "amount": 3}
    assert read(value).warnings == ('perhaps a render: no `event`, unknown status "paid"',)
    assert read(value | {"event": "order"}).warnings == (
        'perhaps a render: unknown event "order", unknown status "paid"',
    )
    assert read(value | {"event": "render"}).warnings == ('unknown status "paid"',)


def test_an_unknown_event_has_its_first_keys_and_what_reads_like_a_status() -> None:
    event = read({"id": "p1", "type": "payment.succeeded", "status": "", "vmon:keys": ["x"]})
    assert isinstance(event, UnknownEvent)
    assert event.keys == ("id", "type", "status", "vmon:keys")
    assert event.status_like == ("type", "payment.succeeded")
    event = read({f"k{number}": number for number in range(99)})
    assert isinstance(event, UnknownEvent)
    assert (len(event.keys), event.status_like) == (12, None)


def test_an_unknown_event_has_the_fields_it_shares_with_known_types() -> None:
    value = TYPES["streamCreated"].sample | {"event": "streamRenamed", "reason": 5}
    event = read(value)
    assert isinstance(event, UnknownEvent)
    assert (event.event, event.reason, event.warnings) == ("streamRenamed", "5", ())
    assert event.stream_id == value["stream"]["id"]
    assert event.connection_id == value["stream"]["connection"]["id"]
    assert event.timestamp_at is not None


def test_unknown_reasons_statuses_and_states_are_warned() -> None:
    for name, key in [
        ("connectionDestroyed", "reason"),
        ("archive", "status"),
        ("callUpdated", "state"),
    ]:
        event = read(TYPES[name].sample | {key: "fooBar"})
        assert event.warnings == (f'unknown {key} "fooBar"',)
    assert read(TYPES["archive"].sample | {"reason": "fooBar"}).warnings == ()


def test_a_warning_quotes_letters_of_any_language_as_they_are() -> None:
    event = read(TYPES["connectionDestroyed"].sample | {"reason": "日本\x1b[2J"})
    assert event.warnings == ('unknown reason "日本␛[2J"',)


def test_a_warning_quotes_untrusted_text_in_one_short_disarmed_line() -> None:
    event = read(TYPES["connectionDestroyed"].sample | {"reason": "\x1b[2J\n" + "x" * 1000})
    assert len(event.warnings[0]) < 120
    assert event.warnings[0].isprintable()


def test_a_time_in_seconds_is_warned() -> None:
    event = read(TYPES["sessionCreated"].sample | {"timestamp": 1470257679})
    assert event.warnings == ("timestamp is not in milliseconds since the epoch",)


# Wrong types.


def test_a_wrong_type_is_a_warning_and_the_rest_survives() -> None:
    value = copy.deepcopy(TYPES["streamCreated"].sample)
    value["projectId"] = 123456
    value["timestamp"] = "1470258860571"
    value["stream"]["connection"]["id"] = {"a": 1}
    value["stream"]["createdAt"] = 1470258845416.5
    event = read(value)
    assert isinstance(event, StreamEvent)
    assert event.warnings == (
        "projectId should be a string, not a number",
        "timestamp should be a whole number, not a string",
        "stream.connection.id should be a string, not an object",
        "stream.createdAt should be a whole number, not a fraction",
    )
    assert (event.project_id, event.timestamp) == ("123456", 1470258860571)
    assert (event.created_ms, event.connection_id) == (1470258845416, None)
    assert event.stream_id == value["stream"]["id"]


def test_wrong_items_of_a_list_are_left_out() -> None:
    streams = [{"streamId": "a"}, 5, None, {"streamId": 7, "hasAudio": "true"}]
    event = read(TYPES["archive"].sample | {"streams": streams, "size": "12"})
    assert event.warnings == (
        "size should be a whole number, not a string",
        "streams[1] should be an object, not a number",
        "streams[2] should be an object, not null",
        "streams[3].streamId should be a string, not a number",
        "streams[3].hasAudio should be true or false, not a string",
    )


def test_warnings_are_not_without_end() -> None:
    event = read(TYPES["archive"].sample | {"streams": [1] * 1000})
    assert (len(event.warnings), event.warnings[-1]) == (21, "and 980 more")


WRONG: list[Any] = [True, 5, 1.5, "x", "5", [], [None], {}, {"id": []}]
PATHS = [
    (name, field.encode_name)
    for name, shape in SHAPES.items()
    for field in msgspec.structs.fields(shape)
    if field.name not in {"warnings", "event"}
]


@pytest.mark.parametrize(("name", "key"), PATHS)
def test_any_wrong_type_in_any_field_leaves_the_other_fields_alone(name: str, key: str) -> None:
    good = read(TYPES[name].sample)
    value: Any
    for value in WRONG:
        event = read(TYPES[name].sample | {"event": name, key: value})
        assert event.type == name
        for field in msgspec.structs.fields(type(event)):
            if field.encode_name not in {key, "event", "vmon:warnings"}:
                assert getattr(event, field.name) == getattr(good, field.name)


@pytest.mark.parametrize(("name", "key"), PATHS)
def test_an_object_that_is_no_field_s_type_is_warned_by_its_path(name: str, key: str) -> None:
    event = read(TYPES[name].sample | {"event": name, key: [True]})
    assert any(warning.startswith(key) for warning in event.warnings)


def test_a_payload_cannot_put_warnings_into_its_event() -> None:
    for value in (["x"], 5):
        assert read(TYPES["sessionCreated"].sample | {"vmon:warnings": value}).warnings == ()
        assert read({"vmon:warnings": value}).warnings == ()


def test_captions_are_recognised_under_both_spellings() -> None:
    event = read({"captionId": "c", "sessionId": "s", "status": "started"})
    assert isinstance(event, CaptionsEvent)
    assert (event.caption_id, event.status) == ("c", "started")


# Anything at all.

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["started", "1470258860571", "archive", "streamCreated"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = sorted({key for entry in TYPES.values() for key in entry.sample})


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """Give a sample with some of its fields, at one level or the next, replaced or gone."""
    value = copy.deepcopy(draw(st.sampled_from(list(TYPES.values()))).sample)
    for part in [value, *(inner for inner in value.values() if isinstance(inner, dict))]:
        for key in draw(st.lists(st.sampled_from([*part, *KEYS]), max_size=3)):
            part[key] = draw(JSON)
    for key in draw(st.lists(st.sampled_from(list(value)), max_size=2, unique=True)):
        del value[key]
    return value


@given(st.binary())
def test_any_bytes_are_a_payload_and_an_event(body: bytes) -> None:
    holds(body)


# Drawing any character makes Hypothesis read its table of them once, which takes it a second.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(mutated())
def test_any_mutated_sample_is_a_payload_and_an_event(value: dict[str, Any]) -> None:
    holds(json.dumps(value).encode())
    holds(json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@PATIENT
@given(mutated(), st.data())
def test_a_sample_with_some_bytes_changed_is_a_payload_and_an_event(
    value: dict[str, Any], data: st.DataObject
) -> None:
    body = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    holds(bytes(body[: data.draw(st.integers(0, len(body)))]))
