import csv
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.factories import DATA
from vmon.capture.logs import events_in, is_log_line, may_wrap
from vmon.events.catalogue import TYPES
from vmon.events.payload import read_body

Run = Callable[..., tuple[int, str, str]]
NAMES = ("connectionCreated", "streamCreated", "connectionDestroyed")
EVENTS = [json.loads((DATA / "seed" / f"{name}.json").read_bytes()) for name in NAMES]
BODIES = [json.dumps(event, separators=(",", ":")) for event in EVENTS]
LOGS = sorted((DATA / "logs").glob("*.log"))


def of_docker(text: str) -> str:
    """The text as Docker's json-file driver keeps it."""
    at = "2026-11-24T10:00:00.123456789Z"
    return "".join(
        json.dumps({"log": line, "stream": "stdout", "time": at}) + "\n"
        for line in text.splitlines(keepends=True)
    )


def of_python(text: str) -> str:
    """The lines as Python's logging writes them."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    for line in text.splitlines():
        handler.handle(logging.LogRecord("hooks", 20, "", 0, "got %s", (line,), None))
    return out.getvalue()


def of_csv(text: str) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([7, "POST", line, "x"] for line in text.splitlines())
    return out.getvalue()


def of_lambda(text: str, **changed: Any) -> str:
    """Events of API Gateway, with the body as a string."""
    request = {"method": "POST", "path": "/hooks", "sourceIp": "192.0.2.1"}
    context = {"http": request, "timeEpoch": 1_795_885_064_963}
    return "".join(
        json.dumps({"version": "2.0", "requestContext": context, "body": line} | changed) + "\n"
        for line in text.splitlines()
    )


def of_webhook_site(text: str) -> str:
    """The answer of webhook.site's API."""
    common = {"type": "web", "ip": "192.0.2.1", "method": "POST", "headers": {"host": ["x"]}}
    return json.dumps(
        {"data": [common | {"content": line} for line in text.splitlines()], "total": 3}
    )


def of_sqs(text: str) -> str:
    return json.dumps({"Records": [{"body": line} for line in text.splitlines()]}) + "\n"


def of_logfmt(text: str) -> str:
    """As Go's slog writes text."""
    lines = (f'level=INFO msg="a {{x}}" body={json.dumps(line)}\n' for line in text.splitlines())
    return "".join(lines)


