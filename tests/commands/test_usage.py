import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.busy_day import Day
from tests.support.usage_events import MIN, T, connected, connection, session_event, stream

Run = Callable[..., tuple[int, str, str]]


SEED = Path(__file__).parents[1] / "data" / "seed"


def test_the_four_sample_events_are_these_minutes(vmon_run: Run) -> None:
    code, out, err = vmon_run("usage", *sorted(SEED.glob("*.json")))
    assert (code, err) == (0, "")
    assert out == (
        "session  connections  streams  connected  participant  published\n"
        "kxOH45             1        1       20.1          0.9        0.9\n"
        "total              1        1       20.1          0.9        0.9\n"
        "minutes from 2016-08-03 20:54:48Z to 2016-08-03 21:14:56Z; "
        "anything older counts from createdAt\n"
    )


@pytest.fixture
def story(tmp_path: Path) -> Path:
    said = [
        connection("aaaaaaaa-1", "connectionCreated", T, T, data='{"name":"Ann"}'),
        stream("11111111-1", "aaaaaaaa-1", "streamCreated", T + 5 * MIN, T + 5 * MIN),
        *connected("bbbbbbbb-2", T + 10 * MIN, T + 30 * MIN, data='{"name":"Bob \\u001b[31m"}'),
        connection("cccccccc-3", "connectionDestroyed", T + 25 * MIN, T - 12 * MIN),
        connection("aaaaaaaa-1", "connectionDestroyed", T + 40 * MIN, T),
        connection("dddddddd-4", "connectionCreated", T + 50 * MIN, T + 50 * MIN),
        session_event("sessionDestroyed", T + 60 * MIN),
    ]
    path = tmp_path / "story.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in (*said, said[0])))
    return path


def test_a_row_for_each_connection_and_every_span_that_is_not_plain(
    vmon_run: Run, story: Path
) -> None:
    code, out, err = vmon_run("usage", "--by", "connection", story)
    assert (code, err) == (0, "")
    assert out.startswith(
        "connection                    connections  streams   connected  participant  published\n"
        "kxOH45 aaaaaaaa Ann                     1        1        40.0     0.0–35.0   0.0–35.0\n"
        "kxOH45 cccccccc lofty-spruce            1        0        37.0     0.0–20.0        0.0\n"
        "kxOH45 bbbbbbbb Bob ␛[31m               1        0        20.0     0.0–20.0        0.0\n"
        "kxOH45 dddddddd cosmic-elm              1        0    0.0–10.0          0.0        0.0\n"
        "total                                   4        1  97.0–107.0     0.0–75.0   0.0–35.0\n"
    )
    assert "1 duplicate ignored\n" in out
    assert (
        "  2016-08-03 21:05:00Z  kxOH45  stream 11111111 of Ann  +35.0 min  "
        "open: last seen 21:05:00Z, at most until the end of its connection\n"
    ) in out
    assert "\x1b" not in out


def test_csv_has_a_row_for_each_and_the_bounds(vmon_run: Run, story: Path, tmp_path: Path) -> None:
    code, out, _ = vmon_run("usage", "--csv", "-", "--by", "connection", story)
    rows = list(csv.DictReader(out.splitlines()))
    assert (code, len(rows)) == (0, 4)
    assert (rows[0]["name"], rows[0]["published_high_min"]) == ("Ann", "35.00000")
    kept = tmp_path / "kept.csv"
    assert vmon_run("usage", "--csv", kept, "--format", "json", story)[0] == 0
    assert kept.read_text().startswith("session,connection,name,day,")
    assert vmon_run("usage", "--csv", tmp_path, story)[0] == 2
    assert vmon_run("usage", "--csv", "-", "--format", "json", story)[0] == 2


def test_csv_says_what_utf_8_cannot_and_acts_on_no_terminal(
    vmon_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "odd.jsonl"
    who = {"id": "c", "createdAt": 1_700_000_000_000, "data": '{"name":"\x1b[31m\ud800"}'}
    said = {"sessionId": "S", "event": "connectionCreated", "timestamp": 1_700_000_000_000}
    path.write_text(json.dumps(said | {"connection": who}) + "\n")
    asked = ("usage", "--csv", "-", "--by", "connection", path)
    assert vmon_run(*asked)[0] == 0
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = vmon_run(*asked)[1]
    assert "\x1b" not in out


def test_json_is_one_document_in_ms(vmon_run: Run, story: Path) -> None:
    said = json.loads(vmon_run("usage", "--format", "json", story)[1])
    assert said["total"]["connected_ms"] == {"low": 97 * MIN, "high": 107 * MIN}
    assert (said["duplicates"], said["by"], len(said["rows"])) == (1, "session", 1)
    assert {one["why"] for one in said["explained"]} == {"open", "unannounced"}


def test_deliveries_outside_the_filter_count_for_the_end_of_the_capture(
    vmon_run: Run, story: Path, tmp_path: Path
) -> None:
    other = session_event("sessionCreated", T + 55 * MIN) | {"sessionId": "2_other"}
    path = tmp_path / "two.jsonl"
    path.write_text(story.read_text().rpartition('{"sessionId')[0] + json.dumps(other) + "\n")
    chosen = ("--event", "!session*", "--format", "json")
    said = json.loads(vmon_run("usage", *chosen, path)[1])
    assert said["total"]["connected_ms"]["high"] == 107 * MIN


def test_a_torn_line_is_reported_and_the_rest_counts(vmon_run: Run, tmp_path: Path) -> None:
    lines = list(Day(2, 60).lines())
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"".join([*lines[:9], lines[9][:99] + b"\n", *lines[9:]]))
    code, out, err = vmon_run("usage", path)
    assert (code, err.count(": skipped: ")) == (0, 1)
    assert out.startswith("session")


def test_without_minutes_it_is_exit_1(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    code, out, err = vmon_run("usage", path)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no minutes found in {path}\nhint: ")


def test_usage_imports_nothing_of_servers(imports_of: Callable[..., set[str]], story: Path) -> None:
    assert not imports_of("usage", str(story)) & {"aiohttp", "pyngrok", "asyncio"}
