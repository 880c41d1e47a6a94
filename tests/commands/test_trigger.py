import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vmon.capture.codec import read_line
from vmon.events.catalogue import TYPES
from vmon.events.entry import Entry
from vmon.events.payload import read_body
from vmon.replay.samples import STORY

NAMES = [sample.type for sample in STORY]

if TYPE_CHECKING:
    from tests.support.app_server import App
    from tests.support.processes import Listen, Start

Run = Callable[..., tuple[int, str, str]]


def sent(app: "App") -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in app.requests]


def ids_in(value: object, key: str) -> set[str]:
    """What stands under a key, at any depth."""
    match value:
        case dict():
            own = {str(value[key])} if value.get(key) else set()
            return own.union(*(ids_in(one, key) for one in value.values()))
        case list():
            return set[str]().union(*(ids_in(one, key) for one in value))
        case _:
            return set()


@pytest.mark.parametrize("args", [(), ("--unified",)])
async def test_a_story_has_every_type_each_read_as_itself_without_a_warning(
    vmon_run: Run, app: "App", args: tuple[str, ...]
) -> None:
    code, out, err = await asyncio.to_thread(vmon_run, "trigger", "--story", "--to", app.url, *args)
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [[name, "200"] for name in NAMES]
    payloads = [read_body(one.body) for one in app.requests]
    assert [payload.type for payload in payloads] == NAMES
    assert set(NAMES) == set(TYPES)
    events = [read_line(one.body).event for one in app.requests]
    assert [event.warnings for event in events] == [()] * len(STORY)


async def test_the_ids_of_a_story_fit_together_and_its_times_run_on(
    vmon_run: Run, app: "App"
) -> None:
    assert (await asyncio.to_thread(vmon_run, "trigger", "--story", "--to", app.url))[0] == 0
    assert (await asyncio.to_thread(vmon_run, "trigger", "--story", "--to", app.url))[0] == 0
    bodies = sent(app)
    first, second = bodies[: len(STORY)], bodies[len(STORY) :]
    sessions = [{one["sessionId"] for one in story} for story in (first, second)]
    assert [len(one) for one in sessions] == [1, 1]
    assert sessions[0] != sessions[1]
    by_type = dict(zip(reversed(NAMES), reversed(first), strict=True))
    born, gone = by_type["streamCreated"]["stream"], by_type["streamDestroyed"]["stream"]
    assert (born["id"], born["createdAt"]) == (gone["id"], gone["createdAt"])
    joined = by_type["connectionCreated"]["connection"]
    left = dict(zip(NAMES, first, strict=True))["connectionDestroyed"]["connection"]
    assert (joined["id"], joined["createdAt"]) == (left["id"], left["createdAt"])
    assert by_type["callCreated"]["call"]["id"] == by_type["callDestroyed"]["call"]["id"]
    told = [one["timestamp"] for one in first if "timestamp" in one]
    assert told == sorted(told)
    assert born["createdAt"] < by_type["streamCreated"]["timestamp"]
    assert not ids_in(first, "id") & ids_in(second, "id")
    samples = [entry.sample for entry in TYPES.values()]
    assert not ids_in(first, "id") & ids_in(samples, "id")


async def test_samples_come_as_from_vonage_and_say_that_they_are_samples(
    vmon_run: Run, app: "App"
) -> None:
    args = ("trigger", "archive", "--to", app.url + "/hook")
    assert (await asyncio.to_thread(vmon_run, *args))[0] == 0
    (request,) = app.requests
    assert request.first == "POST /hook HTTP/1.1"
    headers = dict(request.headers)
    assert headers["Content-Type"] == "application/json"
    assert "sample" in headers["User-Agent"]


async def test_types_go_as_named_and_those_of_a_glob_as_things_happen(
    vmon_run: Run, app: "App"
) -> None:
    args = ("trigger", "archive", "stream*", "callDestroyed,callCreated", "--to", app.url)
    assert (await asyncio.to_thread(vmon_run, *args, "--times", "2"))[0] == 0
    types = [read_body(one.body).type for one in app.requests]
    once = ["archive", "streamCreated", "streamDestroyed", "callCreated", "callDestroyed"]
    assert types == once * 2


async def test_fields_can_be_set_as_text_and_as_json(vmon_run: Run, app: "App") -> None:
    changes = ("stream.name=Ann Lee", "stream.videoType=null", "extra.deep=[1,2]", "reason=NaN")
    args = ("trigger", "streamCreated", "--to", app.url)
    options = [part for change in changes for part in ("--set", change)]
    assert (await asyncio.to_thread(vmon_run, *args, *options))[0] == 0
    (body,) = sent(app)
    assert (body["stream"]["name"], body["stream"]["videoType"]) == ("Ann Lee", None)
    assert (body["extra"], body["reason"]) == ({"deep": [1, 2]}, "NaN")


def test_a_dry_run_prints_one_line_per_sample_and_sends_nothing(
    vmon_run: Run, free_port: int
) -> None:
    code, out, err = vmon_run("trigger", "--story", "--dry-run", "--to", f"localhost:{free_port}")
    assert (code, err) == (0, "")
    lines = out.encode().splitlines()
    assert [Entry(read_line(line).delivery).payload.type for line in lines] == NAMES


async def test_quiet_says_nothing_when_all_goes_well(vmon_run: Run, app: "App") -> None:
    ended = await asyncio.to_thread(vmon_run, "trigger", "-q", "archive", "--to", app.url)
    assert ended == (0, "", "")
    assert len(app.requests) == 1


