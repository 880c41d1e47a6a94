from __future__ import annotations

import json

from vmon.render.reports.sessions_json import as_json
from vmon.sessions.model import (
    BEGUN,
    ENDED,
    Call,
    ConnectionState,
    OutputState,
    Session,
    StreamState,
)
from vmon.sessions.snapshot import snapshot

NOON, MIN = 1_764_072_000_000, 60_000


def session() -> Session:
    ann = ConnectionState("c1-aaaaaaaa", BEGUN | ENDED, NOON, NOON + MIN, "forced", "Ann\x1b")
    camera = StreamState("s1", BEGUN, NOON, connection="c1-aaaaaaaa", video_type="camera")
    lost = StreamState("s2", BEGUN, NOON + MIN, connection="c9")
    output = OutputState("a1", "archive", BEGUN, NOON, NOON + MIN, None, "x", 60.0, 7, tag="left")
    output.statuses = {"started": NOON, "uploaded": NOON + MIN}
    return Session(
        "2_A",
        created_ms={NOON},
        first_ms=NOON,
        last_ms=NOON + 5 * MIN,
        events=12,
        duplicates=2,
        people={ann.id: ann},
        streams={camera.id: camera, lost.id: lost},
        calls={"k": Call("k", BEGUN, NOON, connection="c1-aaaaaaaa", states={"RINGING": NOON})},
        outputs={("archive", "a1"): output},
    )


def test_a_session_is_one_line_with_all_that_is_known() -> None:
    line = as_json(snapshot(session()))
    assert "\n" not in line
    document = json.loads(line)
    (person,) = document["people"]
    assert (document["session"], document["events"], document["duplicates"]) == ("2_A", 12, 2)
    assert (person["connection"], person["name"], person["reason"]) == (
        "c1-aaaaaaaa", "Ann\x1b", "forced",
    )  # fmt: skip # a pair of triples
    assert [stream["id"] for stream in person["streams"]] == ["s1"]
    assert [stream["id"] for stream in document["streams"]] == ["s2"]
    assert [call["state"] for call in person["calls"]] == ["RINGING"]
    (archive,) = document["archives"]
    assert (archive["status"], archive["duration_s"], archive["size"]) == ("uploaded", 60.0, 7)
    assert archive["tag"] == "left"
    assert (document["broadcasts"], document["captions"]) == ([], [])


def test_an_end_that_was_worked_out_is_marked() -> None:
    (person,) = json.loads(as_json(snapshot(session())))["people"]
    (stream,) = person["streams"]
    assert (person["begin_told"], person["end_told"]) == (True, True)
    assert (stream["ended_at"], stream["end_told"]) == ("2025-11-25T12:01:00.000000Z", False)


def test_what_is_open_has_no_end_and_as_of_an_instant_nothing_is_counted() -> None:
    document = json.loads(as_json(snapshot(session()), counted=False))
    (stream,) = document["streams"]
    assert (document["open"], stream["ended_at"]) == (True, None)
    assert (document["events"], document["duplicates"]) == (None, None)
