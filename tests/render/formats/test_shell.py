from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.exports import HEADERS, NASTY, ROOTS, document, run_script
from tests.support.factories import make_entry
from vmon.render.formats import shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.app_server import App
    from vmon.render.formats.choose import Export


def test_a_curl_script_is_this() -> None:
    entries = [make_entry(b'{"event":"archive"}', path="/x?a=1", id="1-a"), make_entry(b"\xff")]
    assert document("curl", entries, "http://localhost:3000").decode() == (
        "# archive, 2016-08-03T21:16:00.318542Z, 1-a\n"
        "curl -sS --globoff --path-as-is -X POST -H 'Content-Type: application/json' "
        "--data-raw '{\"event\":\"archive\"}' 'http://localhost:3000/x?a=1'\n"
        "# undecodable, 2016-08-03T21:16:00.318542Z, 00053932d7f0ab-5a17c0de\n"
        "printf '\\377' | curl -sS --globoff --path-as-is -X POST "
        "-H 'Content-Type: application/json' --data-binary @- http://localhost:3000/\n"
    )


def test_an_httpie_script_is_this() -> None:
    entries = [make_entry(b'{"event":"archive"}', path="/x?a=1", id="1-a"), make_entry(b"")]
    assert document("httpie", entries, "http://localhost:3000").decode() == (
        "# archive, 2016-08-03T21:16:00.318542Z, 1-a\n"
        'http --path-as-is --ignore-stdin --raw=\'{"event":"archive"}\' POST '
        "'http://localhost:3000/x?a=1' Content-Type:application/json\n"
        "# undecodable, 2016-08-03T21:16:00.318542Z, 00053932d7f0ab-5a17c0de\n"
        "printf '' | http --path-as-is POST http://localhost:3000/ Content-Type:application/json\n"
    )


@pytest.mark.parametrize("kind", ["curl", "httpie"])
async def test_a_command_sends_the_very_bytes(kind: Export, app: App, tmp_path: Path) -> None:
    program = {"curl": "curl", "httpie": "http"}[kind]
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    paths = [f"/hook/../it's?a=[{number}]&b={{1,2}}" for number in range(len(NASTY))]
    entries = [
        make_entry(body, path=path, headers=HEADERS)
        for path, body in zip(paths, NASTY, strict=True)
    ]
    await run_script(document(kind, entries, app.url), tmp_path / "a.sh")
    assert [one.body for one in app.requests] == NASTY
    sent = [one.first.split()[1] for one in app.requests]
    assert (sent if kind == "curl" else list(map(unquote, sent))) == paths  # HTTPie quotes [{}]
    for one in app.requests:
        got = dict(one.headers)
        for name, value in HEADERS[1 : 6 if kind == "curl" else 5]:
            assert got[name] == value


async def test_a_header_that_would_begin_another_is_not_sent() -> None:
    entry = make_entry(b"", headers=(("X-A", "b\r\nX-B: c"), ("X Y", "z"), ("@file", "q")))
    assert b"X-" not in document("curl", [entry], "http://x")
    assert b"X Y" not in document("curl", [entry], "http://x")
    assert b"@file" not in document("curl", [entry], "http://x")


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


@pytest.mark.parametrize("case", ROOTS, ids="".join)
async def test_a_delivery_to_the_root_is_sent_to_the_url_itself(
    app: App, tmp_path: Path, case: tuple[str, str]
) -> None:
    to, path = case
    entries = [make_entry(b"{}", path=path)]
    assert shlex.quote(app.url + ROOTS[case]) in document("httpie", entries, app.url + to).decode()
    script = document("curl", entries, app.url + to)
    assert shlex.quote(app.url + ROOTS[case]) in script.decode()
    if shutil.which("curl"):
        await run_script(script, tmp_path / "a.sh")
        assert app.requests[0].first == f"POST {ROOTS[case]} HTTP/1.1"
