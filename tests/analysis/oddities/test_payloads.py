"""What single deliveries tell: schema drift, wrong times, failures inside a body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args, get_origin

import opentok  # type: ignore[import-untyped] # it has no types
import pytest
from opentok.captions import Captions  # type: ignore[import-untyped] # as above
from pydantic import BaseModel
from vonage_video import models  # type: ignore[import-untyped] # as above

from tests.support.factories import make_entry
from vmon.analysis.oddities import payloads
from vmon.analysis.oddities.codes import CODES
from vmon.analysis.oddities.payloads import PayloadChecks
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Entry]


def findings(make: Make, *bodies: dict[str, Any] | bytes) -> list[tuple[str, str]]:
    """Code and sentence of what these bodies bring."""
    one = PayloadChecks()
    for body in bodies:
        one.note(make(body if isinstance(body, bytes) else json.dumps(body).encode()))
    return [(odd.code, odd.text) for odd in one.oddities()]


def sample(name: str, **more: Any) -> dict[str, Any]:
    return TYPES[name].sample | more


def test_no_sample_is_odd() -> None:
    assert findings(make_entry, *(one.sample for one in TYPES.values())) == []
    assert findings(make_entry, *(one.sample_unified or {} for one in TYPES.values())) == []


def test_every_body_there_is_brings_codes_of_the_table_and_one_line(
    bodies: dict[str, bytes],
) -> None:
    one = PayloadChecks()
    for body in bodies.values():
        one.note(make_entry(body))
    found = list(one.oddities())
    assert {odd.code for odd in found} <= set(CODES)
    assert {"undecodable", "malformed-body", "unknown-event", "wrong-type"} <= {
        odd.code for odd in found
    }
    assert all(odd.text.isprintable() for odd in found)


class Asked(dict[str, Any]):
    """A response of the REST API that notes which fields an SDK reads of it."""

    def __init__(self) -> None:
        super().__init__(createdAt=1_470_258_851_000)
        self.names = {"createdAt"}

    def get(self, key: str, default: Any = None) -> Any:
        """Note the field."""
        self.names.add(key)
        return super().get(key, default)


def fields_of_opentok(shape: Callable[..., object], *before: object) -> dict[str, Any]:
    """The fields that the OpenTok SDK reads of a response, without values."""
    asked = Asked()
    shape(*before, asked)
    return dict.fromkeys(asked.names)


def fields_of_vonage(model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a model of Vonage's SDK, without values, but for objects inside it."""
    return {
        str(field.validation_alias or name): _nested(field.annotation)
        for name, field in model.model_fields.items()
    }


def _nested(said: Any) -> Any:
    if get_origin(said) is list:
        return [_nested(get_args(said)[0])]
    if isinstance(said, type) and issubclass(said, BaseModel):
        return fields_of_vonage(said)
    return next(filter(None, map(_nested, get_args(said))), None)


def unknown(body: dict[str, Any]) -> list[str]:
    """What is said of the fields of a body that are not known."""
    return [said for code, said in findings(make_entry, body) if code == "unknown-field"]


def test_no_field_of_vonages_own_sdk_is_unknown() -> None:
    archive = fields_of_vonage(models.Archive)
    assert archive["transcription"].keys() >= {"hasSummary", "primaryLanguageCode"}
    broadcast = fields_of_vonage(models.Broadcast)
    assert broadcast["broadcastUrls"]["rtmp"][0].keys() >= {"serverUrl"}
    assert unknown(archive | {"event": "archive"}) == []
    assert unknown(broadcast | {"event": "broadcast"}) == []
    assert unknown(fields_of_vonage(models.ExperienceComposer) | {"event": "render"}) == []
    assert unknown(sample("streamCreated", stream=fields_of_vonage(models.StreamInfo))) == []
    assert unknown(sample("callCreated", call=fields_of_vonage(models.SipCall))) == []


def test_no_field_of_the_opentok_sdk_is_unknown() -> None:
    archive = fields_of_opentok(opentok.Archive, None)
    assert archive.keys() >= {"quantizationParameter", "transcriptionProperties"}
    properties = {"primaryLanguageCode": "en-US", "hasSummary": True}
    assert unknown(archive | {"event": "archive", "transcriptionProperties": properties}) == []
    assert unknown(fields_of_opentok(opentok.Broadcast) | {"event": "broadcast"}) == []
    assert unknown(fields_of_opentok(opentok.Render) | {"event": "render"}) == []
    assert unknown(fields_of_opentok(Captions) | {"event": "captions"}) == []
    assert unknown(sample("streamCreated", stream=fields_of_opentok(opentok.Stream))) == []
    assert unknown(sample("callCreated", call=fields_of_opentok(opentok.SipCall))) == []


