"""`vmon oddities` as its users meet it, and the survey of a whole capture."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import make_entry
from vmon.analysis.oddities.codes import CODES
from vmon.capture.codec import write_line
from vmon.events.catalogue import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.processes import Start
    from vmon.events.entry import Entry

    Run = Callable[..., tuple[int, str, str]]

T0 = 1_470_257_700_000
S, OTHER = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr", "2_another-session-of-theirs"
ANN = "c053fcc8-c681-41d5-8ec2-7a9e1434a21e"


def said(event: str, at: float, session: str = S, **more: Any) -> dict[str, Any]:
    stamp = T0 + round(at * 1000)
    head = {"sessionId": session, "projectId": "13112571", "event": event, "timestamp": stamp}
    return head | more


def connection(data: str = "") -> dict[str, Any]:
    return {"id": ANN, "createdAt": T0 + 1000, "data": data}


def stream(identifier: str, at: float) -> dict[str, Any]:
    told = {"id": identifier, "connection": connection(), "createdAt": T0 + round(at * 1000)}
    return told | {"name": "desk", "videoType": "camera"}


OLD = stream("old", -5000) | {"connection": {"id": "zoe", "createdAt": T0 - 6_000_000}}
STORY = [
    said("sessionCreated", 0, region="eu"),
    said("connectionCreated", 1.2, connection=connection('{"name":"Ann"}')),
    said("streamCreated", 7.3, stream=stream("5d2451b8-1", 7)),
    said("streamCreated", 9.3, stream=stream("63245362-2", 9)),
    said("streamDestroyed", 40, stream=stream("5d2451b8-1", 7), reason="bored"),
    said("connectionDestroyed", 60, connection=connection(), reason="clientDisconnected"),
    TYPES["archive"].sample
    | {"status": "failed", "reason": "failure", "createdAt": T0 + 5000, "updatedAt": T0 + 65_000},
    said("sessionDestroyed", 120),
    said("sessionCreated", 600, session=OTHER),
    said("streamDestroyed", 610, session=OTHER, stream=OLD, reason="mediaStopped"),
]


def entry(body: dict[str, Any]) -> Entry:
    at = body.get("timestamp") or body["updatedAt"]
    received_at = datetime.fromtimestamp(at / 1000, UTC) + timedelta(seconds=0.2)
    return make_entry(body, id="1-2", received_at=received_at, headers=(), remote="1.2.3.4:5")


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(write_line(entry(body)) for body in STORY))
    return path


PIPED = """\
2016-08-03 20:55:00  info     unknown-field               kxOH45  sessionCreated: unknown field \
"region"
2016-08-03 20:55:09  warning  two-cameras                 kxOH45  connection c053fcc8 (Ann) \
published 2 cameras at once: stream 5d2451b8, stream 63245362
2016-08-03 20:55:40  warning  unknown-reason              kxOH45  streamDestroyed: unknown reason \
"bored"
2016-08-03 20:56:00  warning  stream-outlives-connection  kxOH45  stream 63245362 (desk) is still \
published, but connection c053fcc8 (Ann) is gone
2016-08-03 20:56:05  error    failed                      kxOH45  archive 832641bf (Ann's lesson) \
failed: failure
2016-08-03 21:05:10  info     destroyed-without-created   -of-th  stream old (desk) was \
destroyed, but no streamCreated was received; it started before the capture
2016-08-03 21:05:10  info     unknown-connection          -of-th  no connectionCreated was \
received for connection zoe (robust-maple), the publisher of stream old (desk); \
it started before the capture
"""
SUMMARY = "7 oddities in 10 deliveries from 2 sessions: 1 error, 3 warnings, 3 info\n"


def test_into_a_pipe_goes_a_line_for_each_and_the_sum_to_standard_error(
    capture: Path, vmon_run: Run
) -> None:
    assert vmon_run("oddities", capture) == (0, PIPED, SUMMARY)


@pytest.mark.parametrize(
    ("args", "exit_code"),
    [
        ((), 0),
        (("--fail-on", "error"), 1),
        (("--fail-on", "warning"), 1),
        (("--fail-on", "error", "--session", OTHER), 0),
        (("--fail-on", "warning", "--session", OTHER), 0),
        (("--fail-on", "info", "--session", OTHER), 1),
        (("--fail-on", "info", "--min-severity", "error", "--session", OTHER), 1),
    ],
)
def test_the_exit_code_is_1_when_something_is_as_severe_as_that(
    args: tuple[str, ...], exit_code: int, capture: Path, vmon_run: Run
) -> None:
    assert vmon_run("oddities", *args, capture)[0] == exit_code


def test_least_hides_what_is_less_and_the_sum_counts_it(capture: Path, vmon_run: Run) -> None:
    code, out, err = vmon_run("oddities", "--min-severity", "error", capture)
    assert (code, err) == (0, SUMMARY)
    assert out == PIPED.splitlines(keepends=True)[4]


def test_json_is_a_line_for_each_with_ids_to_go_on_with(capture: Path, vmon_run: Run) -> None:
    code, out, _ = vmon_run("oddities", "--format", "json", "--fail-on", "error", capture)
    assert code == 1
    rows = [json.loads(line) for line in out.splitlines()]
    assert rows[3] == {
        "at": "2016-08-03T20:56:00.000000Z",
        "severity": "warning",
        "code": "stream-outlives-connection",
        "session": S,
        "ids": ["63245362-2", ANN],
        "said": "stream 63245362 (desk) is still published, but connection c053fcc8 (Ann) is gone",
        "missing": "streamDestroyed",
    }
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)


def test_no_oddities_are_reported_in_a_sentence(tmp_path: Path, vmon_run: Run) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"event":"sessionCreated","sessionId":"2_A","timestamp":1700000000000}\n')
    said_of_none = "no oddities in 1 delivery from 1 session\n"
    assert vmon_run("oddities", "--fail-on", "warning", path) == (0, "", said_of_none)


def test_where_there_is_no_delivery_a_check_has_not_passed(tmp_path: Path, vmon_run: Run) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    code, out, err = vmon_run("oddities", "--fail-on", "info", empty)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no deliveries found in {empty}\n")


def test_a_torn_capture_is_reported_and_read_to_its_end(capture: Path, vmon_run: Run) -> None:
    capture.write_bytes(b"rubbish\n" + capture.read_bytes() + b'{"vmon":1,"type":"arch')
    code, out, err = vmon_run("oddities", capture)
    assert code == 0
    assert out == PIPED
    *warnings, last = err.splitlines(keepends=True)
    assert last == SUMMARY
    assert len(warnings) == 2
    assert all(line.startswith("warning: ") for line in warnings)


def test_a_reader_that_goes_away_ends_it_quietly(capture: Path, start: Start) -> None:
    import os

    read, write = os.pipe()
    os.close(read)
    program = start("oddities", capture, out=write)
    os.close(write)
    assert program.ended() == 0
    assert program.err.all() in {b"", SUMMARY.encode()}


def test_explain_shows_a_code_in_full_and_list_shows_all_codes(vmon_run: Run) -> None:
    code, out, err = vmon_run("oddities", "--explain", "Ghost")
    assert (code, err) == (0, "")
    ghost = CODES["ghost"]
    assert out.splitlines() == [
        "ghost  warning", ghost.meaning,
        "", "Likely cause", f"  {ghost.cause}",
        "", "What to do", f"  {ghost.remedy}",
    ]  # fmt: skip # as it is laid out
    code, out, err = vmon_run("oddities", "--list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(CODES)
    code, out, err = vmon_run("oddities", "--list", "--format", "json")
    assert [json.loads(line)["code"] for line in out.splitlines()] == list(CODES)


def test_an_unknown_code_gets_a_suggestion(vmon_run: Run) -> None:
    said_of_it = "error: unknown code 'gost'\nhint: did you mean ghost?\n"
    assert vmon_run("oddities", "--explain", "gost") == (2, "", said_of_it)
    code, _, err = vmon_run("oddities", "--explain", "zzzz")
    assert code == 2
    assert err.endswith("hint: run vmon oddities --list for all codes\n")


def test_ghosts_are_after_as_long_as_you_say(tmp_path: Path, vmon_run: Run) -> None:
    path = tmp_path / "a.jsonl"
    story = [STORY[1], said("sessionCreated", 3700, session=OTHER)]
    path.write_text("".join(json.dumps(body) + "\n" for body in story))
    assert vmon_run("oddities", path)[1] == ""
    _, out, _ = vmon_run("oddities", "--ghost-after", "1h", path)
    assert "  ghost  " in out
    assert out.endswith("has been open for 1 h 1 min, no connectionDestroyed received\n")


# The survey itself.
