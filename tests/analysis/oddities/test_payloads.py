"""What single deliveries tell: schema drift, wrong times, failures inside a body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

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
        ("unknown-event", "JSON of an unknown type, without an `event`")
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
    broadcast["broadcastUrls"] = {"rtmp": {"id": "main", "status": "error"}}
    assert findings(make_entry, archive, broadcast) == [
        ("failed", "transcription of archive 832641bf failed: no speech"),
        ("failed", "broadcast 1748b707 cannot reach its RTMP target main"),
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
