"""`vmon sessions` from end to end; whole trees stand among the goldens of test_timeline.py."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import sample_room
from tests.support.factories import make_entry, make_line
from vmon.capture.codec import write_line
from vmon.commands import sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.processes import Flow, Start

Run = Callable[..., tuple[int, str, str]]
SEED = [str(path) for path in sorted((Path(__file__).parents[1] / "data" / "seed").glob("*.json"))]


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.jsonl"
    path.write_bytes(sample_room.capture(3))
    return path


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Make a capture of 50 sessions that are open."""
    made = [
        make_entry(
            b'{"event":"sessionCreated","sessionId":"2_S%03d","timestamp":%d}' % (number, at)
        )
        for number in range(50)
        for at in [sample_room.BEGIN_MS + number]
    ]
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(map(write_line, made)))
    return path


def names(out: str) -> list[str]:
    return re.findall(r"^[●○] (\S+)", out, re.MULTILINE)


def as_json(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


# Once.


def test_the_order_of_events_and_duplicates_change_nothing_shown(
    vmon_run: Run, three: Path, tmp_path: Path
) -> None:
    lines = three.read_bytes().splitlines(keepends=True)
    turned = tmp_path / "turned.jsonl"
    turned.write_bytes(b"".join(reversed(lines)))
    assert vmon_run("sessions", turned) == vmon_run("sessions", three)


def test_what_is_open_goes_on_until_the_end_of_the_capture(vmon_run: Run, three: Path) -> None:
    code, out, err = vmon_run("sessions", "--until", "2025-11-24T16:01:00Z", three)
    assert (code, err) == (0, "1 session, 1 open, as of 2025-11-24 16:00:23\n")
    assert names(out) == ["cVdXZX"]
    assert out.startswith("● cVdXZX  2025-11-24 16:00  open for 23.2 s  3 connections, 4 streams")


def test_while_the_capture_is_written_open_sessions_last_until_now(
    vmon_run: Run, many: Path
) -> None:
    with many.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _, out, _ = vmon_run("sessions", "--limit", "1", many)
    assert re.search(r"open for \d+ d", out)


def test_at_an_instant_it_is_as_it_was(vmon_run: Run, three: Path) -> None:
    code, out, err = vmon_run("sessions", "--at", "2025-11-24T16:00:10Z", three)
    assert (code, err) == (0, "1 session, 1 open, as of 2025-11-24 16:00:10\n")
    assert out == (
        "● cVdXZX  2025-11-24 16:00  open for 10.0 s  1 connection, 1 stream\n"
        "└─ ● Ann  8.0 s  00000000\n"
        "   └─ ● camera  5.0 s  00000000\n"
    )


def test_a_time_of_day_is_that_of_the_captures_last_day(vmon_run: Run, three: Path) -> None:
    assert vmon_run("sessions", "--at", "16:00:10", three) == vmon_run(
        "sessions", "--at", "2025-11-24T16:00:10Z", three
    )


def test_before_all_there_is_no_session_and_it_is_exit_1(vmon_run: Run, three: Path) -> None:
    code, out, err = vmon_run("sessions", "--at", "2020-01-01", three)
    assert (code, out) == (1, "")
    said = f"error: no sessions before 2020-01-01 00:00:00 found in {three}\n"
    assert err.startswith(said)


def test_what_is_no_instant_is_wrong_use_before_anything_is_read(vmon_run: Run) -> None:
    code, out, err = vmon_run("sessions", "--at", "soon", "no-such-file")
    assert (code, out) == (2, "")
    assert "'soon'" in err


@pytest.mark.parametrize("text", [b"", b"\x00\xff\nno\n", b"{}\n"])
def test_without_a_session_it_is_exit_1(text: bytes, vmon_run: Run, tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(text)
    code, out, err = vmon_run("sessions", tmp_path / "none")
    assert (code, out) == (1, "")
    assert f"error: no sessions found in {tmp_path}/none\n" in err
    assert "Traceback" not in err


def test_in_a_pipe_all_sessions_are_shown_and_a_limit_is_reported(
    vmon_run: Run, many: Path
) -> None:
    _, out, err = vmon_run("sessions", many)
    assert len(names(out)) == 50
    _, out, err = vmon_run("sessions", "--limit", "2", many)
    assert names(out) == ["2_S049", "2_S048"]
    assert err.startswith("50 sessions, 50 open, 2 shown (--limit 0 shows all)")


def test_names_are_taken_from_the_given_field(vmon_run: Run, three: Path) -> None:
    _, out, _ = vmon_run("sessions", "--name-from", "data.nickname", three)
    assert "Ann" not in out
    assert re.search(r"├─ ○ [a-z]+-[a-z]+  ", out)


def test_json_is_a_session_a_line_and_complete(vmon_run: Run, three: Path) -> None:
    _, out, _ = vmon_run("sessions", "--format", "json", three)
    (one,) = as_json(out)
    assert (one["session"], one["handle"], one["open"]) == (sample_room.SESSION, "cVdXZX", False)
    assert (one["events"], one["duplicates"]) == (20, 1)
    assert [person["called"] for person in one["people"]] == ["Ann", "Bob", "Çelik Öztürk-Müller"]
    bob = one["people"][1]
    assert (bob["reason"], bob["began_at"]) == (
        "networkDisconnected",
        "2025-11-24T16:00:11.000000Z",
    )
    assert [(stream["video_type"], stream["reason"]) for stream in bob["streams"]] == [
        ("screen", "mediaStopped"),
        ("camera", "clientDisconnected"),
    ]
    assert bob["calls"][0]["state"] == "ACTIVE"
    (archive,) = one["archives"]
    assert (archive["status"], archive["reason"], archive["ended_at"]) == (
        "failed", "failure", "2025-11-24T16:06:40.000000Z",
    )  # fmt: skip # beside what is asked
    assert one["streams"] == one["calls"] == one["broadcasts"] == []


def test_json_of_an_instant_does_not_count_what_it_cannot(vmon_run: Run, three: Path) -> None:
    _, out, _ = vmon_run("sessions", "--format", "json", "--at", "16:00:10", three)
    assert as_json(out)[0]["events"] is None


def test_the_list_imports_no_server(imports_of: Callable[..., set[str]]) -> None:
    assert not imports_of("sessions", *SEED) & {"aiohttp", "pyngrok", "asyncio"}


# On a terminal.


@pytest.fixture
def on_terminal(start: Start, flow_of: Callable[[int], Flow]) -> Iterator[Callable[..., Any]]:
    """Start `vmon` with a terminal as its standard output: the program, and what is on it."""
    opened: list[int] = []

    def starting(*args: str | Path, columns: int = 80, rows: int = 24) -> tuple[Any, Flow]:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        one = start(*args, out=theirs)
        os.close(theirs)
        opened.append(ours)
        return one, flow_of(ours)

    yield starting
    for one in opened:
        with contextlib.suppress(OSError):
            os.close(one)


def test_many_sessions_do_not_flood_a_terminal(on_terminal: Callable[..., Any], many: Path) -> None:
    one, flow = on_terminal("sessions", many)
    assert one.ended() == 0
    assert len(re.findall("●", flow.all().decode())) == 20
    assert b"20 shown (--limit 0 shows all)" in one.err.all()


def test_of_many_who_left_few_have_a_line_on_a_terminal(
    on_terminal: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "sixty.jsonl"
    path.write_bytes(sample_room.capture(60))
    one, flow = on_terminal("sessions", path, columns=120)
    assert one.ended() == 0
    assert "… 28 more who left" in flow.all().decode()
    one, flow = on_terminal("sessions", "--session", "cVdXZX", path, columns=120)
    assert one.ended() == 0
    assert "more who left" not in flow.all().decode()


def test_watch_refreshes_in_place_until_ctrl_c(on_terminal: Callable[..., Any], many: Path) -> None:
    one, flow = on_terminal("sessions", "--watch", "--limit", "1", many)
    flow.until(b"50 sessions, 50 open")
    with many.open("ab") as file:
        file.write(make_line(b'{"event":"sessionCreated","sessionId":"2_NEW"}'))
        file.write(b"garbage\n")
    flow.until(b"51 sessions, 51 open")
    one.signal(signal.SIGINT)
    assert one.ended() == 130
    assert flow.all().endswith(b"\x1b[?25h")  # the cursor is back
    assert b"Traceback" not in one.err.all()


def test_a_watch_that_is_ended_gives_the_cursor_back(
    on_terminal: Callable[..., Any], many: Path
) -> None:
    one, flow = on_terminal("sessions", "--watch", many)
    flow.until(b"50 sessions")
    one.signal(signal.SIGTERM)
    assert one.ended() == 143
    assert flow.all().endswith(b"\x1b[?25h")


def test_a_watch_needs_a_terminal_and_one_capture(vmon_run: Run, many: Path) -> None:
    code, out, err = vmon_run("sessions", "--watch", many)
    assert (code, out) == (2, "")
    assert err.startswith("error: --watch needs a terminal")
    assert "hint: " in err
    assert vmon_run("sessions", "--watch", "--at", "now", many)[0] == 2


def test_a_watch_of_a_file_that_is_not_there_says_so(on_terminal: Callable[..., Any]) -> None:
    one, _ = on_terminal("sessions", "--watch", "no-such-file")
    assert one.ended() == 2
    assert one.err.all().startswith(b"error: cannot read no-such-file")


def test_as_many_trees_are_shown_as_fit() -> None:
    trees = [["a", "b"], ["c", "d"], ["e"]]
    assert sessions.fitting(trees, 9) == (["a", "b", "c", "d", "e"], 0)
    assert sessions.fitting(trees, 4) == (["a", "b", "c", "d"], 1)
    assert sessions.fitting(trees, 3) == (["a", "b"], 2)
    assert sessions.fitting([["a", "b", "c", "d"]], 3) == (["a", "b", "… 2 more lines"], 0)


# Whatever comes.


@pytest.mark.parametrize(
    "args",
    [
        ("sessions",),
        ("sessions", "--format", "json"),
        ("sessions", "--at", "2016-08-03T21:00Z"),
        ("timeline", "--session", "kxOH45"),
        ("timeline", "--session", "kxOH45", "--svg", "-"),
    ],
)
def test_every_body_there_is_can_be_looked_at(
    args: tuple[str, ...],
    vmon_run: Run,
    tmp_path: Path,
    bodies: dict[str, bytes],
) -> None:
    path = tmp_path / "all.jsonl"
    path.write_bytes(b"".join(make_line(body) for body in bodies.values()))
    code, out, err = vmon_run(*args, path)
    assert code == 0
    assert out
    assert "Traceback" not in err
