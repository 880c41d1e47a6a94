"""Callbacks sent to apps of Flask, FastAPI and Express, as their users have them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_line
from tests.support.frameworks import FRAMEWORKS, RunningApp, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.processes import Listen, Listening

BODY = b'{"event":"streamCreated","sessionId":"2_A"}'
TOOK = re.compile(r" in \d[\d.]* m?s")


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda one: one.file.partition("_")[0])
def served(request: pytest.FixtureRequest) -> Iterator[RunningApp]:
    """An app of each framework."""
    with running(request.param) as one:
        yield one


@pytest.fixture
def sent(served: RunningApp, listen: Listen) -> Callable[..., str]:
    """Forward one delivery to a place at the app: what is said of its answer."""

    def send(to: str, path: str = "/", *options: str) -> str:
        run = listen("--format", "line", "--forward-to", f"{served.port}{to}", *options)
        assert run.post(BODY, path) == 200
        line = _outcome(run)
        assert run.stop()[0] == 0
        return line

    return send


def _outcome(run: Listening) -> str:
    assert run.out is not None
    found = run.out.match(rb"\xe2\x86\x92 (.*)\n")
    return TOOK.sub("", found[1].decode())


def newly_taken(app: RunningApp, before: list[str]) -> list[str]:
    return app.taken()[len(before) :]


@pytest.mark.parametrize(
    ("to", "path", "taken"),
    [
        ("", "/", "/"),
        ("/hooks", "/", "/hooks"),
        ("", "/hooks", "/hooks"),
        ("/slashed/", "/", "/slashed/"),
        ("/hooks?option=a", "/", "/hooks?option=a"),
        ("/hooks?option=a", "/?b=%20c", "/hooks?b=%20c&option=a"),
        ("", "/hooks?x=1&x=2", "/hooks?x=1&x=2"),
    ],
)
def test_a_delivery_arrives_at_the_path_and_query_that_were_written(
    served: RunningApp, sent: Callable[..., str], to: str, path: str, taken: str
) -> None:
    before = served.taken()
    assert sent(to, path) == "200"
    assert newly_taken(served, before) == [taken]


def test_a_path_that_lacks_its_slash_is_taken_or_told_with_where_it_redirects(
    served: RunningApp, sent: Callable[..., str]
) -> None:
    line, url = sent("/slashed"), f"http://localhost:{served.port}/slashed"
    if served.framework.slash == 200:
        assert line == "200"
    else:
        only = "Vonage counts only 200 as success"
        told = f"(POST {url}): redirects to {url}/; {only}"
        assert line == f"{served.framework.slash} {told}"


def test_an_error_page_says_what_went_wrong_and_not_its_doctype(
    served: RunningApp, sent: Callable[..., str]
) -> None:
    missing, broken = sent("/nowhere"), sent("/broken", "/", "--retry", "none")
    url = f"http://localhost:{served.port}"
    assert missing == f"404 (POST {url}/nowhere): {served.framework.missing}"
    assert broken == f"500 (POST {url}/broken): {served.framework.broken}"


def test_verbose_shows_the_headers_and_the_body_of_a_success_too(
    served: RunningApp, listen: Listen
) -> None:
    run = listen("--format", "line", "-vv", "--forward-to", f"{served.port}/hooks")
    assert run.post(BODY) == 200
    assert run.out is not None
    seen = run.out.until(b"taken").decode().partition("→ 200")[2].lower()
    assert "\n      http 200\n" in seen
    assert "\n      content-type: " in seen
    assert seen.splitlines()[-1].strip().startswith("│ ")
    assert run.stop()[0] == 0


def test_a_replay_a_sample_and_an_export_arrive_at_the_same_place(
    served: RunningApp, vmon_run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    capture, to = tmp_path / "a.jsonl", f"{served.port}/hooks?a=1"
    capture.write_bytes(make_line(BODY, path="/"))
    before = served.taken()
    assert vmon_run("replay", capture, "--to", to)[0] == 0
    assert vmon_run("trigger", "archive", "--to", to)[0] == 0
    assert newly_taken(served, before) == ["/hooks?a=1"] * 2
    code, out, _ = vmon_run("export", capture, "--as", "curl", "--to", to)
    assert (code, f"'http://localhost:{served.port}/hooks?a=1'" in out) == (0, True)
    if shutil.which("curl") is None:
        pytest.skip("needs curl to run what is exported")
    subprocess.run(["sh", "-c", out], check=True, timeout=30, capture_output=True)
    assert newly_taken(served, before) == ["/hooks?a=1"] * 3


def test_the_doctor_finds_an_app_by_its_port(
    served: RunningApp, vmon_run: Callable[..., tuple[int, str, str]]
) -> None:
    _, out, _ = vmon_run("doctor", "--offline", "--app", str(served.port))
    assert f"listening on localhost:{served.port}" in out