def test_a_listener_that_wants_its_secret_path_gets_the_one_that_is_remembered(
    start: "Start", vmon_run: Run, free_port: int, tmp_path: Path
) -> None:
    public = f"http://127.0.0.1:{free_port}"
    run = start("listen", "--port", "0", "--no-capture", "--public-url", public)
    to = run.err.match(rb"local +http://(127.0.0.1:\d+)/[\w-]{8,}")[1].decode()
    code, out, err = vmon_run("trigger", "stream*", "--to", f"{to}/hooks?a=1")
    assert (code, [line.split()[1] for line in out.splitlines()], err) == (0, ["200"] * 2, "")
    code, _, err = vmon_run("trigger", "stream*", "--to", to, XDG_STATE_HOME=str(tmp_path / "x"))
    assert code == 1
    assert err.count("404 in ") == 2
    assert err.count("hint: a listener with a public URL may ask for its secret path") == 1
    run.signal(signal.SIGINT)
    assert run.ended() == 0


async def test_an_app_s_own_404_is_not_taken_for_a_listener_s(vmon_run: Run, app: "App") -> None:
    app.answer = b"HTTP/1.1 404 X\r\nContent-Length: 9\r\n\r\nnot found"
    code, _, err = await asyncio.to_thread(vmon_run, "trigger", "archive", "--to", app.url)
    assert (code, "hint" in err, len(app.requests)) == (1, False, 1)


async def test_verbose_shows_what_the_app_answered(vmon_run: Run, app: "App") -> None:
    app.answer = b"HTTP/1.1 200 X\r\nX-Why: 1\r\nContent-Length: 5\r\n\r\ntaken"
    args = ("trigger", "-v", "archive", "--to", app.url)
    code, out, _ = await asyncio.to_thread(vmon_run, *args)
    assert code == 0
    assert out.splitlines()[1:] == [
        "      HTTP 200", "      X-Why: 1", "      Content-Length: 5", "      │ taken",
    ]  # fmt: skip # one thing a line


async def test_a_rejected_sample_is_exit_1_and_reported_even_when_quiet(
    vmon_run: Run, app: "App"
) -> None:
    app.answers = lambda request: (
        b"HTTP/1.1 422 X\r\nContent-Length: 3\r\n\r\nno!" if b"archive" in request.body
        else app.answer
    )  # fmt: skip # a choice
    args = ("trigger", "-q", "archive", "streamCreated", "--to", app.url)
    code, out, err = await asyncio.to_thread(vmon_run, *args)
    assert (code, out) == (1, "")
    assert err.startswith("archive  422 in ")
    assert err.endswith(": no!\n")
    assert len(app.requests) == 2


def test_without_a_listener_it_is_exit_1_and_reported(vmon_run: Run, free_port: int) -> None:
    assert vmon_run("trigger", "archive", "--to", f"localhost:{free_port}") == (
        1,
        "",
        (
            f"archive  connection refused: nothing is listening on localhost:{free_port}\n"
            "hint: start vmon listen, or set your app's URL with --to\n"
        ),
    )


def test_an_app_that_speaks_no_tls_is_not_told_to_start_a_listener(
    vmon_run: Run, free_port: int
) -> None:
    code, _, err = vmon_run("trigger", "archive", "--to", f"https://localhost:{free_port}")
    assert code == 1
    assert "start vmon listen" not in err


def test_waiting_for_a_listener_that_never_comes_is_exit_5(vmon_run: Run, free_port: int) -> None:
    args = ("trigger", "archive", "--to", f"localhost:{free_port}", "--wait", "100ms")
    assert vmon_run(*args) == (
        5,
        "",
        NOBODY_CAME.format(free_port),
    )


NOBODY_CAME = """\
error: nothing is listening on http://localhost:{} after 0.1 s
hint: start vmon listen, or set your app's URL with --to
"""


async def test_a_listener_that_comes_late_is_waited_for(
    start: "Start", app: "App", free_port: int
) -> None:
    run = start("trigger", "archive", "--to", f"127.0.0.1:{free_port}", "--wait", "20s")
    late = await asyncio.start_server(app._serve, "127.0.0.1", free_port)
    code, _, err = await asyncio.to_thread(run.result)
    late.close()
    assert (code, err) == (0, "")
    assert len(app.requests) == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "pass event types or --story"),
        (("archive", "--story"), "pass event types or --story"),
        (("streamCraeted",), "unknown event type 'streamCraeted'"),
        (("unknown",), "no samples of the given types"),
        (("archive", "--set", "name"), "--set needs FIELD=VALUE, not 'name'"),
        (("archive", "--set", "status.deep=1"), "is not an object"),
        (("archive", "--to", "ftp://x"), "invalid URL 'ftp://x'"),
        (("archive", "--times", "0"), "0 is not in the range x>=1"),
        (("archive", "--wait", "soon"), "soon"),
    ],
)
def test_wrong_use_is_exit_2_and_nothing_is_sent(
    vmon_run: Run, free_port: int, args: tuple[str, ...], said: str
) -> None:
    to = () if "--to" in args else ("--to", f"localhost:{free_port}")
    code, out, err = vmon_run("trigger", *args, *to)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first.startswith("error: ")
    assert said in first
    assert second.startswith("hint: ")


def test_a_listener_takes_a_story_and_shows_it(listen: "Listen", vmon_run: Run) -> None:
    run = listen()
    code, _, _ = vmon_run("trigger", "--story", "--to", f"localhost:{run.port}")
    assert code == 0
    code, out, _ = run.stop()
    assert code == 0
    assert [json.loads(line)["type"] for line in out.splitlines()] == NAMES
