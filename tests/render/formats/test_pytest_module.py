from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.exports import HEADERS, NASTY, ROOTS, document
from tests.support.factories import make_entry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.app_server import App

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


def test_the_module_of_tests_passes_against_an_app_that_takes_all(tmp_path: Path) -> None:
    entries = [make_entry(body, path="//a%2Fb?c=d", headers=HEADERS) for body in NASTY]
    (tmp_path / "test_posts.py").write_bytes(document("pytest", entries))
    (tmp_path / "my_app.py").write_text(f"SEEN = {str(tmp_path / 'seen')!r}\n{APP}")
    said = posted(tmp_path, VMON_TEST_APP="my_app:make_app")
    assert said.returncode == 0, said.stdout
    seen = [line.split(b" ") for line in (tmp_path / "seen").read_bytes().splitlines()]
    assert [bytes.fromhex(body.decode()) for body, _ in seen] == NASTY
    assert {path for _, path in seen} == {b"//a%2Fb?c=d"}
    assert "set VMON_TEST_URL" in posted(tmp_path).stdout


def test_the_module_of_tests_names_what_an_app_refused(tmp_path: Path) -> None:
    entries = [make_entry(b"refused", id="1-a"), make_entry(b"taken", id="2-b")]
    (tmp_path / "test_posts.py").write_bytes(document("pytest", entries))
    (tmp_path / "my_app.py").write_text(f"SEEN = {str(tmp_path / 'seen')!r}\n{APP}")
    said = posted(tmp_path, VMON_TEST_APP="my_app")
    assert said.returncode == 1
    assert "('undecodable 1-a', 500)" in said.stdout
    assert "('undecodable 2-b'" not in said.stdout


async def test_the_module_of_tests_posts_to_any_url(app: App, tmp_path: Path) -> None:
    entries = [make_entry(body, path="/a?b=c", headers=HEADERS) for body in NASTY]
    (tmp_path / "test_posts.py").write_bytes(document("pytest", entries))
    said = await asyncio.to_thread(posted, tmp_path, VMON_TEST_URL=f"{app.url}/base/")
    assert said.returncode == 0, said.stdout
    assert [one.body for one in app.requests] == NASTY
    assert app.requests[0].first == "POST /base/a?b=c HTTP/1.1"
    assert ("X-Latin", "Zo\xeb \xff") in app.requests[0].headers


@pytest.mark.parametrize("case", ROOTS, ids="".join)
async def test_a_delivery_to_the_root_is_sent_to_the_url_itself(
    app: App, tmp_path: Path, case: tuple[str, str]
) -> None:
    to, path = case
    (tmp_path / "test_posts.py").write_bytes(document("pytest", [make_entry(b"{}", path=path)]))
    ended = await asyncio.to_thread(posted, tmp_path, VMON_TEST_URL=app.url + to)
    assert ended.returncode == 0, ended.stdout
    assert app.requests[0].first == f"POST {ROOTS[case]} HTTP/1.1"


def test_a_delivery_is_a_literal_in_ascii() -> None:
    entries = [make_entry('"Zo\xeb \u202e"'.encode(), id="1-a", path="/\xeb")]
    literals = document("pytest", entries).partition(b"DELIVERIES = [\n")[2]
    assert literals.decode("ascii") == (
        "    (\n"
        "        'unknown 1-a',\n"
        "        'POST',\n"
        "        '/\\xeb',\n"
        "        [('Content-Type', 'application/json')],\n"
        "        b'\"Zo\\xc3\\xab \\xe2\\x80\\xae\"',\n"
        "    ),\n"
        "]\n"
    )
