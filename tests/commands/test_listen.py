"""A run from inside, and from outside where a part of it has to fail on purpose."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_line
from tests.support.waiting import wait_until
from vmon.capture.codec import read_line
from vmon.commands.listen import Options, Run
from vmon.events.catalogue import TYPES
from vmon.render.formats.entries import Form
from vmon.replay.samples import STORY
from vmon.security.signature import Secret, sign
from vmon.tunnel.choice import TunnelRequest, ViaNgrok

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.app_server import App
    from tests.support.processes import Listen


def test_without_uvloop_it_works_the_same(listen: "Listen") -> None:
    run = listen(code="import sys\nsys.modules['uvloop'] = None")
    client = run.client()
    for body in (b"{}", b"x" * 600_000):
        client.request("POST", "/", body)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    client.close()
    code, out, err = run.stop()
    assert (code, len(out.splitlines())) == (0, 2)
    assert "\n2 deliveries in " in err


def test_a_broadcast_that_cannot_be_seen_and_a_failed_transcription_are_reported_as_they_happen(
    listen: "Listen",
) -> None:
    run, broadcast = listen(), TYPES["broadcast"].sample
    urls = {"hlsStatus": "error", "rtmp": {"main": {"status": "error"}, "other": {}}}
    for body in (
        broadcast | {"broadcastUrls": urls},
        TYPES["archive"].sample | {"transcription": {"status": "failed", "reason": "no speech"}},
    ):
        assert run.post(json.dumps(body).encode()) == 200
    run.err.until(b"failed kxOH45: HLS of broadcast 1748b707 failed\n")
    run.err.until(b"failed kxOH45: broadcast 1748b707 cannot reach its RTMP target main\n")
    run.err.until(b"failed kxOH45: transcription of archive 832641bf failed: no speech\n")
    assert "\n  oddities          3 (see vmon oddities)\n" in run.stop()[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_a_loop_takes_no_signal_handlers_and_there_is_no_hangup_it_ends_as_well(
    number: int, listen: "Listen"
) -> None:
    run = listen(
        code="""
import asyncio.unix_events, signal, sys
def refuses(*_):
    raise NotImplementedError
asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler = refuses
sys.modules['uvloop'] = None
del signal.SIGHUP
"""
    )
    client = run.client()
    client.request("POST", "/", b"{}")
    assert client.getresponse().status == 200
    client.close()
    code, out, err = run.stop(number)
    assert (code, len(out.splitlines())) == (0, 1)
    assert "\n1 delivery in " in err


def test_a_where_that_could_be_evaluated_for_nothing_is_in_the_summary(listen: "Listen") -> None:
    run = listen("--where", 'body.nme == "x"')
    for body in (b"{}", b'{"a":1}'):
        assert run.post(body) == 200
    _, out, err = run.stop()
    assert out == ""
    why = "--where matched nothing: 2 could not be evaluated (no such key: body.nme)"
    assert why in " ".join(err.split())


def test_a_disk_with_room_again_gets_what_waited_first_and_it_is_said(
    listen: "Listen", tmp_path: Path
) -> None:
    room = tmp_path / "room"
    patch = f"""
import os, vmon.capture.writer as c, vmon.receive.pipeline as p
p._RETRY_S = 0.02
write = c.CaptureWriter._write
def full(self, line):
    if os.path.exists({str(room)!r}):
        return write(self, line)
    self._trouble("a.jsonl: No space left on device")
    return False
