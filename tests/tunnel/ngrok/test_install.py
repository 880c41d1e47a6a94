from __future__ import annotations

import io
import random
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from vmon.tunnel.model import CannotTunnel
from vmon.tunnel.ngrok import install as module
from vmon.tunnel.ngrok.install import InstallPlan, install, install_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = b"#!/bin/sh\necho ngrok version 3.39.10\n" + random.Random(1).randbytes(200_000)


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Shop(ThreadingHTTPServer):
    """What the server has, by path; `cut` breaks the body off, `slow` never sends it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Counter)
        self.goods: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.cut = False
        self.closing = threading.Event()
        self.slow = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Counter(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        assert isinstance(self.server, Shop)
        if to := self.server.moved.get(self.path):
            self.send_response(302)
            self.send_header("Location", to)
            self.end_headers()
            return
        body = self.server.goods.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.server.slow:
            self.server.closing.wait(10)
        elif self.command == "GET":
            self.wfile.write(body[: len(body) // 2] if self.server.cut else body)

    do_HEAD = do_GET  # noqa: N815 - http.server's name


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    serving.join()


def tgz(name: str = "ngrok", kind: bytes = tarfile.REGTYPE, body: bytes = PROGRAM) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname = kind, len(body), "/etc/passwd"
        archive.addfile(entry, io.BytesIO(body))
    return packed.getvalue()


def spoilt() -> bytes:
    """The archive with one bit of the program turned over."""
    whole = bytearray(tgz())
    whole[100_000] ^= 1
    return bytes(whole)


def zipped(name: str = "ngrok") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, PROGRAM)
    return packed.getvalue()


@pytest.mark.parametrize("archive", [tgz(), zipped()], ids=["tgz", "zip"])
@pytest.mark.usefixtures("nothing_printed")
def test_the_agent_is_downloaded_and_takes_its_place(
    shop: Shop, tmp_path: Path, archive: bytes
) -> None:
    shop.goods["/agent"] = archive
    target = program(tmp_path / "deep" / "ngrok", "old")
    plan = install_plan(f"{shop.url}/agent", target)
    assert plan == InstallPlan(f"{shop.url}/agent", target, len(archive), replaces=True)
    steps: list[tuple[int, int | None]] = []
    assert install(plan, lambda done, size: steps.append((done, size))) == target
    assert target.read_bytes() == PROGRAM
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert steps[-1] == (len(archive), len(archive))
    assert steps == sorted(steps)
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not an archive", "Not a gzipped file"),
        (tgz()[:50_000], "end"),
        (spoilt(), "CRC check failed"),
        (tgz("other"), "no ngrok in the archive"),
        (zipped("other"), "no ngrok in the archive"),
        (tgz("../ngrok"), "no ngrok in the archive"),
        (tgz(kind=tarfile.SYMTYPE, body=b""), "not a regular file"),
        (tgz(kind=tarfile.DIRTYPE, body=b""), "not a regular file"),
        (None, "Not Found"),
    ],
)
@pytest.mark.usefixtures("nothing_printed")
def test_a_download_that_is_no_agent_changes_nothing(
    shop: Shop, tmp_path: Path, body: bytes | None, reason: str
) -> None:
    if body is not None:
        shop.goods["/agent"] = body
    target = program(tmp_path / "place" / "ngrok", "old")
    plan = InstallPlan(f"{shop.url}/agent", target, None, replaces=True)
    with pytest.raises(CannotTunnel, match=reason) as failed:
        install(plan, lambda *_: None)
    assert (failed.value.code, failed.value.fatal) == ("INSTALL", True)
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def plan_for(url: str, tmp_path: Path) -> InstallPlan:
    return InstallPlan(url, tmp_path / "place" / "ngrok", None, replaces=False)


def test_an_incomplete_download_is_an_error(shop: Shop, tmp_path: Path) -> None:
    shop.goods["/agent"] = tgz()
    shop.cut = True
    with pytest.raises(CannotTunnel, match=r"incomplete download|IncompleteRead"):
        install(plan_for(f"{shop.url}/agent", tmp_path), lambda *_: None)


def test_a_server_that_does_not_go_on_is_given_up(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SOCKET_S", 0.2)
    shop.goods["/agent"] = tgz()
    shop.slow = True
    with pytest.raises(CannotTunnel, match="timed out"):
        install(plan_for(f"{shop.url}/agent", tmp_path), lambda *_: None)


def test_a_download_that_does_not_end_is_given_up(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DOWNLOAD", 1000)
    shop.goods["/agent"] = tgz()
    with pytest.raises(CannotTunnel, match="too large"):
        install(plan_for(f"{shop.url}/agent", tmp_path), lambda *_: None)
    monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_AGENT_SIZE", 1000)
    with pytest.raises(CannotTunnel, match="too large"):
        install(plan_for(f"{shop.url}/agent", tmp_path), lambda *_: None)


def test_what_is_not_https_is_not_downloaded(shop: Shop, tmp_path: Path) -> None:
    shop.moved["/agent"] = "http://example.invalid/agent"
    for url in (f"{shop.url}/agent", "http://example.invalid/agent", "file:///etc/passwd"):
        with pytest.raises(CannotTunnel, match="not an https URL"):
            install(plan_for(url, tmp_path), lambda *_: None)


def test_a_server_that_does_not_respond_is_an_error_and_its_size_is_unknown(tmp_path: Path) -> None:
    plan = install_plan("http://127.0.0.1:9/agent", tmp_path / "ngrok")
    assert (plan.size, plan.replaces) == (None, False)
    with pytest.raises(CannotTunnel, match="refused"):
        install(plan, lambda *_: None)


def test_a_machine_without_an_ngrok_agent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "armv9z-of-mine")
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(CannotTunnel, match="not a supported system"):
        install_plan()


def test_the_plan_names_ngroks_own_server_and_the_users_own_place(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_size", lambda _: 9)
    plan = install_plan()
    assert plan.url.startswith("https://bin.ngrok.com/")
    assert plan.target.is_relative_to(home)
