import asyncio
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_line
from tests.support.waiting import wait_until
from vmon.capture.segments import fingerprint_of
from vmon.forward.journal import JournalLine, JournalTarget, create_journal, read_progress

if TYPE_CHECKING:
    from tests.support.app_server import App, Request
    from tests.support.processes import Listen

RUN = "5a17c0de"
Run = Callable[..., tuple[int, str, str]]
Left = Callable[..., Path]


def number_of(request: "Request") -> int:
    found: int = json.loads(request.body)["n"]
    return found


@pytest.fixture
def left(tmp_path: Path) -> Left:
    """Leave a capture of ten deliveries: 0 to 4 sent but for two given up, 5 to 9 unsent."""

    def leaving(url: str, run: str = RUN, name: str = "a.jsonl") -> Path:
        capture, starts = tmp_path / name, []
        journal = create_journal(capture, run, (JournalTarget(url, types=("streamCreated",)),), 0)
        with capture.open("ab") as file:
            for number in range(10):
                body = b'{"event":"streamCreated","sessionId":"2_A","n":%d}' % number
                starts.append(file.tell())
                file.write(make_line(body, id=f"{number:014x}-{run}", path="/hook"))
        failed = (starts[1], starts[3])
        journal.write([JournalLine(done=(starts[0], starts[2], starts[4]), failed=failed)])
        journal.close(keep=True)
        return capture

    return leaving


def failed_args(*more: str | Path) -> tuple[str | Path, ...]:
    return ("replay", "--failed", "--format", "line", *more)


async def test_what_was_given_up_and_left_is_sent_in_its_order_and_then_forgotten(
    vmon_run: Run, app: "App", left: Left
) -> None:
    capture = left(app.url + "/base")
    code, out, err = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert (code, err.splitlines()[1:]) == (0, ["        7  200"])
    assert [number_of(one) for one in app.requests] == [1, 3, 5, 6, 7, 8, 9]
    assert {one.first for one in app.requests} == {"POST /base/hook HTTP/1.1"}
    assert out.count("    → 200 in ") == 7
    assert [path.name for path in capture.parent.glob("a.jsonl*")] == ["a.jsonl"]
    code, _, err = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert code == 1
    assert err.startswith("error: no failed deliveries to resend\nhint: ")


async def test_what_fails_again_is_left(vmon_run: Run, app: "App", left: Left) -> None:
    app.answers = lambda request: (
        b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
        if number_of(request) in {3, 8}
        else app.answer
    )
    capture = left(app.url)
    code, _, err = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert (code, sorted(err.splitlines()[1:])) == (1, ["        2  404", "        5  200"])
    app.requests.clear()
    app.answers = None
    code, _, _ = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert (code, [number_of(one) for one in app.requests]) == (0, [3, 8])


async def test_it_may_go_elsewhere_and_be_filtered(vmon_run: Run, app: "App", left: Left) -> None:
    capture = left("http://localhost:9")
    args = failed_args("--to", app.url + "/new", "--exact-path", "--event", "!streamCreated")
    assert (await asyncio.to_thread(vmon_run, *args, capture))[0] == 1
    args = failed_args("--to", app.url + "/new", "--exact-path")
    assert (await asyncio.to_thread(vmon_run, *args, capture))[0] == 0
    assert {one.first for one in app.requests} == {"POST /new HTTP/1.1"}
    assert len(app.requests) == 7


async def test_a_dry_run_says_what_it_would_send(vmon_run: Run, app: "App", left: Left) -> None:
    capture = left(app.url)
    code, out, _ = await asyncio.to_thread(vmon_run, *failed_args("--dry-run", capture))
    assert (code, out) == (0, f"7 deliveries to {app.url}, from a.jsonl.{RUN}.forward\n")
    assert app.requests == []
    assert capture.with_name(f"a.jsonl.{RUN}.forward").exists()


async def test_discarding_forgets_what_is_chosen_and_sends_nothing(
    vmon_run: Run, app: "App", left: Left
) -> None:
    capture = left(app.url)
    args = failed_args("--discard", "--session", "2_B", capture)
    code, _, err = await asyncio.to_thread(vmon_run, *args)
    assert (code, err.splitlines()[0]) == (1, "error: no failed deliveries to discard")
    code, out, err = await asyncio.to_thread(vmon_run, *failed_args("--discard", capture))
    said = f"discarded: 7 deliveries to {app.url}, from a.jsonl.{RUN}.forward\n"
    assert (code, out, err) == (0, said, "")
    assert app.requests == []
    assert [path.name for path in capture.parent.glob("a.jsonl*")] == ["a.jsonl"]