c.CaptureWriter._write = full
"""
    run = listen("-q", code=patch)
    assert [run.post(b"%d" % number) for number in range(5)] == [200] * 5
    run.err.until(b"warning: cannot write the capture: a.jsonl: No space left on device\n")
    assert Path(run.capture).read_bytes() == b""
    room.touch()
    run.err.until(b"the capture can be written again; nothing was lost\n")
    assert run.post(b"5") == 200
    code, _, err = run.stop()
    assert code == 0
    assert err.count("warning: ") == 1
    assert "not in the capture" not in err
    lines = Path(run.capture).read_bytes().splitlines()
    assert [line[-2:] for line in lines] == [b"%d}" % number for number in range(6)]


def test_a_terminal_that_is_stuck_does_not_keep_a_run_from_ending(listen: "Listen") -> None:
    ours, theirs = os.pipe()
    run = listen(out=theirs, code="import vmon.commands.listen as l\nl._DRAIN_S = 0.2")
    os.close(theirs)
    client = run.client()
    for _ in range(40):
        client.request("POST", "/", b"x" * 30_000)
        assert client.getresponse().read() == b""
    client.close()
    run.signal(signal.SIGINT)
    code, _, err = run.result()
    os.close(ours)
    assert code == 0
    assert "\n40 deliveries in " in err
    assert "  replay " in err
    assert len(Path(run.capture).read_bytes().splitlines()) == 40


# Signatures.

VALUE = "a-session-secret-of-more-than-32-bytes"
BODY = b'{"event":"archive","status":"started"}'


def signature(body: bytes = BODY, value: str = VALUE) -> str:
    return sign(body, Secret("x", value), api_key="k", now=time.time(), jti="j")


def verdicts(capture: str) -> list[tuple[str, str | None] | None]:
    said = [json.loads(line).get("verdict") for line in Path(capture).read_bytes().splitlines()]
    return [one and (one["kind"], one["secret"]) for one in said]


def test_the_verdict_is_captured_drawn_and_counted_and_changes_no_answer(listen: "Listen") -> None:
    run = listen("--secret", "other", "--format", "line", VMON_SIGNATURE_SECRET="")
    assert run.post(BODY, Authorization=signature()) == 200
    assert run.post(BODY) == 200
    assert run.stop()[0] == 0
    run = listen("--secret", "other", "--secret", VALUE, "--format", "line")
    assert run.post(BODY, Authorization=signature()) == 200
    assert run.post(BODY, Authorization=signature(b"another")) == 200
    assert run.post(BODY) == 200
    _, out, err = run.stop()
    assert verdicts(run.capture) == [("valid", "#2"), ("invalid", "#2"), ("unsigned", None)]
    assert re.search(r"\n  signatures +1 valid, 1 invalid, 1 unsigned\n", err)
    out = re.sub(r"duplicate #[23] \+\S+ ms ", "", out)  # which it is, as far as anybody can tell
    marks = [line.split("-  ")[-1] for line in out.splitlines()]
    assert marks == [
        "✓ started",
        "invalid: payload_hash differs from the body's started",
        "unsigned started",
    ]
    assert VALUE not in out + err


def test_without_a_secret_only_what_is_signed_has_a_verdict(listen: "Listen") -> None:
    run = listen()
    assert run.post(BODY, Authorization=signature()) == 200
    assert run.post(BODY) == 200
    assert run.post(BODY, Authorization="Basic dTpw") == 200
    assert run.stop()[0] == 0
    assert verdicts(run.capture) == [("unchecked", None), None, None]


def test_where_a_signature_is_required_what_is_not_valid_is_answered_401_and_captured(
    listen: "Listen",
) -> None:
    run = listen("--require-signature", "--event", "archive", VMON_SIGNATURE_SECRET=VALUE)
    assert run.post(BODY, Authorization=signature()) == 200
    assert run.post(BODY) == 401
    assert run.post(BODY, Authorization=signature(value="wrong")) == 401
    assert run.post(b"x" * 600_000) == 401
    code, out, _ = run.stop()
    assert (code, len(out.splitlines())) == (0, 3)
    assert [one and one[0] for one in verdicts(run.capture)] == [
        "valid",
        "unsigned",
        "invalid",
        "unsigned",
    ]


def test_what_trigger_signs_and_what_replay_signs_is_valid(
    listen: "Listen", vmon_run: "Callable[..., tuple[int, str, str]]"
) -> None:
    run = listen("--require-signature", "--secret", VALUE)
    url = f"http://127.0.0.1:{run.port}"
    assert vmon_run("trigger", "--story", "--to", url, "--sign", VALUE, "-q")[0] == 0
    assert vmon_run("trigger", "archive", "--to", url, "--sign", "wrong", "-q")[0] == 1
    run.stop()
    again = listen("--require-signature", "--secret", "another-secret", "--max-age", "1h")
    url = f"http://127.0.0.1:{again.port}"
    sent = ("replay", run.capture, "--to", url, "--speed", "max", "-q", "--sign")
    assert vmon_run(*sent, "another-secret", "--api-key", "a1b2")[0] == 0
    assert vmon_run(*sent[:-1])[0] == 1
    again.stop()
    kinds = [one and one[0] for one in verdicts(again.capture)]
    sent_before = len(STORY) + 1
    assert kinds == ["valid"] * sent_before + ["invalid"] * sent_before
    lines = Path(again.capture).read_bytes().splitlines()
    assert all(line.count(b'"Authorization"') == 1 for line in lines)


# Guard, redaction, exposure.


def test_a_screen_is_redacted_and_the_capture_is_not(listen: "Listen") -> None:
    body = b'{"event":"streamCreated","stream":{"name":"Ann Example"}}'
    for form in ((), ("--format", "line"), ("-vv", "--format", "line")):
        run = listen("--redact", "stream.name", *form)
        assert run.post(body, "/Ann%20Example") == 200
        _, out, err = run.stop()
        assert "person-" in out
        assert "Example" not in out + err
        assert body in Path(run.capture).read_bytes()


async def test_a_guarded_run_lets_in_who_has_the_secret_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run = Run(Options(port=0, capture=tmp_path / "a.jsonl", form=Form("detail")))
    await run.open()
    url = run._new_public_url(TunnelRequest(ViaNgrok())).let_in("https://Public.Example:8443")
    assert url.startswith("https://Public.Example:8443/")
    token = url.rpartition("/")[2]
    port = port_of(run)
    paths = ("/", "/hook", f"/{token}/hook", f"/{token}")
    assert [await status(port, path, "public.example") for path in paths] == [404, 404, 200, 200]
    assert await status(port, "/hook", "localhost") == 200
    await run.close()
    out, err = capfd.readouterr()
    assert [line.split()[1] for line in out.splitlines() if " POST " in line] == [
        "/hook",
        "/",
        "/hook",
    ]
    assert token not in out + err
    assert err.count("blocked: POST /, Host public.example: wrong secret path or host (404)\n") == 1
    assert re.search(r"\n  blocked \(404\) +2\n", err)
    stored = [json.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().splitlines()]
    assert [one["path"] for one in stored] == [f"/{token}/hook", f"/{token}", "/hook"]


def port_of(run: Run) -> int:
    assert run._receiver._listener is not None
    port: int = run._receiver._listener.sockets[0].getsockname()[1]
    return port


async def status(port: int, path: str, host: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return int(answer.split()[1])


@pytest.mark.usefixtures("capfd")
async def test_without_a_secret_path_the_public_host_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    run = Run(Options(port=0, quiet=True, open_path=True))
    await run.open()
    public = run._new_public_url(TunnelRequest(ViaNgrok()))
    assert public.let_in("https://public.example") == "https://public.example"
    port = port_of(run)
    asked = ("public.example", "evil.example", "127.0.0.1")
    assert [await status(port, "/x", host) for host in asked] == [200, 404, 200]
    await run.close()
    assert not (tmp_path / "state").exists()


async def test_a_replay_goes_to_the_app_without_the_secret_path(
    vmon_run: "Callable[..., tuple[int, str, str]]",
    app: "App",
    tmp_path: Path,
) -> None:
    (tmp_path / "state" / "vmon").mkdir(parents=True)
    (tmp_path / "state" / "vmon" / "path").write_text("now-remembered\nonce-remembered\n")
    paths = ("/once-remembered/hook?a", "/now-remembered", "/other/hook")
    lines = [make_line(b"{}", path=path) for path in paths]
    (tmp_path / "a.jsonl").write_bytes(b"".join(lines))
    args = ("replay", tmp_path / "a.jsonl", "--to", app.url, "--speed", "max", "-q")
    assert (await asyncio.to_thread(vmon_run, *args))[0] == 0
    assert [one.first.split()[1] for one in app.requests] == ["/hook?a", "/", "/other/hook"]


def test_an_address_that_others_can_reach_is_warned_of(listen: "Listen") -> None:
    run = listen("--host", "0.0.0.0")
    _, _, err = run.stop()
    assert (
        f"warning: other machines can reach http://0.0.0.0:{run.port} and send anything to it"
        in err
    )
    for host in ("127.0.0.1", "localhost"):
        assert "warning" not in listen("--host", host).stop()[2]


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("--require-signature",), "--require-signature needs a signature secret"),
        (("--secret-path", "long-enough", "--no-secret-path"), "--secret-path cannot be used with"),
        (("--secret", ""), "is empty"),
        (("--secret-file", "nowhere"), "cannot read secrets from nowhere"),
        (("--redact", "a..b"), "invalid field 'a..b'"),
        (("--verdict", "bad"), "'bad' is not one of 'valid', 'invalid'"),
    ],
)
def test_what_does_not_go_together_is_told(
    args: tuple[str, ...], why: str, vmon_run: "Callable[..., tuple[int, str, str]]"
) -> None:
    code, _, err = vmon_run("listen", *args)
    assert code == 2
    assert why in err


async def test_what_was_turned_away_goes_to_no_app_not_even_after_a_restart(
    listen: "Listen", app: "App", tmp_path: Path
) -> None:
    asked = ("--capture", tmp_path / "a.jsonl", "--forward-to", app.url)
    app.answer = b"HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\n\r\n"
    run = await asyncio.to_thread(listen, "--require-signature", "--secret", VALUE, *asked)
    for body in (b'{"n":1}', b'{"n":2}'):
        assert await asyncio.to_thread(run.post, body) == 401
        signed = {"Authorization": signature(body)}
        assert await asyncio.to_thread(lambda: run.post(body, **signed)) == 200  # noqa: B023 - done at once
    await app.wait_for(lambda: bool(app.requests))
    run.signal(signal.SIGKILL)
    await asyncio.to_thread(run.ended)
    app.requests.clear()
    app.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    again = await asyncio.to_thread(listen, *asked)
    await app.wait_for(lambda: len(app.requests) >= 2)
    await asyncio.to_thread(again.stop)
    assert [one.body for one in app.requests] == [b'{"n":1}', b'{"n":2}']
    assert all(any(n == "Authorization" for n, _ in one.headers) for one in app.requests)
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    refused = [json.loads(line)["verdict"].get("refused") for line in lines]
    assert refused == [True, None, True, None]


async def test_with_ack_app_what_was_turned_away_does_not_go_to_the_app(
    listen: "Listen", app: "App"
) -> None:
    asked = ("--require-signature", "--secret", VALUE, "--forward-to", app.url, "--ack", "app")
    run = await asyncio.to_thread(listen, *asked)
    assert await asyncio.to_thread(run.post, b"{}") == 401
    header = signature(b"{}")
    assert await asyncio.to_thread(lambda: run.post(b"{}", Authorization=header)) == 200
    await asyncio.to_thread(run.stop)
    assert len(app.requests) == 1


# What is known from other events.


def test_people_copies_and_late_ones_are_told_beside_the_events(listen: "Listen") -> None:
    run = listen("--format", "line", "--name-from", "user", "--late-after", "5ms")
    now_ms = int(time.time() * 1000)

    def said(event: str, at_ms: int, data: str = "") -> bytes:
        connection = {"id": "c1", "createdAt": now_ms, "data": data}
        at = {"sessionId": "2_A", "event": event, "timestamp": at_ms, "connection": connection}
        return json.dumps(at).encode()

    assert run.post(said("connectionCreated", now_ms, '{"user":"Ann","name":"x"}')) == 200
    assert run.post(said("connectionDestroyed", now_ms + 10)) == 200
    assert run.post(said("connectionDestroyed", now_ms + 10)) == 200
    assert run.post(said("connectionDestroyed", now_ms + 5)) == 200
    code, out, err = run.stop()
    assert code == 0
    rest = [re.split(r"\dms  ", line)[1] for line in out.splitlines()]
    assert rest[:2] == ["c1 Ann", "c1 Ann lasted 10 ms"]
    assert re.fullmatch(r"duplicate #2 \+\d+ ms c1 Ann lasted 10 ms", rest[2])
    assert rest[3] == "↩ 5 ms late c1 Ann lasted 5 ms"
    assert re.search(r"\n  sessions +1 \(0 open\), 1 connection, 0 streams\n", err)
    assert re.search(r"\n  duplicates +1\n", err)


def test_copies_can_be_hidden(listen: "Listen") -> None:
    run = listen("--format", "line", "--dedupe")
    assert [run.post(BODY), run.post(BODY), run.post(BODY)] == [200] * 3
    _, out, err = run.stop()
    assert out.count("\n") == 1
    assert len(Path(run.capture).read_bytes().splitlines()) == 3
    assert re.search(r"\n  hidden by filter +2\n", err)


def test_where_names_are_redacted_nobody_is_named(listen: "Listen") -> None:
    run = listen("--format", "line", "--redact", "connection.data")
    for event in ("connectionCreated", "connectionDestroyed"):
        connection = {"id": "c1", "data": "Ann" if event.endswith("Created") else ""}
        said = {"sessionId": "2_A", "event": event, "connection": connection}
        assert run.post(json.dumps(said).encode()) == 200
    _, out, err = run.stop()
    assert "Ann" not in out + err
    assert out.count("\n") == 2


async def test_where_ids_are_redacted_neither_results_nor_the_summary_tell_them(
    app: "App", listen: "Listen"
) -> None:
    for form in ("line", "json"):
        fields = "sessionId,connection.id,reason"
        run = listen("--format", form, "--redact", fields, "--forward-to", app.url)
        app.gate = asyncio.Event()
        for event in ("connectionCreated", "sessionDestroyed"):
            said: dict[str, object] = {"sessionId": "2_MyMeeting", "event": event}
            said |= {"reason": "hungUp", "connection": {"id": "c0ffee00-1"}}
            assert await asyncio.to_thread(run.post, json.dumps(said).encode()) == 200
        assert run.out
        await asyncio.to_thread(run.out.match, rb"(?s)(\n.*){2}")
        app.gate.set()
        shown = run.err if form == "json" else run.out
        await asyncio.to_thread(shown.match, b"(?s)(\xe2\x86\x92 .*){2}")  # two arrows
        code, out, err = await asyncio.to_thread(run.stop)
        assert (code, "2 sent" in err) == (0, True)
        assert not [told for told in ("eeting", "c0ffee", "hungUp") if told in out + err]


# Expressions, from the command line to the screen.


def test_only_what_an_expression_chooses_is_drawn_and_all_is_captured(listen: "Listen") -> None:
    run = listen("--where", 'stream.videoType == "screen" && lag < 3600', "--format", "line")
    said = b'{"event":"streamCreated","timestamp":%d,"stream":{"id":"%b","videoType":"%b"}}'
    now_ms = int(time.time() * 1000)
    assert run.post(said % (now_ms, b"a1", b"screen")) == 200
    assert run.post(said % (now_ms, b"b2", b"camera")) == 200
    assert run.post(said % (now_ms - 7_200_000, b"c3", b"screen")) == 200
    assert run.post(b'{"event":"archive","status":"started"}') == 200
    assert run.post(b"no JSON") == 200
    code, out, err = run.stop()
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["a1"]
    assert "  hidden by filter  4\n" in err
    assert len(Path(run.capture).read_bytes().splitlines()) == 5


# Bugs of ours.


async def test_a_connection_that_the_loop_gives_up_is_told_in_a_sentence_and_is_no_bug(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(Options(port=0, capture=tmp_path / "a.jsonl"))
    await run.open()
    context = {"message": "Fatal error", "transport": None}
    timers = asyncio.get_running_loop()
    timers.call_exception_handler(context | {"exception": OSError(110, "timed out")})
    assert run.bugs.total == 0
    timers.call_exception_handler(context | {"exception": ZeroDivisionError()})
    assert run.bugs.total == 1
    await run.close()
    err = capfd.readouterr().err
    assert " · a connection failed: timed out\n" in err
    assert "warning: a bug in vmon: ZeroDivisionError" in err


FULL_DISK = """
import vmon.capture.writer as c
def full(self, line):
    self._trouble("a.jsonl: No space left on device")
    return False
