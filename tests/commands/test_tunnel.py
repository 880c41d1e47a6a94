"""`vmon tunnel`: the agent's installation, and what an earlier vmon left."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import signal
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import msgspec
import pytest

from vmon.tunnel import orphans
from vmon.tunnel.orphans import Record, claim_folder, record_agent
from vmon.tunnel.processes import process_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.processes import Flow

    Run = Callable[..., tuple[int, str, str]]

PROGRAM = b"#!/bin/sh\necho ngrok version 3.39.1\n"
ENDING = ("--config", "/private/ngrok.yml")


def packed(program: bytes = PROGRAM) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("ngrok")
        entry.size = len(program)
        archive.addfile(entry, io.BytesIO(program))
    return out.getvalue()


class Counter(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = self.server.goods  # type: ignore[attr-defined] # the server below
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name


@pytest.fixture
def shop() -> Iterator[ThreadingHTTPServer]:
    """Serve an archive with an agent in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    server.goods = packed()  # type: ignore[attr-defined] # what Counter sends
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    yield server
    server.shutdown()
    server.server_close()
    serving.join()


def url_of(shop: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{shop.server_port}/agent.tgz"


def places(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("ngrok") if path.is_file()]


# Installing.


def test_with_yes_it_is_installed_without_confirmation(
    vmon_run: Run, shop: ThreadingHTTPServer, tmp_path: Path
) -> None:
    code, out, err = vmon_run("tunnel", "install", "--yes", "--from", url_of(shop), PATH="/nowhere")
    assert (code, out) == (0, "")
    (path,) = places(tmp_path)
    assert path.read_bytes() == PROGRAM
    assert err == (
        "ngrok agent, for vmon listen --tunnel\n"
        f"  from  {url_of(shop)}\n"
        f"  to    {path}\n"
        f"  size  {len(packed())} B\n"
        f"installed {path}, version 3.39\n"
    )
    code, _, err = vmon_run("tunnel", "install", "--yes", "--from", url_of(shop), PATH="/nowhere")
    assert code == 0
    assert f"  to    {path}  (replaces the existing one)\n" in err


def test_an_agent_that_takes_precedence_is_reported(
    vmon_run: Run, shop: ThreadingHTTPServer, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    other = tmp_path / "bin" / "ngrok"
    other.write_bytes(PROGRAM)
    other.chmod(0o755)
    env = {"PATH": str(other.parent)}
    code, _, err = vmon_run("tunnel", "install", "--yes", "--from", url_of(shop), **env)
    assert code == 0
    assert err.endswith(f"but {other} comes first and is used instead\n")


def test_without_a_terminal_and_yes_nothing_is_installed(
    vmon_run: Run, shop: ThreadingHTTPServer, tmp_path: Path
) -> None:
    code, out, err = vmon_run("tunnel", "install", "--from", url_of(shop))
    assert (code, out) == (2, "")
    assert err.endswith(
        "error: nothing installed: cannot ask for confirmation here\n"
        "hint: run vmon tunnel install --yes\n"
    )
    assert f"  size  {len(packed())} B\n" in err
    assert places(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [(b"y\n", 0, b"installed "), (b"\n", 1, b"error: nothing installed"), (b"\x03", 130, b"")],
)
def test_on_a_terminal_it_asks(  # noqa: PLR0913, PLR0917 - fixtures
    answer: bytes,
    code: int,
    said: bytes,
    shop: ThreadingHTTPServer,
    environment: dict[str, str],
    tmp_path: Path,
    flow_of: Callable[[int], Flow],
) -> None:
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "vmon", "tunnel", "install", "--from", url_of(shop)],
        env=environment | {"PATH": "/nowhere"},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=_take_the_terminal,  # noqa: PLW1509 - no thread of ours holds a lock here
    )
    os.close(theirs)
    flow = flow_of(ours)
    flow.until(b"Download and install it? [y/N]")
    os.write(ours, answer)
    end = time.monotonic() + 20
    while answer == b"\x03" and run.poll() is None and time.monotonic() < end:
        # Pressed while the prompt is still being set up, it may be lost: people press it again.
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            os.write(ours, answer)
    out, _ = run.communicate(timeout=20)
    assert (run.returncode, out) == (code, b"")
    assert said in flow.all()
    assert len(places(tmp_path)) == (1 if code == 0 else 0)
    os.close(ours)