def test_no_field_that_captions_were_seen_with_is_unknown() -> None:
    seen = {"provider": "aws-transcribe", "updatedAt": 1_651_253_837_000, "duration": 360}
    assert findings(make_entry, sample("captions", **seen)) == []


def test_one_kind_is_one_oddity_of_its_first_event_with_a_count() -> None:
    early, late = sample("streamCreated", timestamp=1_470_258_846_000), sample("streamCreated")
    one = PayloadChecks()
    for body in (late, early, late):
        stream = body["stream"] | {"codec": "vp8"}
        one.note(make_entry(json.dumps(body | {"stream": stream}).encode()))
    (odd,) = one.oddities()
    assert odd.at_ms == 1_470_258_846_000
    assert odd.text == (
        'streamCreated: unknown field stream."codec" (3 deliveries, this is the first)'
    )


def test_only_a_new_kind_is_returned() -> None:
    one = PayloadChecks()
    entry = make_entry(json.dumps(sample("sessionCreated", region="eu", shard=7)).encode())
    assert [odd.code for odd in one.note(entry)] == ["unknown-field", "unknown-field"]
    assert one.note(entry) == []


def test_copies_are_not_counted() -> None:
    one = PayloadChecks()
    entry = make_entry(json.dumps(sample("sessionCreated", region="eu")).encode())
    one.note(entry)
    one.note(entry, is_copy=True)
    (odd,) = one.oddities()
    assert odd.text.endswith('"region"')


def test_unknown_fields_are_found_at_every_level() -> None:
    archive = sample("archive", streams=[{"streamId": "s", "lang": "de"}, {"lang": "en"}])
    broadcast = sample("broadcast", settings={"anything": {"goes": 1}})
    urls = broadcast["broadcastUrls"]
    broadcast["broadcastUrls"] = urls | {"rtmp": [urls["rtmp"][0] | {"bitrate": 1}]}
    assert findings(make_entry, archive, broadcast) == [
        ("unknown-field", 'archive: unknown field streams."lang"'),
        (
            "unknown-field",
            'broadcast: unknown field broadcastUrls.rtmp."bitrate"',
        ),
    ]


def test_of_an_unknown_type_timestamps_are_checked_but_not_fields() -> None:
    body = {"event": "roomOpened", "colour": "red", "timestamp": 1_470_257_700}
    assert findings(make_entry, body) == [
        ("unknown-event", 'unknown event "roomOpened"'),
        ("seconds-for-ms", "unknown: timestamp is in seconds, not milliseconds: 1470257700"),
    ]
    assert findings(make_entry, {"colour": "red"}) == [
        ("unknown-event", 'JSON of an unknown type, without an `event`: keys "colour"')
    ]
    assert findings(make_entry, b"[]") == [
        ("unknown-event", "JSON of an unknown type, without an `event`"),
        ("malformed-body", "unknown: a list, not an object"),
    ]


def test_an_unknown_event_that_is_nearly_known_is_told_with_the_name_it_should_have() -> None:
    assert findings(make_entry, sample("connectionCreated", event="ConnectionCreated")) == [
        ("unknown-event", 'unknown event "ConnectionCreated"; did you mean connectionCreated?')
    ]


def test_json_of_another_service_is_told_by_its_status_and_its_keys() -> None:
    body = {"id": "p1", "type": "payment.succeeded", "a": 1, "b": 2, "c": 3, "d": 4}
    assert findings(make_entry, body) == [
        (
            "unknown-event",
            (
                "JSON of an unknown type, without an `event`: "
                'type "payment.succeeded", keys "id", "type", "a", "b", "c", …'
            ),
        )
    ]


def test_what_only_looks_like_a_render_is_one_hint() -> None:
    body = {"id": "o1", "sessionId": "abc", "status": "paid", "amount": 3, "user": "u"}
    more = body | {"status": "refunded", "currency": "EUR", "shop": 1}
    assert findings(make_entry, body, more) == [
        (
            "unknown-event",
            (
                'perhaps a render, perhaps none of Vonage\'s: unknown status "paid", '
                'unknown field "amount", unknown field "user" (2 deliveries, this is the first)'
            ),
        )
    ]
    assert findings(make_entry, more | {"event": "order"}) == [
        (
            "unknown-event",
            (
                'perhaps a render, perhaps none of Vonage\'s: unknown event "order", '
                'unknown status "refunded", unknown field "amount", unknown field "user" and 2 more'
            ),
        )
    ]


def test_a_render_that_says_so_is_told_field_by_field() -> None:
    body = sample("render", event="render", status="resting", depth=1)
    assert [code for code, _ in findings(make_entry, body)] == ["unknown-status", "unknown-field"]
    assert findings(make_entry, sample("render", event="renderChanged")) == [
        ("unknown-event", 'unknown event "renderChanged", treated as render')
    ]


