import asyncio
import json
import os
import pty
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.certificates import server_context
from tests.support.factories import make_line
from vmon.commands import replay
from vmon.commands.replay import Options
from vmon.render.formats.entries import Form
from vmon.replay import tally
from vmon.replay.schedule import PlaybackSpeed
from vmon.security.access import secret_path

if TYPE_CHECKING:
    from tests.support.app_server import App, FlaskApp
    from tests.support.processes import Flow, Start

START = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
Run = Callable[..., tuple[int, str, str]]
Apps = Callable[..., Awaitable["App"]]


def a_line(number: int, at_s: float = 0.0, session: str = "2_A", path: str = "/hook?a=1") -> bytes:
    body = json.dumps({"event": "streamCreated", "sessionId": session, "n": number}).encode()
    at = START + timedelta(seconds=at_s)
    headers = (("Host", "here"), ("X-Number", str(number)))
    return make_line(
        body, id=f"{number:03}", received_at=at, path=path, headers=headers, remote=None
    )


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Make a capture of six deliveries: two sessions, a long pause, one out of order."""
    path = tmp_path / "a.jsonl"
    moments = [0, 0.25, 0.75, 3600.75, 3600.5, 3601.75]
    path.write_bytes(
        b"".join(a_line(n, at, "2_A" if n % 2 else "2_B") for n, at in enumerate(moments))
    )
    return path


# On screen.


def test_in_a_pipe_lines_are_printed_unchanged(vmon_run: Run, capture: Path) -> None:
    code, out, err = vmon_run("replay", "--speed", "max", capture)
    assert (code, out) == (0, capture.read_text())
    assert err.startswith("6 deliveries in ")


class Clock:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, wait: float) -> None:
        self.slept.append(wait)
        self.now += wait


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep))
    monkeypatch.setattr(tally, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


@pytest.mark.parametrize(
    ("speed", "slept"),
    [
        (PlaybackSpeed(), [0.25, 0.5, 2.0, 1.0]),
        (PlaybackSpeed(max_gap_s=10), [0.25, 0.5, 10.0, 1.0]),
        (PlaybackSpeed(max_gap_s=10_000), [0.25, 0.5, 3600.0, 1.0]),
        (PlaybackSpeed(speed=10, max_gap_s=10), [0.025, 0.05, 1.0, 0.1]),
        (PlaybackSpeed(speed=0.5), [0.5, 1.0, 4.0, 2.0]),
        (PlaybackSpeed(speed=float("inf")), []),
    ],
)
def test_it_takes_its_original_time_changed_by_speed_and_max_gap(
    clock: Clock,
    capture: Path,
    speed: PlaybackSpeed,
    slept: list[float],
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert replay.run(Options(source=str(capture), speed=speed, form=Form("json"))) == 0
    assert clock.slept == pytest.approx(slept)
    out, err = capfdbinary.readouterr()
    assert out == capture.read_bytes()
    assert err.startswith(b"6 deliveries in ")


def test_a_shortened_pause_is_reported(
    clock: Clock, capture: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert replay.run(Options(source=str(capture), form=Form("json"))) == 0
    assert sum(clock.slept) == pytest.approx(3.75)
    assert capfdbinary.readouterr().err == b"6 deliveries in 3.8 s, 1 pause shortened to 2.0 s\n"


def an_event(number: int, at_s: float, said_s: float, event: str, data: str = "") -> bytes:
    """A line received at one time that tells another."""
    connection = {"id": "c1", "data": data}
    said = {"event": event, "sessionId": "2_A", "connection": connection}
    timestamp = int((START + timedelta(seconds=said_s)).timestamp() * 1000)
    body = json.dumps({**said, "timestamp": timestamp}).encode()
    at = START + timedelta(seconds=at_s)
    return make_line(body, id=f"{number:03}", received_at=at, headers=(), remote="there:1")


def test_it_can_be_replayed_by_event_time(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    told = [(1, 0, 20.0), (2, 1, 10.5), (3, 2, 10.0)]
    lines = [an_event(n, at, said, "connectionCreated") for n, at, said in told]
    path.write_bytes(b"".join(lines))
    code, out, _ = vmon_run("replay", "--speed", "max", "--sort", "event", path)
    assert (code, out) == (0, b"".join(reversed(lines)).decode())
    asked = ("replay", "--dry-run", "--max-gap", "1h", path)
    assert json.loads(vmon_run(*asked)[1])["span_s"] == 2
    by_event = json.loads(vmon_run(*asked, "--sort", "event")[1])
    assert (by_event["span_s"], by_event["out_of_order"]) == (10, 0)


def test_people_keep_the_name_they_came_with(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    data = '{"user":{"nick":"Bo"},"name":"Ann"}'
    came = an_event(1, 0, 0, "connectionCreated", data)
    path.write_bytes(came + an_event(2, 9, 9, "connectionDestroyed"))
    for asked in (("filter", "--format", "line"), ("replay", "--speed", "max", "--format", "line")):
        _, out, _ = vmon_run(*asked, path)
        assert ["Ann" in line for line in out.splitlines()] == [True, True]
        _, out, _ = vmon_run(*asked, "--name-from", "user.nick", path)
        assert ["Bo" in line for line in out.splitlines()] == [True, True]
        _, out, _ = vmon_run(*asked, "--redact", "connection.data", path)
        assert "Ann" not in out
        assert out.count("\n") == 2


def test_filters_choose_what_is_played(vmon_run: Run, capture: Path) -> None:
    code, out, _ = vmon_run("replay", "--speed", "max", "--session", "2_A", capture)
    assert code == 0
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["001", "003", "005"]


def test_quiet_plays_without_a_word_on_stdout(vmon_run: Run, capture: Path) -> None:
    code, out, err = vmon_run("replay", "--speed", "max", "-q", capture)
    assert (code, out) == (0, "")
    assert err.startswith("6 deliveries in ")


def test_nothing_to_play_is_exit_1(vmon_run: Run, capture: Path) -> None:
    code, out, err = vmon_run("replay", "--event", "archive", capture)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: no deliveries found in {capture} (filter: archive)")


def test_a_dry_run_says_what_it_would_be(vmon_run: Run, capture: Path, tmp_path: Path) -> None:
    code, out, _ = vmon_run("replay", "--dry-run", "--format", "line", "--speed", "2", capture)
    assert (code, out) == (
        0,
        "6 deliveries over 1 h\nwould take 1.9 s, 1 pause shortened to 2.0 s\n1 out of order\n",
    )
    code, out, _ = vmon_run("replay", "--dry-run", capture)
    assert (code, json.loads(out)) == (
        0,
        {
            "deliveries": 6,
            "span_s": 3601.75,
            "takes_s": 3.75,
            "pauses_cut": 1,
            "out_of_order": 1,
        },
    )
    (tmp_path / "empty.jsonl").touch()
    code, out, _ = vmon_run("replay", "--dry-run", tmp_path / "empty.jsonl")
    assert (code, json.loads(out)["deliveries"]) == (1, 0)


def test_a_loop_goes_on_until_it_is_interrupted(start: "Start", capture: Path) -> None:
    run = start("replay", "--loop", "--speed", "max", capture)
    assert run.out
    run.out.match(rb'(?s)("id":"005".*){3}')
    run.signal(signal.SIGINT)
    code, out, err = run.result()
    assert code == 130
    assert out.startswith(capture.read_text() * 2)
    assert int(err.partition(" deliveries in ")[0].replace(",", "")) >= 18
    assert "Traceback" not in err


def test_a_loop_over_nothing_ends(vmon_run: Run, capture: Path) -> None:
    assert vmon_run("replay", "--loop", "--event", "archive", capture)[0] == 1


def test_a_loop_over_standard_input_is_refused(vmon_run: Run) -> None:
    assert vmon_run("replay", "--loop", "-") == (
        2,
        "",
        "error: --loop cannot be used with standard input\nhint: pass a file\n",
    )


@pytest.mark.parametrize("to_an_app", [False, True])
async def test_a_reader_that_has_seen_enough_ends_it_quietly(
    start: "Start", app: "App", tmp_path: Path, *, to_an_app: bool
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"".join(a_line(number) for number in range(3000)))
    ours, theirs = os.pipe()
    to = ("--to", app.url) if to_an_app else ()
    run = start("replay", "--speed", "max", *to, path, out=theirs)
    os.close(theirs)
    assert await asyncio.to_thread(os.read, ours, 1) == b"{"
    os.close(ours)
    code, _, err = await asyncio.to_thread(run.result)
    assert (code, err) == (0, "")
    assert len(app.requests) < 3000


# To an app.


async def test_an_app_gets_each_delivery_as_it_was(
    vmon_run: Run, app: "App", capture: Path
) -> None:
    code, out, err = await asyncio.to_thread(
        vmon_run, "replay", "--speed", "max", "--to", app.url + "/base", capture
    )
    assert code == 0
    assert {one.first for one in app.requests} == {"POST /base/hook?a=1 HTTP/1.1"}
    by_number = sorted(app.requests, key=lambda one: json.loads(one.body)["n"])
    stored = [a_line(number, session="2_A" if number % 2 else "2_B") for number in range(6)]
    assert all(
        line.endswith(b',"body":%b}\n' % one.body)
        for one, line in zip(by_number, stored, strict=True)
    )
    assert [dict(one.headers)["X-Number"] for one in by_number] == list("012345")
    assert [dict(one.headers)["Host"] for one in by_number] == [f"127.0.0.1:{app.port}"] * 6
    told = sorted(map(json.loads, out.splitlines()), key=lambda one: str(one["id"]))
    assert [(one["id"], one["status"], one["problem"]) for one in told] == [
        (f"{number:03}", 200, None) for number in range(6)
    ]
    assert err.splitlines()[1:] == ["        6  200"]


async def test_the_order_within_a_session_is_kept(
    vmon_run: Run, app: "App", tmp_path: Path
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(a_line(n, session=f"2_{n % 5}") for n in range(500)))
    code, _, _ = await asyncio.to_thread(
        vmon_run, "replay", "--speed", "max", "--concurrency", "8", "--to", app.url, path
    )
    assert code == 0
    bodies = [json.loads(one.body) for one in app.requests]
    assert len(bodies) == 500
    for number in range(5):
        order = [one["n"] for one in bodies if one["sessionId"] == f"2_{number}"]
        assert order == list(range(number, 500, 5))


async def test_an_exact_path_replaces_that_of_the_delivery(
    vmon_run: Run, app: "App", capture: Path
) -> None:
    args = ("replay", "--speed", "max", "--exact-path", "--to", app.url + "/only")
    assert (await asyncio.to_thread(vmon_run, *args, capture))[0] == 0
    assert {one.first for one in app.requests} == {"POST /only HTTP/1.1"}


async def test_an_app_behind_an_untrusted_certificate_is_reached_with_insecure(
    vmon_run: Run, apps: Apps, capture: Path, tmp_path: Path
) -> None:
    app = await apps(tls=server_context(tmp_path))
    args = ("replay", "--speed", "max", "--to", f"https://localhost:{app.port}", capture)
    code, _, err = await asyncio.to_thread(vmon_run, *args)
    assert (code, app.requests) == (1, [])
    assert err.count("(--insecure skips the check)") == 1
    assert (await asyncio.to_thread(vmon_run, *args, "--insecure"))[0] == 0
    assert len(app.requests) == 6


async def test_very_verbose_shows_what_the_app_answered_unless_it_is_redacted(
    vmon_run: Run, app: "App", capture: Path
) -> None:
    app.answer = b"HTTP/1.1 200 X\r\nX-Why: 1\r\nContent-Length: 5\r\n\r\ntaken"
    args = ("replay", "--speed", "max", "-vv", "--to", app.url, capture)
    _, out, _ = await asyncio.to_thread(vmon_run, *args, "--format", "line")
    assert out.count("      X-Why: 1\n      Content-Length: 5\n      │ taken\n") == 6
    _, out, _ = await asyncio.to_thread(vmon_run, *args, "--format", "json")
    assert [json.loads(line)["body"] for line in out.splitlines()] == ["taken"] * 6
    redacted = (*args, "--format", "line", "--redact", "stream.name")
    _, out, _ = await asyncio.to_thread(vmon_run, *redacted)
    assert (out.count("→ 200"), out.count("taken")) == (6, 0)


async def test_an_app_with_strict_slashes_takes_what_came_to_the_root(
    vmon_run: Run, flask_app: "FlaskApp", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "root.jsonl"
    secret = secret_path()
    paths = ("/", f"/{secret}", f"/{secret}/", "/?a=1")
    path.write_bytes(b"".join(a_line(number, path=one) for number, one in enumerate(paths)))
    args = ("replay", "--speed", "max", "--format", "line", path, "--to")
    code, out, _ = await asyncio.to_thread(vmon_run, *args, flask_app.url + "/hooks")
    assert (code, out.count("    → 200 in ")) == (0, 4)
    assert flask_app.taken == ["/hooks"] * 3 + ["/hooks?a=1"]
    code, out, _ = await asyncio.to_thread(vmon_run, *args, flask_app.url + "/slashed")
    slashed = flask_app.url + "/slashed"
    assert (code, out.count(f" (POST {slashed}): redirects to {slashed}/\n")) == (1, 3)


async def test_whatever_an_app_answers_the_replay_goes_on(
    vmon_run: Run, app: "App", tmp_path: Path
) -> None:
    odd = (
        b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 +%b\r\n\r\n" % (b"9" * 20),
        b"HTTP/1.1 503 X\r\nRetry-After: nan\r\n\r\n",
        b"HTTP/1.1 bad X\r\n\r\n",
        b"HTTP/1.1 307 X\r\nLocation: http://[\xff\x1b[31m\r\n\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nbad\r\n",
        app.answer,
    )
    app.answers = lambda request: odd[json.loads(request.body)["n"]]
    path = tmp_path / "odd.jsonl"
    path.write_bytes(b"".join(a_line(number) for number in range(len(odd))))
    for form in ("line", "json"):
        args = ("replay", "--speed", "max", "--format", form, "--to", app.url, path)
        code, out, err = await asyncio.to_thread(vmon_run, *args)
        assert (code, "Traceback" in err) == (1, False)
        assert err.startswith("6 deliveries in ")
        assert ("        2  503\n" in err, "        1  200\n" in err) == (True, True)
        assert "\x1b" not in out
    assert len(app.requests) == 2 * len(odd)


async def test_a_rejected_delivery_is_exit_1_and_reported(
    vmon_run: Run, app: "App", capture: Path
) -> None:
    app.answers = lambda request: (
        b"HTTP/1.1 500 X\r\nContent-Length: 4\r\n\r\nwhy?"
        if b'"n": 3' in request.body
        else app.answer
    )
    args = ("replay", "--speed", "max", "--format", "line", "--to", app.url)
    code, out, err = await asyncio.to_thread(vmon_run, *args, capture)
    assert code == 1
    assert out.count("\n    → 200 in ") == 5
    assert out.count("\n    → 500 in ") == 1
    assert ": why?\n" in out
    assert err.splitlines()[1:] == ["        5  200", "        1  500"]


def test_an_app_that_is_not_listening_is_exit_1_and_reported(
    vmon_run: Run, capture: Path, free_port: int
) -> None:
    code, _, err = vmon_run("replay", "--speed", "max", "--to", f"localhost:{free_port}", capture)
    assert code == 1
    assert f"      6  connection refused: nothing is listening on localhost:{free_port}\n" in err


async def test_a_response_is_shown_when_it_comes(
    start: "Start", app: "App", capture: Path, flow_of: "Callable[[int], Flow]"
) -> None:
    app.gate = asyncio.Event()
    app.held = lambda request: b'"n": 0' not in request.body
    ours, theirs = pty.openpty()
    run = start("replay", "--speed", "max", "--to", app.url, capture, out=theirs)
    os.close(theirs)
    screen = flow_of(ours)
    await app.wait_for(lambda: len(app.requests) == 3)
    await asyncio.to_thread(screen.until, "→ 200 in ".encode())
    app.gate.set()
    assert await asyncio.to_thread(run.ended) == 0
    assert screen.all().count(b"200 in ") == 6
    os.close(ours)


async def test_an_interrupt_while_sending_is_130_with_a_summary(
    start: "Start", app: "App", capture: Path
) -> None:
    app.silent = True
    run = start("replay", "--speed", "max", "--to", app.url, capture)
    await app.wait_for(lambda: len(app.requests) == 2)
    run.signal(signal.SIGINT)
    code, out, err = await asyncio.to_thread(run.result)
    assert (code, out) == (130, "")
    assert err.startswith("6 deliveries in ")
    assert "Traceback" not in err


async def test_one_delivery_is_sent_again_by_its_id(
    vmon_run: Run, app: "App", capture: Path
) -> None:
    code, _, err = await asyncio.to_thread(
        vmon_run, "replay", "--delivery", "001", "--to", app.url, "--speed", "max", capture
    )
    assert code == 0, err
    assert [dict(one.headers)["X-Number"] for one in app.requests] == ["1"]
