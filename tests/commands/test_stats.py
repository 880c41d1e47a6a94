import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.busy_day import Day
from tests.support.factories import make_entry, make_line
from vmon.capture.codec import write_line
from vmon.events.catalogue import TYPES

Run = Callable[..., tuple[int, str, str]]


S = "2_MX4xMzExMjU3MX5-MTQ3MDI1NzY3OTkxOH45QXRr"


T = 1_470_258_000_000


def body(event: str, at: int, **more: Any) -> bytes:
    said = {"sessionId": S, "projectId": "13112571", "event": event, "timestamp": at} | more
    return json.dumps(said).encode()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    rest = [json.dumps(one.sample).encode() for one in TYPES.values()]
    entries = [
        make_entry(one, received_at=datetime(2016, 8, 3, 21, 15, n, 318_542, tzinfo=UTC))
        for n, one in enumerate([*rest, rest[0]])
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(write_line(one) for one in entries))
    return path


def test_the_figures_of_one_of_each_type_are_these(vmon_run: Run, capture: Path) -> None:
    code, out, err = vmon_run("stats", capture, "--event", "stream*,session*,archive")
    assert (code, err) == (0, "")
    assert out == GOLDEN


GOLDEN = """\
7 deliveries in 15.0 s, from 2016-08-03 21:15:00: 1 session, 1 connection, 1 stream
█
1 minute per bar; busiest minute: 21:15, with 7

                                         delivery lag            event delay
type                     count      p50    p95    max      p50    p95    max
sessionCreated               2    20min  20min  20min
sessionDestroyed             1     -56s   -56s   -56s
sessionNotification          1    16min  16min  16min
  serverRotation 1
streamCreated                1      45s    45s    45s      15s    15s    15s
streamDestroyed              1     9.4s   9.4s   9.4s
  clientDisconnected 1
archive                      1     4.9s   4.9s   4.9s
  user initiated 1
  available 1

peak       1 connection at once (2016-08-03 20:54:48); 1 stream at once (2016-08-03 21:14:05)
duplicates 1, of 1 delivery; 1 at Vonage's retry times; half within 15s of the first, the last \
after 15s
clock      1 delivery arrived before the event happened: this clock is behind Vonage's, so lags \
are too low
busiest    kxOH45 7
"""


def test_json_is_one_document(vmon_run: Run, capture: Path) -> None:
    said = json.loads(vmon_run("stats", "--format", "json", "--top", "1", capture)[1])
    assert (said["deliveries"], said["sessions"], said["duplicates"]["number"]) == (16, 1, 1)
    assert said["first_at"] == "2016-08-03T21:15:00.318000Z"
    assert said["per_minute"] == {"2016-08-03T21:15:00.000000Z": 16}
    assert said["types"]["streamCreated"]["platform_lag_ms"]["max"] == 15155
    assert said["busiest"] == [{"session": S, "deliveries": 16}]


def test_oddities_are_counted_by_code_on_request(vmon_run: Run, tmp_path: Path) -> None:
    day, path = Day(20, 800, odd=1.0), tmp_path / "day.jsonl"
    path.write_bytes(b"".join(day.lines()))
    plainly = json.loads(vmon_run("stats", "--format", "json", path)[1])
    said = json.loads(vmon_run("stats", "--oddities", "--format", "json", path)[1])
    assert plainly.pop("oddities") is None
    counted = said.pop("oddities")
    assert said == plainly
    assert {code for code, _ in day.truth.planted} <= set(counted)
    assert "oddities   " in vmon_run("stats", "--oddities", path)[1]


def test_torn_and_empty_lines_are_reported_and_the_rest_is_counted(
    vmon_run: Run, capture: Path, tmp_path: Path
) -> None:
    whole = capture.read_bytes()
    path = tmp_path / "torn.jsonl"
    path.write_bytes(whole[:200] + b"\n" + whole + whole[:99])
    code, out, err = vmon_run("stats", path)
    assert code == 0
    assert out.startswith("16 deliveries in 15.0 s, ")
    assert err.count(": skipped: ") == 2


def test_nothing_at_all_is_exit_1(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    code, out, err = vmon_run("stats", path)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no deliveries found in {path}\nhint: ")


def test_received_text_is_disarmed(vmon_run: Run, tmp_path: Path) -> None:
    odd = body("streamDestroyed", T, reason="\x1b]0;x\x07", stream={"id": "1"})
    path = tmp_path / "a.jsonl"
    path.write_bytes(make_line(odd))
    out = vmon_run("stats", path)[1]
    assert "\x1b" not in out
    assert "␛]0;x␇ 1" in out


def test_stats_imports_nothing_of_servers(
    imports_of: Callable[..., set[str]], capture: Path
) -> None:
    assert not imports_of("stats", str(capture)) & {"aiohttp", "pyngrok", "asyncio"}