def test_an_event_taken_for_another_says_for_which() -> None:
    body = sample("broadcast", event="broadcastChanged")
    assert findings(make_entry, body) == [
        (
            "unknown-event",
            'unknown event "broadcastChanged", treated as broadcast',
        )
    ]


def test_a_body_that_is_not_json_is_so_once() -> None:
    one = PayloadChecks()
    for body in (b"", b"rubbish"):
        one.note(make_entry(body))
    assert [odd.text for odd in one.oddities()] == [
        "body is not JSON: empty body",
        "body is not JSON: expecting value at byte 0",
    ]


def test_a_state_of_a_call_is_called_so() -> None:
    assert findings(make_entry, sample("callUpdated", state="LIMBO")) == [
        ("unknown-status", 'callUpdated: unknown state "LIMBO"')
    ]


def test_reasons_that_are_free_text_are_never_unknown() -> None:
    assert findings(make_entry, sample("archive", reason="because")) == []
    assert findings(make_entry, sample("streamDestroyed", reason="because")) == [
        ("unknown-reason", 'streamDestroyed: unknown reason "because"')
    ]


@pytest.mark.parametrize("at", [0, -5, 10**15, 10**30, 1e300])
def test_an_impossible_time_is_quoted_as_received(at: float) -> None:
    stream = sample("streamCreated")["stream"] | {"createdAt": at}
    found = findings(make_entry, sample("streamCreated", stream=stream))
    ((code, text),) = [one for one in found if one[0] != "wrong-type"]
    assert code == "impossible-time"
    assert text.startswith("streamCreated: stream.createdAt is not a time in milliseconds: ")
    assert len(text) < 120


def test_seconds_are_put_where_they_belong_in_time() -> None:
    one = PayloadChecks()
    (odd,) = one.note(make_entry(json.dumps(sample("sessionCreated", timestamp=1e9)).encode()))[:1]
    assert odd.at_ms == 1_000_000_000_000


def test_failures_inside_a_body_are_reported() -> None:
    archive = sample("archive", transcription={"status": "failed", "reason": "no speech"})
    broadcast = sample("broadcast")
    broadcast["broadcastUrls"] = {"hlsStatus": "error", "rtmp": {"id": "main", "status": "error"}}
    assert findings(make_entry, archive, broadcast) == [
        ("failed", "transcription of archive 832641bf failed: no speech"),
        ("failed", "HLS of broadcast 1748b707 failed"),
        ("failed", "broadcast 1748b707 cannot reach its RTMP target main"),
    ]


def test_rtmp_targets_keyed_by_their_id_are_read_each_by_itself() -> None:
    target = sample("broadcast")["broadcastUrls"]["rtmp"][0]
    keyed = {
        "foo": {"serverUrl": "rtmps://a.example.com/app", "streamName": "k", "status": "live"},
        "bar": {"serverUrl": "rtmps://b.example.com/app", "status": "error"},
        "baz": target | {"status": "error", "bitrate": 1},
    }
    assert findings(make_entry, sample("broadcast", broadcastUrls={"rtmp": keyed})) == [
        ("unknown-field", 'broadcast: unknown field broadcastUrls.rtmp."bitrate"'),
        ("failed", "broadcast 1748b707 cannot reach its RTMP target bar"),
        ("failed", "broadcast 1748b707 cannot reach its RTMP target main"),
    ]


def test_whoever_makes_up_fields_hides_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_MOST", 10)
    made_up = sample("sessionCreated") | {f"f{number}": 1 for number in range(50)}
    archive = sample("archive", transcription={"status": "failed"})
    assert findings(make_entry, made_up, archive)[10:] == [
        ("failed", "transcription of archive 832641bf failed")
    ]


def test_untrusted_text_is_disarmed_and_cut() -> None:
    body = {"event": "\x1b[2J" + "x" * 500, "sessionId": "\u202e"}
    ((_, text),) = findings(make_entry, body)
    assert text.startswith('unknown event "␛[2Jxxx')
    assert len(text) < 100
    long = json.dumps(sample("sessionCreated") | {"\x1b" + "y" * 500: 1}).encode()
    ((code, text),) = findings(make_entry, long)
    assert code == "unknown-field"
    assert "␛yyy" in text
    assert len(text) < 130


def test_whoever_makes_up_fields_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "_MOST", 10)
    one = PayloadChecks()
    for number in range(50):
        one.note(make_entry(json.dumps(sample("sessionCreated") | {f"f{number}": 1}).encode()))
    assert len(list(one.oddities())) == 10
    assert len(one._first) == len(one._count) == 10


def test_a_type_that_a_capture_made_up_is_disarmed() -> None:
    one, made = PayloadChecks(), make_entry(json.dumps(sample("streamCreated")).encode())
    one.note(Entry(made.delivery, None, ("zzz\x1b[31m", "S")))
    (odd,) = one.oddities()
    assert odd.text == 'unknown event "streamCreated", treated as zzz␛[31m'