WRAPPERS: dict[str, Callable[[str], str]] = {
    "Docker": of_docker,
    "Python": of_python,
    "CSV": of_csv,
    "Lambda": of_lambda,
    "webhook.site": of_webhook_site,
    "SQS": of_sqs,
    "logfmt": of_logfmt,
    "Lambda in Docker": lambda text: of_docker(of_lambda(text)),
    "text in Docker in Docker": lambda text: of_docker(of_docker(of_python(text))),
}


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_payloads_in_the_log_of_a_real_logger_are_found(
    log: Path, vmon_run: Run, tmp_path: Path
) -> None:
    code, out, err = vmon_run("filter", log)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == EVENTS
    assert err.startswith(f"{log}: 3 events found inside log lines"), err
    assert err.count("\n") == 1
    docker = tmp_path / "docker.log"
    docker.write_text(of_docker(log.read_text()))
    assert vmon_run("filter", docker)[:2] == (0, out)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_payloads_are_found_byte_for_byte_in_whatever_wraps_them(
    wrap: Callable[[str], str], vmon_run: Run, tmp_path: Path
) -> None:
    exact = '{"event":"archive", "sessionId":"2_\\u00c4\\"", "size":1.50e3,"name":"a\\\\{b"}'
    bodies = [*BODIES, exact]
    path = tmp_path / "server.log"
    path.write_text(wrap("".join(f"{body}\n" for body in bodies)))
    code, out, err = vmon_run("filter", path)
    assert (code, out.splitlines()) == (0, bodies)
    assert err == f"{path}: 4 events found inside log lines\n"


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(
    "args",
    [
        ("--event", "streamCreated"),
        ("--event", "stream*", "--session", str(EVENTS[0]["sessionId"])),
        ("--stream", EVENTS[1]["stream"]["id"]),
        ("--stream", EVENTS[1]["stream"]["id"], "--tail", "1"),
        ("--where", 'type == "streamCreated"'),
    ],
    ids=lambda args: " ".join(args)[:20],
)
def test_a_filter_finds_in_a_log_what_it_finds_in_bodies(
    args: tuple[str, ...], wrap: Callable[[str], str], vmon_run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "server.log"
    path.write_text(wrap("".join(f"{body}\n" for body in BODIES * 40)))
    code, out, err = vmon_run("filter", *args, path)
    most = 1 if "--tail" in args else 40
    assert (code, out.splitlines()) == (0, [BODIES[1]] * most)
    assert "found inside log lines" in err


@pytest.mark.parametrize("args", [("sessions",), ("stats",), ("timeline",), ("usage",)], ids=str)
def test_every_reading_command_reads_a_log_as_it_reads_the_bodies(
    args: tuple[str, ...], vmon_run: Run, tmp_path: Path
) -> None:
    bodies, log = tmp_path / "bodies.jsonl", tmp_path / "server.log"
    bodies.write_text("".join(f"{body}\n" for body in BODIES))
    log.write_text("listening\n" + of_python(bodies.read_text()))
    of_bodies, of_log = vmon_run(*args, bodies), vmon_run(*args, log)
    assert of_log[:2] == of_bodies[:2]
    said = f"{log}: 3 events found inside log lines, 1 other line skipped\n"
    assert said in of_log[2]


def test_a_log_in_which_nothing_matches_is_no_wrong_file(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("listening\n" * 9 + of_python("\n".join(BODIES)))
    code, out, err = vmon_run("filter", "--event", "render", path)
    assert (code, out) == (1, "")
    said, error, *_ = err.splitlines()
    assert said == f"{path}: 0 events found inside log lines, 9 other lines skipped"
    assert error.startswith("error: no deliveries found")


def test_a_line_of_a_logger_without_an_event_is_no_delivery(vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text('{"level":30,"msg":"up"}\n{"level":"info","message":"a {b}"}\n')
    code, out, err = vmon_run("filter", path)
    assert (code, out) == (1, "")
    assert f"{path}:1: skipped: a log line without an event" in err


@pytest.mark.parametrize(
    "body",
    [
        {"event": "roomMoved", "sessionId": "2_A", "archive": {"event": "archive"}},
        {"event": "archive", "note": '{"event":"render"}'},
        {"event": "connectionCreated", "level": 3, "message": '{"event":"render"}'},
        {"hello": {"event": "nothing known"}},
        {"status": 200, "inner": {"status": 200, "duration": 3, "size": 7}},
    ],
    ids=str,
)
def test_a_whole_body_is_not_looked_into(body: Any, vmon_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(body) + "\n")
    assert vmon_run("filter", path) == (0, path.read_text(), "")


def test_every_documented_event_is_a_whole_body() -> None:
    for kind in TYPES.values():
        for sample in filter(None, (kind.sample, kind.sample_unified)):
            assert not may_wrap(read_body(json.dumps(sample).encode()))
            assert not is_log_line(sample)


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_every_documented_event_is_found_behind_a_prefix(kind: Any) -> None:
    body = json.dumps(kind.sample).encode()
    assert events_in(b"INFO got " + body + b" in 3 ms") == [body]


@pytest.mark.parametrize(
    "line",
    [
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b'x {"a":' * 20_000,
        b'{"a":"' + b"\\" * 99_999,
        b"\xff{\xfe}" * 9_000,
        b'x "{\\"' * 9_000,
    ],
    ids=lambda line: line[:9].decode("latin-1"),
)
def test_braces_without_end_are_given_up_soon(line: bytes) -> None:
    assert events_in(line) == []