def test_discarding_is_for_failed_deliveries_alone(vmon_run: Run, left: Left) -> None:
    code, _, err = vmon_run("replay", "--discard", left("http://localhost:9"))
    assert (code, err.splitlines()[0]) == (2, "error: --discard needs --failed")
    code, _, err = vmon_run("replay", "--failed", "--discard", "--to", "localhost:9")
    assert (code, err) == (2, "error: --discard cannot be used with --to\n")


async def test_other_captures_are_left_alone_and_runs_of_one_come_together(
    vmon_run: Run, app: "App", left: Left
) -> None:
    capture = left(app.url)
    left(app.url, "0ddba115")
    left(app.url, "0ddba115", "b.jsonl")
    code, _, err = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert (code, err.splitlines()[1:]) == (0, ["       14  200"])
    assert [p.name for p in capture.parent.glob("*.forward")] == ["b.jsonl.0ddba115.forward"]


async def test_of_a_run_that_goes_on_only_what_it_gave_up_is_sent(
    vmon_run: Run, listen: "Listen", app: "App"
) -> None:
    gate = asyncio.Event()
    app.gate, app.held = gate, lambda request: number_of(request) == 2
    app.answers = lambda request: (
        app.answer
        if number_of(request) or gate.is_set()
        else b"HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n"
    )
    run = await asyncio.to_thread(listen, "-q", "--forward-to", app.url)
    for number in range(4):
        session = "2_A" if number < 2 else "2_B"
        body = json.dumps({"event": "streamCreated", "sessionId": session, "n": number}).encode()
        assert await asyncio.to_thread(run.post, body) == 200
    await app.wait_for(lambda: len(app.requests) == 3)
    await asyncio.to_thread(_until_noted, Path(run.capture))
    app.answers = None
    code, _, err = await asyncio.to_thread(vmon_run, *failed_args())
    assert (code, err.splitlines()[1:]) == (0, ["        1  200"])
    assert sorted(map(number_of, app.requests[:3])) == [0, 1, 2]
    assert [number_of(one) for one in app.requests[3:]] == [0]
    gate.set()
    await app.wait_for(lambda: len(app.requests) == 5)
    assert (await asyncio.to_thread(run.stop))[0] == 0
    assert number_of(app.requests[-1]) == 3


def _until_noted(capture: Path) -> None:
    """Wait until the journal says that one was given up."""
    (journal,) = capture.parent.glob("*.forward")
    wait_until(lambda: read_progress(journal, 1)[0].failed)


def test_a_capture_that_is_gone_is_reported(vmon_run: Run, left: Left) -> None:
    capture = left("http://localhost:9")
    capture.unlink()
    code, _, err = vmon_run(*failed_args(capture))
    assert code == 1
    assert err.startswith(f"warning: {capture}: No such file or directory\n")


def test_a_loop_over_what_failed_is_refused(vmon_run: Run) -> None:
    code, _, err = vmon_run("replay", "--failed", "--loop")
    assert (code, err.startswith("error: --failed cannot be used with --loop")) == (2, True)


async def test_what_a_rotated_capture_left_is_sent_from_its_files_also_compressed(
    vmon_run: Run, app: "App", left: Left
) -> None:
    capture = left(app.url)
    journal = capture.with_name(f"a.jsonl.{RUN}.forward")
    lines = capture.read_bytes().splitlines(keepends=True)
    for number, part in enumerate((lines[:4], lines[4:7])):
        name = capture.with_name(f"a.{number + 1}.jsonl.gz")
        name.write_bytes(gzip.compress(b"".join(part)))
    capture.write_bytes(b"".join(lines[7:]))
    at = [sum(map(len, lines[:number])) for number in (0, 4, 7)]
    files = [
        {"file": fingerprint_of(lines[number]), "at": start}
        for number, start in zip((0, 4, 7), at, strict=True)
    ]
    with journal.open("a") as file:
        file.write("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in files))
    second = capture.with_name("a.2.jsonl.gz")
    code, out, _ = await asyncio.to_thread(vmon_run, *failed_args("--dry-run", second))
    assert (code, out) == (0, f"2 deliveries to {app.url}, from {journal.name}\n")
    code, _, _ = await asyncio.to_thread(vmon_run, *failed_args(second))
    assert (code, [number_of(one) for one in app.requests]) == (0, [5, 6])
    code, _, _ = await asyncio.to_thread(vmon_run, *failed_args(capture))
    assert (code, [number_of(one) for one in app.requests[2:]]) == (0, [1, 3, 7, 8, 9])
    assert not journal.exists()