def _take_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it


def test_what_is_no_archive_is_exit_4_and_changes_nothing(
    vmon_run: Run, shop: ThreadingHTTPServer, tmp_path: Path
) -> None:
    shop.goods = b"<html>"  # type: ignore[attr-defined] # what Counter sends
    code, _, err = vmon_run("tunnel", "install", "--yes", "--from", url_of(shop))
    assert code == 4
    assert "error: cannot install the ngrok agent from " in err
    assert "hint: install it yourself from https://ngrok.com/download\n" in err
    assert places(tmp_path) == []


def test_what_is_not_https_is_not_fetched(vmon_run: Run) -> None:
    args = ("tunnel", "install", "--yes", "--from", "http://example.invalid/\x1b[2J")
    code, _, err = vmon_run(*args)
    assert code == 4
    assert "not an https URL" in err
    assert "\x1b" not in err


# What is there.


def test_status_shows_the_agents_and_never_fails(vmon_run: Run) -> None:
    code, out, err = vmon_run("tunnel", "status", PATH="/nowhere")
    assert (code, err) == (0, "")
    assert "warn  ngrok agent  the ngrok agent is not installed\n" in out
    code, out, err = vmon_run("tunnel", "status", "--json", PATH="/nowhere")
    names = [one["name"] for one in msgspec.json.decode(out)["checks"]]
    assert (code, err) == (0, "")
    assert names == ["ngrok agent", "ngrok token", "cloudflared", "ssh", "leftovers"]


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, as agents are."""
    program = "import time;print(flush=True);time.sleep(60)"  # lives until it is ended
    made = subprocess.Popen(
        [sys.executable, "-c", program, *ENDING], stdout=subprocess.PIPE, start_new_session=True
    )
    assert made.stdout
    made.stdout.readline()
    yield made
    made.kill()
    made.communicate()


def orphan(state: Path, agent: subprocess.Popen[bytes], **changed: object) -> Path:
    """Make the folder that a killed vmon would have left of this agent."""
    folder = claim_folder(state, "ngrok")
    record_agent(folder, agent.pid, ENDING)
    path = folder / orphans.RECORD
    record = msgspec.json.decode(path.read_bytes(), type=Record)
    changed = {"owner": 2**22 + 1} | changed
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, **changed)))
    return folder


def test_stale_agents_are_listed_and_stopped_on_request(
    vmon_run: Run, agent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = orphan(tmp_path / "state" / "vmon", agent)
    listed = f"ngrok  pid {agent.pid}\n"
    assert vmon_run("tunnel", "leftovers") == (0, listed, "")
    _, out, _ = vmon_run("doctor", "--offline")
    assert (
        f"warn  leftovers    still running from an earlier vmon: ngrok (pid {agent.pid})\n" in out
    )
    assert process_info(agent.pid)
    assert vmon_run("tunnel", "leftovers", "--stop") == (0, listed, "stopped\n")
    assert agent.wait(5) < 0
    assert not folder.exists()
    said = "no stale agents\n"
    assert vmon_run("tunnel", "leftovers", "--stop") == (0, said, "")


@pytest.mark.parametrize("changed", [{"owner": os.getpid()}, {"started": "1"}, {"ending": "other"}])
def test_what_is_not_left_by_us_is_left_alone(
    changed: dict[str, object],
    vmon_run: Run,
    agent: subprocess.Popen[bytes],
    tmp_path: Path,
) -> None:
    orphan(tmp_path / "state" / "vmon", agent, **changed)
    said = "no stale agents\n"
    assert vmon_run("tunnel", "leftovers", "--stop") == (0, said, "")
    assert process_info(agent.pid)
