"""When things happened, alike in every command: events without a time, and late ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.factories import DATA, START, T, connection, make_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Run = Callable[..., tuple[int, str, str]]
NAMES = ("connectionCreated", "render", "streamCreated", "captions", "streamDestroyed")
BARE = [DATA / "opentok" / f"{name}.json" for name in (*NAMES, "connectionDestroyed")]


def archive(status: str, **more: Any) -> dict[str, Any]:
    """An archive as Vonage documents it: without `updatedAt`."""
    one = {"id": "a", "event": "archive", "sessionId": "S", "status": status, "createdAt": T}
    return one | more


def capture(path: Path, told: Sequence[tuple[float, dict[str, Any]]]) -> Path:
    """A capture of bodies, each with the seconds after T at which it was received."""
    path.write_bytes(b"".join(make_line(body, at, id=f"{at:012.3f}") for at, body in told))
    return path


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    """A session whose archive ran for half an hour; each delivery came at once."""
    return capture(
        tmp_path / "lesson.jsonl",
        [
            (0.2, connection("Created", 0)),
            (1.1, archive("started")),
            (1801.2, archive("stopped", duration=1800)),
            (1802.1, connection("Destroyed", 1802)),
            (2701.0, archive("available", duration=1800)),
        ],
    )


@pytest.mark.usefixtures("utc")
def test_an_archive_without_updated_at_is_never_late_and_as_long_as_it_was(
    vmon_run: Run, lesson: Path
) -> None:
    _, lines, _ = vmon_run("filter", "--format", "line", lesson)
    assert "late" not in lines
    _, lags, _ = vmon_run(
        "filter", "--event", "archive", "--fields", "lag", "--format", "csv", lesson
    )
    assert set(lags.split()) == {"lag", '""'}
    _, tree, _ = vmon_run("sessions", lesson)
    assert "○ archive  available  30 min 1 s  a" in tree
    _, chart, _ = vmon_run("timeline", lesson)
    assert "30 min 1 s" in chart
    assert "↩" not in chart
    _, figures, _ = vmon_run("stats", "--format", "json", lesson)
    assert json.loads(figures)["types"]["archive"]["delivery_lag_ms"] is None


def test_a_render_received_just_before_an_older_event_does_not_make_it_late(
    vmon_run: Run, tmp_path: Path
) -> None:
    render = {"id": "r", "sessionId": "S", "status": "started"}
    told = [(0.1, connection("Created", 0)), (5, render), (5.3, connection("Created", 2, "d"))]
    path = capture(tmp_path / "a.jsonl", told)
    assert "late" not in vmon_run("filter", "--format", "line", path)[1]
    assert "↩" not in vmon_run("timeline", path)[1]


def test_a_line_and_a_timeline_have_one_threshold_for_what_is_late(
    vmon_run: Run, tmp_path: Path
) -> None:
    told = [(3, connection("Created", 0.9)), (3.1, connection("Created", 0.4, "d"))]
    path = capture(tmp_path / "a.jsonl", told)
    for command in (("filter", "--format", "line"), ("timeline",)):
        assert "↩" not in vmon_run(*command, path)[1]
        assert "↩" in vmon_run(*command, "--late-after", "300ms", path)[1]
    told[1] = (3.1, connection("Created", -0.1, "d"))
    capture(path, told)
    for command in (("filter", "--format", "line"), ("timeline",)):
        assert "↩" in vmon_run(*command, path)[1]


# Bare bodies of which nobody knows when they were.


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    "command",
    [
        ("sessions",), ("sessions", "--format", "json"), ("timeline",), ("timeline", "--svg", "-"),
        ("filter", "--format", "line"), ("filter", "--fields", "received_at,type"), ("stats",),
        ("stats", "--format", "json"), ("usage",), ("oddities",), ("filter", "--format", "har"),
        ("filter", "--format", "curl"), ("verify", "--secret", "x" * 32, "--format", "json"),
    ],
)  # fmt: skip # a command a piece
def test_a_body_without_any_time_never_stands_in_1970(
    command: tuple[str, ...], vmon_run: Run
) -> None:
    for files in (BARE, BARE[1:2], [BARE[1], BARE[3]]):
        _, out, err = vmon_run(*command, *files)
        assert "1970" not in out + err
        assert "Traceback" not in err
        assert "17016 d" not in out


def test_sessions_draw_a_dash_and_a_timeline_no_bar_for_what_has_no_time(vmon_run: Run) -> None:
    _, tree, _ = vmon_run("sessions", *BARE)
    assert "├─ ● render  started  -  80abaf0d\n" in tree
    _, chart, _ = vmon_run("timeline", "--width", "80", *BARE)
    rows = {line.split()[0]: line for line in chart.splitlines()[1:] if line.strip()}
    assert rows["render"].rstrip().endswith(" -")
    assert not set("━╍╸╺▶") & set(rows["render"])
    assert rows["session"].count("━") > 30


def test_sessions_as_json_have_null_for_a_time_that_nobody_told(vmon_run: Run) -> None:
    _, out, _ = vmon_run("sessions", "--format", "json", *BARE)
    (render,) = json.loads(out)["renders"]
    assert (render["began_at"], render["ended_at"], render["begin_told"]) == (None, None, False)


@pytest.mark.parametrize("order", ["received", "event", "none"])
def test_bodies_without_a_time_keep_their_place_among_the_files(order: str, vmon_run: Run) -> None:
    _, out, _ = vmon_run("filter", "--sort", order, "--fields", "type,received_at", *BARE)
    rows = [line.split("\t") for line in out.splitlines()[1:]]
    assert [row[0] for row in rows] == [*NAMES, "connectionDestroyed"]
    assert [row[0] for row in rows if not row[1]] == ["render", "captions"]


def test_a_capture_of_bare_bodies_has_null_for_the_receipt_and_is_read_again(
    vmon_run: Run, tmp_path: Path
) -> None:
    _, lines, _ = vmon_run("filter", "--redact", "connection.data", "--format", "json", *BARE)
    times = [json.loads(line)["received_at"] for line in lines.splitlines()]
    assert times[1] is times[3] is None
    again = tmp_path / "again.jsonl"
    again.write_text(lines)
    assert vmon_run("sessions", again)[1].count(" -  ") == 2
    assert vmon_run("stats", again)[1].startswith("6 deliveries in 20 min 9 s")
    assert vmon_run("filter", "--count", "--where", "received_at == null", again)[1] == "2\n"


def test_replaying_bodies_without_a_time_makes_no_pause_of_decades(
    vmon_run: Run, tmp_path: Path
) -> None:
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text("\n".join(json.dumps(json.loads(one.read_text())) for one in BARE))
    _, out, _ = vmon_run("replay", "--dry-run", bodies)
    estimate = json.loads(out)
    assert estimate["span_s"] == pytest.approx(1208.656)
    assert (estimate["pauses_cut"], estimate["out_of_order"]) == (2, 0)


def test_a_bare_archive_without_updated_at_stands_where_it_can_have_ended(
    vmon_run: Run, tmp_path: Path
) -> None:
    body = tmp_path / "stopped.json"
    body.write_text(json.dumps(archive("stopped", duration=1800)))
    _, out, _ = vmon_run("sessions", "--format", "json", body)
    (one,) = json.loads(out)["archives"]
    lasted = datetime.fromisoformat(one["ended_at"]) - datetime.fromisoformat(one["began_at"])
    assert datetime.fromisoformat(one["began_at"]) == START
    assert lasted == timedelta(minutes=30)


def test_a_creation_32_years_after_its_own_event_is_odd_and_gives_no_lag(
    vmon_run: Run, tmp_path: Path
) -> None:
    later = {"createdAt": T + 32 * 365 * 86_400_000}
    told = [
        (0.2, connection("Created", 0, connection=later)),
        (60, connection("Destroyed", 60, connection=later)),
    ]
    path = capture(tmp_path / "a.jsonl", told)
    _, out, _ = vmon_run("oddities", "--format", "json", path)
    assert "created-after-event" in [json.loads(line)["code"] for line in out.splitlines()]
    _, figures, _ = vmon_run("stats", "--format", "json", path)
    assert json.loads(figures)["types"]["connectionCreated"]["platform_lag_ms"] is None
    assert "1 min" in vmon_run("sessions", path)[1]
    assert "1.0" in vmon_run("usage", path)[1]
