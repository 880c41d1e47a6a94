from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
import random
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.factories import make_line
from vmon.capture.folder import captures_in
from vmon.capture.rotation import Limit, Rotation, limit_of
from vmon.capture.writer import CaptureWriter
from vmon.errors import WrongUse
from vmon.locks import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.app_server import App
    from tests.support.processes import Listen, Listening

    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[CaptureWriter]:
    one = CaptureWriter(tmp_path / "a[1].jsonl", trouble=lambda _why: None)
    yield one
    one.close()


@pytest.fixture
def line() -> Callable[[int], bytes]:
    """Make the line of a delivery that no other one is equal to."""
    return lambda number: make_line(b'{"event":"archive","n":%d}' % number)


def kept(folder: Path) -> list[bytes]:
    """All lines that readers of the folder see."""
    found = []
    for name in captures_in(str(folder)):
        data = (folder / name).read_bytes()
        plain = gzip.decompress(data) if name.endswith(".gz") else data
        found += plain.splitlines(keepends=True)
    return found


@pytest.mark.usefixtures("names")
def test_a_limit_is_a_size_or_a_time() -> None:
    assert limit_of("100MB") == Limit(size=100_000_000)
    assert limit_of("1 KiB") == Limit(size=1024)
    assert limit_of("1d") == Limit(age_s=86400.0)
    assert limit_of("30min") == Limit(age_s=1800.0)
    for wrong in ("100m", "100", "", "0MB", "x", "1zb"):
        with pytest.raises(WrongUse):
            limit_of(wrong)


