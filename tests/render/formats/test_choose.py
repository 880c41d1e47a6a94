from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, get_args
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vmon.capture.codec import write_line
from vmon.render.formats import choose, shell
from vmon.render.formats.choose import writing
from vmon.render.formats.protocol import ScrubPolicy
from vmon.security.access import secret_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import App
    from vmon.events.entry import Entry

Run = Callable[..., tuple[int, str, str]]
NASTY = [
    b"",
    b'{"event":"streamCreated"}',
    b'it\'s $HOME `id` "$(id)" \\ ! %s \\n',
    b"@/etc/hostname",
    b"-d @x",
    b"\xff\xfe\x00\x1b[31m\r\n",
    b"ends in lines\n\n",
    '{"name":"Zoë \u202e\u2603"}'.encode(),
    b"a" * 200_000,
    bytes(range(256)),
]
HEADERS = (
    ("Host", "example.com"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("X-Quotes", 'it\'s "$HOME" `id`'),
    ("X-Empty", ""),
    ("X-Equals", "=@:x"),
    ("X-Latin", "Zo\xeb \xff"),
    ("Content-Length", "7"),
    ("Connection", "close"),
)


def script(kind: choose.As, entries: list[Entry], to: str, *, secrets: bool = False) -> bytes:
    form = writing(kind, ScrubPolicy(Counter(), keep=secrets), to)
    return form.begin() + form.each(entries) + form.end()


async def ran(text: bytes, path: Path, **env: str) -> None:
    path.write_bytes(text)  # noqa: ASYNC240 - a small file
    process = await asyncio.create_subprocess_exec(
        "sh", path, env=os.environ | env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip # one thing a line
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("kind", ["curl", "httpie"])
async def test_a_command_sends_the_very_bytes(
    kind: choose.As, app: App, delivered: Callable[..., Entry], tmp_path: Path
) -> None:
    program = {"curl": "curl", "httpie": "http"}[kind]
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    paths = [f"/hook/../it's?a=[{number}]&b={{1,2}}" for number in range(len(NASTY))]
    entries = [
        delivered(body, path=path, headers=HEADERS) for path, body in zip(paths, NASTY, strict=True)
    ]
    await ran(script(kind, entries, app.url), tmp_path / "a.sh")
    assert [one.body for one in app.requests] == NASTY
    sent = [one.first.split()[1] for one in app.requests]
    assert (sent if kind == "curl" else list(map(unquote, sent))) == paths  # HTTPie quotes [{}]
    for one in app.requests:
        got = dict(one.headers)
        for name, value in HEADERS[1 : 6 if kind == "curl" else 5]:
            assert got[name] == value


async def test_a_header_that_would_begin_another_is_not_sent(
    delivered: Callable[..., Entry],
) -> None:
    entry = delivered(b"", headers=(("X-A", "b\r\nX-B: c"), ("X Y", "z"), ("@file", "q")))
    assert b"X-" not in script("curl", [entry], "http://x")
    assert b"X Y" not in script("curl", [entry], "http://x")
    assert b"@file" not in script("curl", [entry], "http://x")


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\0", b"").rstrip(b"\n")))
@example(b"-n")
@example(b"%d\\101")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_word_is_one_word_of_those_bytes(data: bytes) -> None:
    said = subprocess.run(
        [b"sh", b"-c", b"printf %s. " + shell._word(data)], capture_output=True, check=True
    )
    assert said.stdout == data + b"."
    assert shell._word(data).isascii() or data.decode().isprintable() or b"\n" in data


# Secrets.

SECRETS = (("Authorization", "Bearer s3cret"), ("Content-Type", "application/json"))


@pytest.mark.parametrize("kind", ["curl", "httpie", "har", "pytest"])
def test_secrets_are_left_out_unless_they_are_asked_for(
    kind: choose.As, delivered: Callable[..., Entry]
) -> None:
    body = (
        b'{"event":"broadcast",  "broadcastUrls":{"rtmp":[{"streamName":"s3cret"}]},'
        b'"password":"s3cret\\"s3cret","p\\u0061ssword":"s3cret","pass_word":["s3cret"]}'
    )
    entry = delivered(body, headers=SECRETS, path="/x?token=s3cret&a=b")
    assert b"s3cret" not in script(kind, [entry], "http://x")
    assert script(kind, [entry], "http://x", secrets=True).count(b"s3cret") > 4


def test_what_is_left_out_is_counted_and_the_rest_stays_as_it_is(
    delivered: Callable[..., Entry],
) -> None:
    left_out = Counter[str]()
    seal = ScrubPolicy(left_out, keep=False)
    body = b'{"event":"archive" ,"password" : "x","size":1e400, "url":null}'
    shown = seal(delivered(body, headers=SECRETS))
    assert shown.body == b'{"event":"archive" ,"password" : "left-out","size":1e400, "url":null}'
    assert shown.headers == SECRETS[1:]
    assert left_out == {"Authorization": 1, "password": 1}
    plain = delivered(b'{"event":"archive" ,"password":null}')
    assert seal(plain) == plain.delivery


def test_a_password_in_a_torn_body_is_left_out_too(delivered: Callable[..., Entry]) -> None:
    shown = ScrubPolicy(Counter(), keep=False)(delivered(b'{"event":"archive","password":"hunter2'))
    assert shown.body == b'{"event":"archive","password":"left-out'


# HAR.


def test_a_har_has_the_exact_requests(delivered: Callable[..., Entry]) -> None:
    entries = [delivered(body, headers=HEADERS, path="/a?b=c%20d") for body in NASTY]
    log = json.loads(script("har", entries, ""))["log"]
    assert log["version"] == "1.2"
    first = log["entries"][1]["request"]
    assert first["url"] == "http://example.com/a?b=c%20d"
    assert first["queryString"] == [{"name": "b", "value": "c d"}]
    assert first["postData"] == {
        "mimeType": "application/json; charset=utf-8",
        "text": '{"event":"streamCreated"}',
    }
    assert log["entries"][-1]["request"]["postData"]["encoding"] == "base64"
    assert json.loads(script("har", [], ""))["log"]["entries"] == []


# A module of tests.

APP = """
from aiohttp import web

async def hook(request):
    body = await request.read()
    with open(SEEN, "ab") as file:
        file.write(body.hex().encode() + b" " + request.raw_path.encode() + b"\\n")
    return web.Response(status=500 if b"refused" in body else 200)

def make_app():
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hook)
    return app
"""

ASYNC = ("-o", "asyncio_default_fixture_loop_scope=function")  # pytest-asyncio warns without


def posted(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *ASYNC, "test_posts.py"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)} | env,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip # one thing a line


def test_the_module_of_tests_passes_against_an_app_that_takes_all(
    delivered: Callable[..., Entry], tmp_path: Path
) -> None:
    entries = [delivered(body, path="//a%2Fb?c=d", headers=HEADERS) for body in NASTY]
    (tmp_path / "test_posts.py").write_bytes(script("pytest", entries, ""))
    (tmp_path / "my_app.py").write_text(f"SEEN = {str(tmp_path / 'seen')!r}\n{APP}")
    said = posted(tmp_path, VMON_TEST_APP="my_app:make_app")
    assert said.returncode == 0, said.stdout
    seen = [line.split(b" ") for line in (tmp_path / "seen").read_bytes().splitlines()]
    assert [bytes.fromhex(body.decode()) for body, _ in seen] == NASTY
    assert {path for _, path in seen} == {b"//a%2Fb?c=d"}
    assert "set VMON_TEST_URL" in posted(tmp_path).stdout


def test_the_module_of_tests_names_what_an_app_refused(
    delivered: Callable[..., Entry], tmp_path: Path
) -> None:
    entries = [delivered(b"refused", id="1-a"), delivered(b"taken", id="2-b")]
    (tmp_path / "test_posts.py").write_bytes(script("pytest", entries, ""))
    (tmp_path / "my_app.py").write_text(f"SEEN = {str(tmp_path / 'seen')!r}\n{APP}")
    said = posted(tmp_path, VMON_TEST_APP="my_app")
    assert said.returncode == 1
    assert "('undecodable 1-a', 500)" in said.stdout
    assert "('undecodable 2-b'" not in said.stdout


async def test_the_module_of_tests_posts_to_any_url(
    app: App, delivered: Callable[..., Entry], tmp_path: Path
) -> None:
    entries = [delivered(body, path="/a?b=c", headers=HEADERS) for body in NASTY]
    (tmp_path / "test_posts.py").write_bytes(script("pytest", entries, ""))
    said = await asyncio.to_thread(posted, tmp_path, VMON_TEST_URL=f"{app.url}/base/")
    assert said.returncode == 0, said.stdout
    assert [one.body for one in app.requests] == NASTY
    assert app.requests[0].first == "POST /base/a?b=c HTTP/1.1"
    assert ("X-Latin", "Zo\xeb \xff") in app.requests[0].headers


ROOTS = {
    ("/hooks", "/"): "/hooks",
    ("/hooks", "/?a=1"): "/hooks?a=1",
    ("/index.php?option=a", "/"): "/index.php?option=a",
    ("", "/"): "/",
    ("?key=1", "/"): "/?key=1",
    ("/hooks?key=1", "/inner?a=2"): "/hooks/inner?a=2&key=1",
}
"""Paths of a target and of a delivery → what is requested."""


@pytest.mark.parametrize("case", ROOTS, ids="".join)
async def test_a_delivery_to_the_root_is_sent_to_the_url_itself(
    app: App, delivered: Callable[..., Entry], tmp_path: Path, case: tuple[str, str]
) -> None:
    to, path = case
    entries = [delivered(b"{}", path=path)]
    (tmp_path / "test_posts.py").write_bytes(script("pytest", entries, ""))
    said = await asyncio.to_thread(posted, tmp_path, VMON_TEST_URL=app.url + to)
    assert said.returncode == 0, said.stdout
    assert app.requests[0].first == f"POST {ROOTS[case]} HTTP/1.1"
    for kind in get_args(choose.As)[:2]:
        assert shlex.quote(app.url + ROOTS[case]) in script(kind, entries, app.url + to).decode()
    if shutil.which("curl"):
        await ran(script("curl", entries, app.url + to), tmp_path / "a.sh")
        assert app.requests[1].first == f"POST {ROOTS[case]} HTTP/1.1"


@pytest.mark.parametrize("kind", ["curl", "httpie", "pytest"])
def test_the_secret_path_is_not_sent_to_an_app(
    kind: choose.As,
    delivered: Callable[..., Entry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    secret = secret_path()
    text = script(kind, [delivered(b"{}", path=f"/{secret}/")], "http://localhost:3000/hooks")
    assert secret.encode() not in text
    if kind != "pytest":
        assert b"http://localhost:3000/hooks" in text.split()


# The commands.


def test_export_says_what_it_left_out(
    vmon_run: Run, delivered: Callable[..., Entry], tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(write_line(delivered(b'{"event":"archive"}', headers=SECRETS)))
    code, out, err = vmon_run("export", path, "--as", "curl", "--to", "localhost:3000/x")
    assert (code, err) == (0, "1 secret omitted (Authorization); --with-secrets includes them\n")
    assert out.endswith(' --data-raw \'{"event":"archive"}\' http://localhost:3000/x\n')
    code, out, err = vmon_run("export", path, "--as", "httpie", "--with-secrets")
    assert (code, err) == (0, "")
    assert "'Authorization:Bearer s3cret'" in out
    assert vmon_run("export", path, "--as", "har", "--event", "callCreated")[0] == 1
    assert vmon_run("filter", path, "--format", "curl")[1].startswith("# archive, 2016-")


def test_without_a_form_it_is_said_which_there_are_with_an_example(vmon_run: Run) -> None:
    code, out, err = vmon_run("export", "no-such-file")
    assert (code, out) == (2, "")
    said, hint = err.splitlines()
    assert said == "error: missing option --as"
    assert hint.startswith("hint: add --as curl, httpie, har or pytest, for example: vmon export")
