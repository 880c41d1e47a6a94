from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_entry
from vmon.events.catalogue import TYPES
from vmon.render.subject import handle_of, short, subject

if TYPE_CHECKING:
    from collections.abc import Callable


T = 1_470_257_688_309
CONNECTION = {"id": "c053fcc8-1", "createdAt": T, "data": "name=Ann"}


@pytest.fixture
def words() -> Callable[..., str]:
    """What stands in a line about an event, without styles."""

    def of(who: str | None = None, /, **body: Any) -> str:
        event = make_entry(json.dumps(body).encode()).event
        return "".join(text for _, text in subject(event, who)).rstrip()

    return of


def test_a_connection_is_its_handle_and_its_name(words: Callable[..., str]) -> None:
    body = {"event": "connectionCreated", "sessionId": "S", "timestamp": T}
    assert words(**body, connection=CONNECTION) == "c053fcc8 Ann"
    assert words("Bob", **body, connection=CONNECTION) == "c053fcc8 Bob"
    assert words(**body, connection={**CONNECTION, "data": ""}) == "c053fcc8"


def test_a_stream_is_its_publisher_its_name_and_what_it_shows(words: Callable[..., str]) -> None:
    stream = {
        "id": "63245362-1", "name": "desk", "videoType": "camera", "createdAt": T,
        "connection": CONNECTION,
    }  # fmt: skip # one thing a line
    body = {"event": "streamCreated", "sessionId": "S", "timestamp": T}
    assert words(**body, stream=stream) == 'c053fcc8 Ann "desk" camera 63245362'
    del stream["videoType"], stream["name"]
    assert words(**body, stream=stream).startswith("c053fcc8 Ann audio only 63245362")


def test_an_ordinary_reason_is_not_shown(words: Callable[..., str]) -> None:
    body = {
        "event": "connectionDestroyed", "sessionId": "S", "timestamp": T + 61_000,
        "connection": CONNECTION,
    }  # fmt: skip # one thing a line
    assert words(**body, reason="clientDisconnected") == "c053fcc8 Ann lasted 1 min 1 s"
    assert words(**body, reason="networkDisconnected").startswith(
        "c053fcc8 Ann networkDisconnected: "
    )
    assert words(**body, reason="odd").startswith("c053fcc8 Ann odd lasted")


def test_an_archive_is_its_status_its_name_and_its_size(words: Callable[..., str]) -> None:
    sample = {**TYPES["archive"].sample, "name": "talk", "status": "uploaded", "reason": ""}
    text = words(**sample)
    assert ' uploaded "talk" ' in text
    assert "recorded " in text


def test_the_transcription_of_an_archive_tells_three_of_its_lines_apart(
    words: Callable[..., str],
) -> None:
    sample = TYPES["archive"].sample | {"name": "", "size": 0, "duration": 0}
    said = [
        words(**sample, transcription={"status": status})
        for status in ("requested", "available", "failed")
    ]
    assert said == [
        "832641bf available transcription requested",
        "832641bf available transcription available",
        "832641bf available transcription failed",
    ]


def test_hls_and_each_rtmp_target_tell_lines_of_a_broadcast_apart(
    words: Callable[..., str],
) -> None:
    def said(**urls: Any) -> str:
        return words(**TYPES["broadcast"].sample | {"broadcastUrls": urls})

    assert [said(hlsStatus=status) for status in ("connecting", "ready", "live", "error")] == [
        "1748b707 started HLS connecting",
        "1748b707 started HLS ready",
        "1748b707 started HLS live",
        "1748b707 started HLS error",
    ]
    keyed = {"a": {"status": "live"}, "b": {"status": "error"}, "c": {}}
    assert said(rtmp=keyed) == "1748b707 started RTMP b error RTMP a live"
    many = {f"t{number}": {"status": "live"} for number in range(5)}
    assert said(rtmp=many).endswith("RTMP t0 live RTMP t1 live RTMP t2 live (+2 more)")
    assert said(rtmp={"id": "main", "status": "live"}) == "1748b707 started RTMP main live"


def test_the_tag_tells_two_archives_or_broadcasts_of_a_session_apart(
    words: Callable[..., str],
) -> None:
    archive = TYPES["archive"].sample | {"multiArchiveTag": "left\x1b"}
    assert ' "Ann\'s lesson" tag left␛ 1.8 MB' in words(**archive)
    broadcast = TYPES["broadcast"].sample | {"multiBroadcastTag": "b", "broadcastUrls": None}
    assert words(**broadcast) == "1748b707 started tag b"


def test_a_render_is_its_status_and_its_name_if_it_has_one(words: Callable[..., str]) -> None:
    assert words(**TYPES["render"].sample, name="grid") == '80abaf0d started "grid"'
    assert words(**TYPES["render"].sample) == "80abaf0d started"


def test_an_unknown_event_is_named_and_marked_as_unknown(words: Callable[..., str]) -> None:
    assert words(event="somethingNew", sessionId="S").startswith(
        '"somethingNew" not a known event type'
    )


def test_only_the_first_warning_is_in_a_line() -> None:
    body = b'{"event":"streamCreated","sessionId":7,"timestamp":"x","stream":3}'
    event = make_entry(body).event
    assert len(event.warnings) > 1
    more = f" (+{len(event.warnings) - 1} more)"
    style, text = subject(event)[-1]
    assert (style, text) == ("warning", f"! {event.warnings[0]}{more}")


@pytest.mark.parametrize("name", TYPES)
def test_of_every_type_nothing_can_act_on_a_terminal(name: str, words: Callable[..., str]) -> None:
    def armed(value: Any) -> Any:
        match value:
            case dict():
                return {key: armed(inner) for key, inner in value.items()}
            case str() if value != name:
                return value + "\x1b[2J\u202e\n"
            case _:
                return value

    text = words(**armed(TYPES[name].sample))
    assert not {"\x1b", "\u202e", "\n"} & set(text)


def test_a_handle_keeps_its_colour() -> None:
    assert handle_of("c053fcc8-1") == handle_of("c053fcc8-1")
    assert handle_of("c053fcc8-1")[1] == "c053fcc8 "


def test_a_long_text_is_cut_and_no_escape_is_cut_in_two() -> None:
    assert short("a" * 60) == "a" * 60
    assert short("a" * 61) == "a" * 60 + "…"
    assert "\x1b" not in short("a" * 59 + "\x1b[31m" * 9)


def test_an_unknown_event_says_what_it_has_and_what_may_be_meant(words: Callable[..., str]) -> None:
    said = words(event="ConnectionCreated", sessionId="S", connection=CONNECTION)
    assert said == (
        '"ConnectionCreated" did you mean connectionCreated? keys: event, sessionId, connection'
    )
    many = {f"k{number}": 1 for number in range(9)}
    assert words(type="payment\x1b[2J", **many) == (
        "type=payment␛[2J not a known event type, keys: type, k0, k1, k2, k3, k4, k5, k6, …"
    )
    assert words() == "not a known event type"