@pytest.mark.usefixtures("names")
def test_a_full_capture_is_compressed_and_the_new_one_has_its_name(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    said: list[str] = []
    rotation = Rotation(capture, Limit(size=1000), said.append)
    lines = [line(number) for number in range(20)]
    for one in lines:
        rotation.rotate_if_due(one)
        assert capture.append(one)
        assert capture.path.stat().st_size <= 1000
    rotation.close(10)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[:2] == ["a[1].1.jsonl.gz", "a[1].2.jsonl.gz"]
    assert names[-1] == "a[1].jsonl"
    assert len(names) == len(said) + 1
    assert sorted(kept(tmp_path)) == sorted(lines)
    assert (tmp_path / names[0]).stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("names")
def test_a_capture_is_old_when_its_time_is_over(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    rotation = Rotation(capture, Limit(age_s=1e-9), lambda _text: None)
    rotation.rotate_if_due(b"1")
    assert not capture.end  # nothing in it: nothing to put away
    for number in (1, 2):
        rotation.rotate_if_due(b"1")
        capture.append(line(number))
    rotation.close(10)
    assert kept(tmp_path) == [line(1), line(2)]
    assert len(captures_in(str(tmp_path))) == 2


@pytest.mark.usefixtures("names")
def test_where_there_can_be_no_new_file_the_old_one_grows(
    capture: CaptureWriter,
    line: Callable[[int], bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    said: list[str] = []
    rotation = Rotation(capture, Limit(size=1), said.append)
    capture.append(line(1))

    def refuse(_path: Path) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("vmon.capture.writer._create", refuse)
    rotation.rotate_if_due(b"1")
    rotation.rotate_if_due(b"1")
    capture.append(line(2))
    assert len(said) == 1
    assert "cannot rotate" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a[1].jsonl"]
    assert capture.path.read_bytes() == line(1) + line(2)


@pytest.mark.usefixtures("names")
def test_where_compressing_fails_the_file_stays(
    capture: CaptureWriter,
    line: Callable[[int], bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def refuse(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    rotation = Rotation(capture, Limit(size=1), lambda _text: None)
    capture.append(line(1))
    rotation.rotate_if_due(b"1")
    capture.append(line(2))
    rotation.close(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a[1].1.jsonl", "a[1].jsonl"]
    assert kept(tmp_path) == [line(1), line(2)]


@pytest.mark.usefixtures("names")
def test_what_a_killed_run_left_is_compressed_by_the_next(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    (tmp_path / "a[1].4.jsonl").write_bytes(line(4))
    (tmp_path / "a[1].4.jsonl.gz").write_bytes(gzip.compress(line(4)))
    (tmp_path / "a[1].5.jsonl").write_bytes(line(5))
    (tmp_path / "a[1].5.jsonl.gz.part").write_bytes(b"torn")
    rotation = Rotation(capture, Limit(size=1), lambda _text: None)
    capture.append(line(6))
    rotation.rotate_if_due(b"1")
    rotation.close(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a[1].4.jsonl.gz", "a[1].5.jsonl.gz", "a[1].6.jsonl.gz", "a[1].jsonl",
    ]  # fmt: skip # one thing a line
    assert kept(tmp_path) == [line(4), line(5), line(6)]


@pytest.mark.usefixtures("names")
def test_in_the_folder_of_captures_other_runs_files_are_compressed_too(
    capture: CaptureWriter,
    line: Callable[[int], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("b.jsonl", "b.1.jsonl", "c.jsonl", "c.1.jsonl", "alone.1.jsonl"):
        (tmp_path / name).write_bytes(line(1))
    with (tmp_path / "c.jsonl").open() as written:
        assert lock(written.fileno())
        Rotation(capture, Limit(size=1), lambda _text: None).close(10)
        assert not (tmp_path / "b.1.jsonl.gz").exists()  # this is another folder
        monkeypatch.setattr("vmon.capture.rotation.default_folder", lambda: tmp_path)
        Rotation(capture, Limit(size=1), lambda _text: None).close(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a[1].jsonl", "alone.1.jsonl", "b.1.jsonl.gz", "b.jsonl", "c.1.jsonl", "c.jsonl",
    ]  # fmt: skip # one thing a line


class Sending:
    """Who sends on, as far as a test says."""

    def __init__(self) -> None:
        self.sent_upto = -1
        self.announced: list[tuple[bytes, int]] = []
        self.fails = False

    def announce(self, line: bytes, at: int) -> None:
        if self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.announced.append((line, at))


@pytest.mark.usefixtures("names")
def test_a_full_file_is_compressed_once_all_of_it_was_sent(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    (tmp_path / "a[1].1.jsonl").write_bytes(line(0))
    sending, said = Sending(), list[str]()
    rotation = Rotation(capture, Limit(size=1), said.append, sending)
    for number in (1, 2, 3):
        rotation.rotate_if_due(line(number))
        capture.append(line(number))
    size = len(line(1))
    assert sending.announced == [(line(2), size), (line(3), 2 * size)]
    assert said[0].endswith("rotated the capture to a[1].2.jsonl (compressed once it is forwarded)")
    names = ["a[1].1.jsonl", "a[1].2.jsonl", "a[1].3.jsonl", "a[1].jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    sending.sent_upto = 2 * size - 1
    rotation.compress_sent()
    rotation.close(10)
    names = ["a[1].1.jsonl.gz", "a[1].2.jsonl.gz", "a[1].3.jsonl", "a[1].jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert kept(tmp_path) == [line(number) for number in range(4)]


@pytest.mark.usefixtures("names")
def test_what_cannot_be_announced_is_not_rotated(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    sending, said = Sending(), list[str]()
    sending.fails = True
    rotation = Rotation(capture, Limit(size=1), said.append, sending)
    for number in (1, 2, 3):
        rotation.rotate_if_due(line(number))
        capture.append(line(number))
    assert said == ["cannot rotate the capture: No space left on device"]
    assert [path.name for path in tmp_path.iterdir()] == ["a[1].jsonl"]
    assert capture.path.read_bytes() == line(1) + line(2) + line(3)


@pytest.mark.usefixtures("names")
def test_a_locked_segment_is_left_to_a_later_run(
    capture: CaptureWriter, line: Callable[[int], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a[1].1.jsonl"
    path.write_bytes(line(1))
    with path.open("rb") as file:
        assert lock(file.fileno())
        Rotation(capture, Limit(size=1), lambda _text: None).close(10)
        assert path.exists()
    Rotation(capture, Limit(size=1), lambda _text: None).close(10)
    assert not path.exists()


@pytest.mark.usefixtures("names")
def test_a_durable_capture_is_rotated_and_compressed_before_it_is_synced(
    line: Callable[[int], bytes], tmp_path: Path
) -> None:
    one = CaptureWriter(tmp_path / "a.jsonl", trouble=lambda _why: None, durable=True)
    rotation = Rotation(one, Limit(size=1), lambda _text: None)
    for number in (1, 2):
        rotation.rotate_if_due(line(number))
        one.append(line(number))
    rotation.close(10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.1.jsonl.gz", "a.jsonl"]
    what = one.unsynced()
    what.sync()
    one.synced(what)
    one.close()


def _post_until_it_is_gone(run: Listening, salt: str, taken: list[str], enough: int) -> None:
    client = run.client()
    try:
        for number in range(100_000):
            body = json.dumps({"event": "archive", "n": f"{salt}-{number}"})
            client.request("POST", "/", body)
            answer = client.getresponse()
            answer.read()
            if answer.status == 200:
                taken.append(f"{salt}-{number}")
            if number == enough:
                run.signal(signal.SIGKILL)
    except OSError:
        pass
    finally:
        client.close()


@pytest.mark.parametrize("more", [(), ("--fsync",)])
def test_what_was_acknowledged_survives_a_kill_at_any_moment_of_rotation(
    listen: Listen, tmp_path: Path, more: tuple[str, ...]
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    taken: list[str] = []
    chance = random.Random(4)
    for round_ in range(12):
        run = listen("-q", "--capture", folder / "a.jsonl", "--rotate", "2kB", *more)
        clients = [
            threading.Thread(
                target=_post_until_it_is_gone,
                args=(run, f"{round_}-{number}", taken, chance.randrange(20, 120)),
            )
            for number in range(2)
        ]
        for one in clients:
            one.start()
        for one in clients:
            one.join(30)
        run.ended()
    run = listen("-q", "--capture", folder / "a.jsonl", "--rotate", "2kB")
    assert run.stop()[0] == 0
    seen = [json.loads(line)["body"]["n"] for line in kept(folder)]
    assert len(taken) > 300
    assert set(taken) <= set(seen)
    assert len(seen) == len(set(seen))


SYNCS = """
import os
from vmon.capture import rotation as rotate
rotate._pack = lambda full: None  # a file keeps its number
log = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def noted(sync):
    def noting(fd):
        size = os.fstat(fd).st_size
        sync(fd)
        os.write(log, b"%d %d\\n" % (os.fstat(fd).st_ino, size))
    return noting
os.fsync, os.fdatasync = noted(os.fsync), noted(os.fdatasync)
"""


def test_with_fsync_an_answer_waits_for_the_bytes_and_the_name_of_their_file(
    listen: Listen, tmp_path: Path
) -> None:
    folder, log = tmp_path / "kept", tmp_path / "log"
    folder.mkdir()
    code = SYNCS.format(log=str(log))
    run = listen("-q", "--capture", folder / "a.jsonl", "--rotate", "1kB", "--fsync", code=code)
    names: set[str] = set()
    for number in range(30):
        assert run.post(b'{"event":"archive","n":%d}' % number) == 200
        synced = [tuple(map(int, one.split())) for one in log.read_text().splitlines()]
        (path,) = [one for one in folder.glob("*.jsonl") if b'"n":%d}' % number in one.read_bytes()]
        status = path.stat()
        assert any(ino == status.st_ino and size >= status.st_size for ino, size in synced)
        fresh = {str(one.stat().st_ino) for one in folder.iterdir()} - names
        if fresh:  # the folder was synced since then
            last = max(at for at, (ino, _) in enumerate(synced) if ino == folder.stat().st_ino)
            assert last >= len(synced) - 2
            names |= fresh
    assert len(names) > 5
    assert run.stop()[0] == 0


FULL = """
import errno, os
from vmon.capture import writer as capture
def no(fresh):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
capture._create = no
"""


async def test_where_the_disk_is_full_at_the_moment_of_rotation_nothing_is_lost(
    listen: Listen, app: App, tmp_path: Path
) -> None:
    args = ("--capture", tmp_path / "a.jsonl", "--rotate", "1kB", "--forward-to", app.url)
    run = await asyncio.to_thread(listen, *args, code=FULL)
    for number in range(20):
        body = b'{"event":"archive","n":%d}' % number
        assert await asyncio.to_thread(run.post, body) == 200
    await app.wait_for(lambda: len(app.requests) == 20)
    code, _, err = await asyncio.to_thread(run.stop)
    assert code == 0
    assert err.count("cannot rotate the capture: No space left on device\n") == 1
    assert len((tmp_path / "a.jsonl").read_bytes().splitlines()) == 20
    assert names_in(tmp_path) == ["a.jsonl"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rotation_is_reported_and_needs_a_capture(listen: Listen, vmon_run: Run) -> None:
    run = listen("--rotate", "1kB")
    for _ in range(9):
        assert run.post(b'{"event":"archive"}') == 200
    code, _, err = run.stop()
    assert code == 0
    assert "rotated the capture to" in err
    assert vmon_run("listen", "--rotate", "1MB", "--no-capture")[0] == 2
    assert vmon_run("listen", "--rotate", "100m")[0] == 2