c.CaptureWriter._write = full
"""


# Standard files that are closed.


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_with_standard_files_closed_it_listens_and_captures(
    closed: str, environment: dict[str, str], free_port: int, tmp_path: Path
) -> None:
    file = tmp_path / "a.jsonl"
    command = [sys.executable, "-m", "vmon", "listen", f"--port={free_port}", f"--capture={file}"]
    run = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command], env=environment
    )
    bodies = [b'{"event":"streamCreated","n":%d}' % number for number in range(3)]
    try:
        wait_until(lambda: is_listening(free_port))
        client = http.client.HTTPConnection("127.0.0.1", free_port, timeout=20)
        for body in bodies:
            client.request("POST", "/", body)
            assert client.getresponse().read() == b""
        client.close()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 0
    finally:
        run.kill()
        run.wait()
    lines = file.read_bytes().splitlines()
    assert [read_line(line).delivery.body for line in lines] == bodies


UNHURRIED = """
import vmon.commands.listen as l
l.Run._hurry = lambda self: None
"""


@pytest.mark.parametrize(
    ("interrupts", "text"),
    [(2, "  not in the capture  4 deliveries"), (3, "not in the capture: 4 deliveries")],
)
def test_repeated_interrupts_rescue_what_was_acknowledged_and_could_not_be_written(
    listen: "Listen", tmp_path: Path, interrupts: int, text: str
) -> None:
    code = FULL_DISK + UNHURRIED * (interrupts > 2)
    run = listen("-q", code=code, TMPDIR=str(tmp_path))
    assert [run.post(b"%d" % number) for number in range(3)] == [200] * 3
    half = run.client()
    half.putrequest("POST", "/")
    half.putheader("Content-Length", "9")
    half.endheaders(b"half")
    wait_until(lambda: run.post(b"3") == 200)
    run.signal(signal.SIGINT)
    wait_until(lambda: not is_listening(run.port))
    for number in range(1, interrupts):
        time.sleep(0.2 * (number > 1))  # two signals at once are one
        run.signal(signal.SIGINT)
    status, _, err = run.result()
    half.close()
    (rescued,) = tmp_path.glob("vmon-rescued-*.jsonl")
    assert (status, f"\n{text}, saved to {rescued}\n" in err) == (130, True)
    lines = rescued.read_bytes().splitlines()
    assert [read_line(line).delivery.body for line in lines] == [b"0", b"1", b"2", b"3"]


async def test_a_bug_in_a_step_of_the_end_keeps_no_other_step_from_being_taken(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> None:
        raise ZeroDivisionError

    run = Run(Options(port=0, capture=tmp_path / "a.jsonl"))
    await run.open()
    for part, step in ((run._oddities, "close"), (run._pipeline, "close")):
        monkeypatch.setattr(part, step, failing)
    await run.close()
    err = capfd.readouterr().err
    assert run.bugs.total == 2
    assert "\n0 deliveries in " in err
    assert err.count("ZeroDivisionError\n") == 2
    monkeypatch.undo()
    run._pipeline.close()


async def test_a_bug_in_the_summary_is_reported_with_its_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    run = Run(Options(port=0, capture=tmp_path / "a.jsonl"))
    await run.open()
    monkeypatch.setattr("vmon.render.live.summary.Summary.text", failing)
    await run.close()
    err = capfd.readouterr().err
    assert "error: there is a bug in vmon\n" in err
    assert "ZeroDivisionError\n" in err
